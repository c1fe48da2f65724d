"""Functions run as in Lambda."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.cloud import Cloud, archive

PROCESS = """
import os, signal, sys, time

class NoPixelsError(ValueError): ...

calls = 0

def handler(event, context):
    global calls
    calls += 1
    match event:
        case "raise": raise NoPixelsError("none at all")
        case "sleep": time.sleep(60)
        case "nap": time.sleep(0.3)
        case {"meet in": folder}:
            open(os.path.join(folder, str(os.getpid())), "x").close()
            while len(os.listdir(folder)) < 2: time.sleep(0.01)
        case "be killed": os.kill(os.getpid(), signal.SIGKILL)
        case "exit": os._exit(3)
    return {"process": os.getpid(), "calls": calls, "tmp": os.environ.get("TMPDIR")}
"""


def test_error_type_is_the_class_of_the_exception(cloud: Cloud) -> None:
    error = cloud.call(cloud.function(PROCESS), "raise")
    assert error["errorType"] == "NoPixelsError"
    assert error["errorMessage"] == "none at all"


def test_module_that_is_missing_is_an_import_error(cloud: Cloud) -> None:
    error = cloud.call(cloud.function("import nowhere"))
    assert error["errorType"] == "Runtime.ImportModuleError"


@pytest.mark.parametrize(
    ("ending", "reason"),
    [("be killed", "with error: signal: killed"), ("exit", "with error: exit status 3")],
)
def test_process_that_ends_is_an_exit_error(cloud: Cloud, ending: str, reason: str) -> None:
    error = cloud.call(cloud.function(PROCESS), ending)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(f"Error: Runtime exited {reason}")


def test_overrun_ends_the_process(patched: Cloud) -> None:
    function = patched.function(PROCESS, Timeout=5)
    before = patched.call(function)
    error = patched.call(function, "sleep")
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 5.00 seconds")
    assert patched.call(function)["process"] != before["process"]
    with pytest.raises(ProcessLookupError):
        os.kill(before["process"], 0)


def test_process_serves_one_call_after_the_other(patched: Cloud) -> None:
    function = patched.function(PROCESS)
    first, second = patched.call(function), patched.call(function)
    assert second == first | {"calls": first["calls"] + 1}


def test_error_does_not_end_the_process(patched: Cloud) -> None:
    function = patched.function(PROCESS)
    first = patched.call(function)
    patched.call(function, "raise")
    assert patched.call(function)["process"] == first["process"]


def test_concurrent_calls_wait_for_their_turn(cloud: Cloud) -> None:
    function = cloud.function(PROCESS)
    limit = 2 * (os.cpu_count() or 1)
    with ThreadPoolExecutor(4 * limit) as threads:
        answers = list(threads.map(lambda _: cloud.call(function, "nap"), range(4 * limit)))
    assert sum(1 for answer in answers if "process" in answer) == 4 * limit
    assert len({answer["process"] for answer in answers}) <= limit


@pytest.mark.parametrize("ending", ["be killed", "sleep"])
def test_tmp_outlives_a_process_that_was_ended_in_it(patched: Cloud, ending: str) -> None:
    function = patched.function(PROCESS, Timeout=5)
    before = patched.call(function)
    left = Path(before["tmp"]) / "left"
    left.touch()
    patched.call(function, ending)
    after = patched.call(function)
    assert after["process"] != before["process"]
    assert after["tmp"] == before["tmp"]
    assert left.exists()


def test_environments_at_work_at_once_have_a_tmp_each(patched: Cloud, tmp_path: Path) -> None:
    function = patched.function(PROCESS, Timeout=60)
    meet = {"meet in": str(tmp_path)}
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: patched.call(function, meet), range(2))
    assert one["tmp"] != other["tmp"]


def test_new_code_and_new_settings_are_used_at_once(patched: Cloud) -> None:
    code = "import os\ndef handler(event, context): return [{}, os.environ['COLOR']]"
    function = patched.function(code.format(1), Environment={"Variables": {"COLOR": "red"}})
    assert patched.call(function) == [1, "red"]
    patched.functions.update_function_code(
        FunctionName=function, ZipFile=archive({"app.py": code.format(2)})
    )
    assert patched.call(function) == [2, "red"]
    patched.functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": {"COLOR": "blue"}}
    )
    assert patched.call(function) == [2, "blue"]


IMPORTS = """
import both, layered, boto3

def handler(event, context):
    return {"both": both.origin, "layered": layered.origin, "file": layered.__file__}
"""


def test_function_comes_before_layers_and_the_last_layer_before_the_first(cloud: Cloud) -> None:
    modules = {"python/both.py": "origin = {!r}", "python/layered.py": "origin = {!r}"}
    layers = [
        cloud.layer({path: text.format(origin) for path, text in modules.items()})
        for origin in ("first", "last")
    ]
    function = cloud.function(IMPORTS, Layers=layers, files={"both.py": "origin = 'function'"})
    answer = cloud.call(function)
    assert answer.get("both") == "function"
    assert answer["layered"] == "last"


def test_layer_is_unpacked_once(cloud: Cloud) -> None:
    layer = cloud.layer({"python/layered.py": "origin = ''", "python/both.py": "origin = ''"})
    files = {cloud.call(cloud.function(IMPORTS, Layers=[layer])).get("file") for _ in range(2)}
    assert len(files) == 1


def test_engine_is_out_of_sight(cloud: Cloud) -> None:
    code = "def handler(event, context):\n    import ministack\n    return 'seen'"
    assert cloud.call(cloud.function(code)) != "seen"


def test_environment_is_what_lambda_sets(cloud: Cloud) -> None:
    code = "import os\ndef handler(event, context): return dict(os.environ)"
    function = cloud.function(
        code,
        MemorySize=512,
        LoggingConfig={"LogGroup": "/color"},
        Environment={"Variables": {"COLOR": "red", "OMP_NUM_THREADS": "2"}},
    )
    variables = cloud.call(function)
    given = {
        "COLOR": "red",
        "OMP_NUM_THREADS": "2",
        "AWS_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/color",
        "TZ": ":UTC",
    }
    assert given.items() <= variables.items()
    ours = ("AWS_", "LAMBDA_", "PYTHON", "OPENBLAS_")
    others = {name for name in variables.keys() - given.keys() if not name.startswith(ours)}
    assert others == {"LANG", "PATH", "TMPDIR", "_HANDLER"}
    assert not any(name.startswith("PYTHON") for name in variables if name != "PYTHONPATH")


def test_function_reaches_the_engine(patched: Cloud) -> None:
    code = "import boto3\ndef handler(event, context):\n    "
    code += "return [b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']]"
    bucket = patched.bucket()
    assert bucket in patched.call(patched.function(code))


def test_output_goes_to_the_log_of_its_call(patched: Cloud) -> None:
    code = "print('loading')\ndef handler(event, context): print('event', event)"
    function = patched.function(code)
    for event in (1, 2):
        patched.call(function, event)
    logged = patched.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    words = [event["message"].split()[0] for event in logged]
    call = ["START", "event", "END", "REPORT"]
    loaded = words.index("loading")
    assert words.index("START") < loaded < words.index("event")
    assert words[:loaded] + words[loaded + 1 :] == call + call
