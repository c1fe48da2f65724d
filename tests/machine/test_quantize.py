"""The state machine's own file, executed on the local engine with scripted functions."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonata
import msgspec
import pytest
import yaml
from samcli.yamlhelper import yaml_parse

from emulator.engine import ROOT
from quantization import errors
from quantization.options import MAX_SIZES
from quantization.service.messages import RenderRequest
from quantization.service.storage.s3 import StorageFault, StorageRejected
from tests.support.fixtures import Aws
from tests.support.results import result_with
from tests.support.scripted import DEFINITION, EVENT, ScriptedMachine, entered


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    definition: dict[str, Any] = yaml.safe_load(DEFINITION.read_text())
    return definition


@pytest.fixture(scope="module")
def machine(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> ScriptedMachine:
    """Create the machine's functions; return how to run it."""
    return ScriptedMachine(aws, tmp_path_factory.mktemp("calls"))


def test_best_silhouette_is_rendered(machine: ScriptedMachine) -> None:
    ended = machine({"silhouettes": {"8": 0.3, "9": 0.7, "10": 0.7, "11": 0.6}})

    assert ended["status"] == "SUCCEEDED"
    request = json.loads(ended["output"])
    assert request["k"] == 9
    assert request["options"]["criterion"] == "silhouette"
    assert [(s["k"], s["silhouette"]) for s in request["scores"]] == [
        (8, 0.3),
        (9, 0.7),
        (10, 0.7),
        (11, 0.6),
    ]
    assert [len(score["palette"]) for score in request["scores"]] == [8, 9, 10, 11]
    assert request["source"]["version_id"] == EVENT["detail"]["object"]["version-id"]
    assert request["execution"] == ended["executionArn"]
    assert list(request["state_entered_at"]) == ["Sample", "ScoreEachK", "Render"]
    times = [datetime.fromisoformat(time) for time in request["state_entered_at"].values()]
    assert times == sorted(times)


def test_other_palette_of_a_result_is_rendered_and_nothing_else_done(
    machine: ScriptedMachine,
) -> None:
    result = json.loads(msgspec.json.encode(result_with()))
    result["source"]["key"] = "{}"
    ended = machine.ended(machine.start_with(machine.create(), {"again": result, "k": 8}))

    assert ended["status"] == "SUCCEEDED", ended
    assert entered(machine.history(ended)) == ["CheckInput", "TakeResult", "Render"]
    answer = json.loads(ended["output"])
    request = msgspec.convert(answer, RenderRequest)
    started = ended["startDate"].astimezone(UTC).isoformat(timespec="milliseconds")
    assert request.source.again == started.replace("+00:00", "Z")
    assert answer["source"] == result["source"] | {"again": request.source.again}
    assert answer["options"] == result["options"] | {"k": 8}
    for unchanged in ("picks", "silhouette_at", "scores", "sample_size"):
        assert answer[unchanged] == result[unchanged]
    assert request.chosen_palette() == result["scores"][0]["palette"]
    assert list(request.state_entered_at) == ["TakeResult", "Render"]


def test_upload_asks_for_the_guarded_criterion(machine: ScriptedMachine) -> None:
    errors = {"8": 3.0, "9": 2.5, "10": 2.0, "11": 1.5}
    silhouettes = {"8": 0.5, "9": 0.4, "10": 0.3, "11": 0.2}
    ended = machine(
        {"options": {"criterion": "guarded"}, "errors": errors, "silhouettes": silhouettes}
    )

    request = json.loads(ended["output"])
    assert request["options"]["criterion"] == "guarded"
    assert request["k"] == 10
    assert request["picks"] == {"silhouette": 8, "guarded": 10}
    assert request["silhouette_at"] == "edge"


@pytest.mark.parametrize(
    ("silhouettes", "k", "at"),
    [
        ({"7": 0.8, "8": 0.9, "11": 0.7, "12": 0.95}, 8, "peak"),
        ({"7": 0.9, "8": 0.8, "11": 0.7, "12": 0.2}, 8, "edge"),
        ({"7": 0.95, "8": 0.7, "11": 0.9, "12": 0.8}, 11, "peak"),
        ({"7": 0.1, "8": 0.7, "11": 0.8, "12": 0.9}, 11, "edge"),
    ],
)
def test_sizes_beyond_the_window_tell_a_peak_from_an_edge(
    machine: ScriptedMachine, silhouettes: dict[str, float], k: int, at: str
) -> None:
    ended = machine({"options": {"k_max": 11}, "silhouettes": silhouettes})

    request = json.loads(ended["output"])
    assert (request["k"], request["silhouette_at"]) == (k, at)
    assert all("silhouette_beyond" not in score for score in request["scores"])


@pytest.mark.parametrize("keep", [[], ["#ff0000"], ["#ff0000", "#00ff00"]])
def test_colors_to_keep_reach_every_k(machine: ScriptedMachine, keep: list[str]) -> None:
    ended = machine({"options": {"keep": keep}})

    request = json.loads(ended["output"])
    assert [score["palette"][: len(keep)] for score in request["scores"]] == [keep] * 4


def test_palette_that_is_given_is_rendered_without_any_fit(machine: ScriptedMachine) -> None:
    measures = {"silhouette": None, "inertia": 1.0, "error": 0.5, "accent_error": 0.0}
    given = {"k": 2, **measures, "palette": ["#ff0000", "#0000ff"]}
    ended = machine({"ks": [], "options": {"palette": ["#0000ff", "#ff0000"]}, "given": given})

    states = ["CheckInput", "Sample", "CheckPalette", "TakePalette", "Render"]
    assert entered(machine.history(ended)) == states
    request = json.loads(ended["output"])
    assert (request["picks"], request["silhouette_at"]) == ({}, None)
    assert (request["k"], request["scores"]) == (2, [given])
    assert list(request["state_entered_at"]) == ["Sample", "Render"]


def test_single_k_without_silhouette_is_rendered(machine: ScriptedMachine) -> None:
    ended = machine({"ks": [1], "silhouettes": {"1": None}})

    request = json.loads(ended["output"])
    assert request["k"] == 1
    assert [(s["silhouette"], s["palette"]) for s in request["scores"]] == [(None, ["#000000"])]


def test_one_failing_k_does_not_sink_the_rest(machine: ScriptedMachine) -> None:
    ended = machine({"score": {"9": "MemoryError"}})

    request = json.loads(ended["output"])
    assert request["k"] == 8
    measures = dict.fromkeys(["silhouette", "inertia", "error", "accent_error"])
    assert request["scores"][1] == {"k": 9, **measures, "failure": "MemoryError"}
    assert entered(machine.history(ended)).count("SkipK") == 1


def test_no_k_at_all_fails(machine: ScriptedMachine) -> None:
    ended = machine({"score": {str(k): "MemoryError" for k in range(8, 12)}})

    assert (ended["status"], ended["error"]) == ("FAILED", "AllScoresFailed")
    assert "MemoryError" in ended["cause"]


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("sample", "UnsupportedImage"),
        ("sample", "ImageTooLarge"),
        ("sample", "EmptyImage"),
        ("sample", "ObjectGone"),
        ("sample", "InvalidOptions"),
        ("sample", "UnreadablePalette"),
        ("sample", "KeyTooLong"),
        ("sample", "ObjectArchived"),
        ("sample", "ObjectEncrypted"),
        ("sample", "ObjectUnversioned"),
        ("render", "NameTaken"),
        ("render", "ObjectGone"),
    ],
)
def test_refused_image_fails_by_name_and_is_not_retried(
    machine: ScriptedMachine, state: str, error: str
) -> None:
    ended = machine({state: error})

    assert (ended["status"], ended["error"]) == ("FAILED", error)
    version, cause = ended["cause"].split(": ", 1)
    assert version == EVENT["detail"]["object"]["version-id"]
    assert json.loads(cause)["errorMessage"] == f"{state} failed as scripted"
    assert entered(machine.history(ended))[-2:] == ["RecordFailure", "RefuseImage"]
    failures = [e for e in machine.history(ended) if e["type"] == "TaskFailed"]
    assert len(failures) == 1


@pytest.mark.parametrize("state", ["sample", "render"])
def test_defect_fails_in_its_own_state(machine: ScriptedMachine, state: str) -> None:
    ended = machine({state: "KeyError"})

    assert (ended["status"], ended["error"]) == ("FAILED", "KeyError")
    assert entered(machine.history(ended))[-1].lower() == state


@pytest.mark.parametrize(
    "fault",
    [
        "Lambda.ServiceException",
        StorageFault.__name__,
        # https://docs.aws.amazon.com/lambda/latest/dg/snapstart-troubleshooting.html
        "Lambda.SnapStartNotReadyException",
        "Lambda.SnapStartTimeoutException",
    ],
)
@pytest.mark.parametrize("name", ["sample", "render", "score"])
def test_passing_fault_is_retried(machine: ScriptedMachine, name: str, fault: str) -> None:
    ended = machine({name: {"9": fault} if name == "score" else fault, "once": True})

    assert ended["status"] == "SUCCEEDED"
    assert fault not in json.loads(ended["output"])["scores"][1].values()
    failures = [e for e in machine.history(ended) if e["type"] == "TaskFailed"]
    assert [f["taskFailedEventDetails"]["error"] for f in failures] == [fault]


def test_upload_whose_sample_was_tried_again_scores_one_k_after_the_other(
    machine: ScriptedMachine,
) -> None:
    most = {}
    for sample in (None, StorageFault.__name__):
        ended = machine({"sample": sample, "once": True, "slow": 2})
        running, counts = 0, []
        for event in machine.history(ended):
            running += event["type"] == "MapIterationStarted"
            running -= event["type"] == "MapIterationSucceeded"
            counts.append(running)
        most[sample] = max(counts)
    assert most == {None: 4, StorageFault.__name__: 1}


# What a function that was killed, ran out of time or out of memory ends with.
@pytest.mark.parametrize(
    "crash", ["Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout"]
)
def test_crash_of_a_function_is_tried_again(machine: ScriptedMachine, crash: str) -> None:
    assert machine({"render": crash, "once": True})["status"] == "SUCCEEDED"


def test_crash_that_persists_fails_in_its_own_state(machine: ScriptedMachine) -> None:
    ended = machine({"render": "Lambda.Unknown"})

    assert (ended["status"], ended["error"]) == ("FAILED", "Lambda.Unknown")
    events = machine.history(ended)
    assert entered(events)[-1] == "Render"
    assert len([e for e in events if e["type"] == "TaskFailed"]) == 3


def test_fault_does_not_change_which_k_compete(machine: ScriptedMachine) -> None:
    ended = machine({"score": {"9": StorageRejected.__name__}})

    assert (ended["status"], ended["error"]) == ("FAILED", "StorageRejected")
    assert "ChooseK" not in entered(machine.history(ended))


def test_slow_k_is_cut_off(machine: ScriptedMachine) -> None:
    ended = machine({"ks": [8], "slow": 20}, TimeoutSeconds=1)

    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")


# What the file promises.


def calls(states: dict[str, Any]) -> dict[str, Any]:
    """Return the states that call a function."""
    found = {name: s for name, s in states.items() if "FunctionName" in s.get("Arguments", {})}
    for state in states.values():
        found |= calls(state.get("ItemProcessor", {}).get("States", {}))
    return found


def expressions(value: object) -> list[str]:
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [found for part in parts for found in expressions(part)]
    text = str(value).strip()
    return [text[2:-2]] if text.startswith("{%") else []


BACKFILL = DEFINITION.with_name("backfill.asl.yaml")
PARTS = (
    *("lhs", "rhs", "arguments", "expressions", "body", "condition", "then", "_else"),
    *("procedure", "expression", "expr", "lhs_object", "rhs_object"),
)
WITHIN = ("predicate", "stages", "terms", "group")


def names_of_nothing(node: Any, *, within: bool = False) -> list[str]:
    """Return the names that an expression reads in no object: neither a variable's nor a step's."""
    if isinstance(node, list | tuple):
        return [name for part in node for name in names_of_nothing(part, within=within)]
    if not isinstance(node, jsonata.parser.Parser.Symbol):
        return []
    found = [str(node.value)] if node.type == "name" and not within else []
    first, *later = node.steps or [None]
    found += names_of_nothing(first, within=within) + names_of_nothing(later, within=True)
    for part in PARTS:
        found += names_of_nothing(getattr(node, part), within=within)
    for part in WITHIN:
        found += names_of_nothing(getattr(node, part), within=True)
    return found


@pytest.mark.parametrize("file", [DEFINITION, BACKFILL], ids=lambda file: file.name)
def test_every_expression_is_one_that_aws_takes(file: Path) -> None:
    """AWS creates no machine with a name of nothing: https://github.com/floci-io/floci/issues/2670."""
    found = expressions(yaml.safe_load(re.sub(r"\$\{\w+\}", "25", file.read_text())))
    assert len(found) > 15
    for expression in found:
        assert not names_of_nothing(jsonata.Jsonata(expression).ast), expression
        assert "$$" not in expression


def test_name_of_nothing_is_seen() -> None:
    def seen(expression: str) -> list[str]:
        return names_of_nothing(jsonata.Jsonata(expression).ast)

    assert seen("($a := [phone.number, $b.c]; $a{'k': $count(d)}; function($e) { f & $e })") == [
        "phone",
        "f",
    ]
    assert not seen("$a[b = c]^(>(d = null ? -2 : d), e)[0].f.(g; $h(i))")


@pytest.mark.parametrize(
    ("key", "suffix", "asked"),
    [
        ("a.jpg", "", True),
        ("a.jpg", ".jpg", True),
        ("a.jpg", ".png", False),
        ("a/", "", False),
        ("", "", False),  # Of an empty line in a list of keys.
    ],
)
def test_backfill_leaves_out_what_is_not_asked_for_or_no_key(
    key: str, suffix: str, asked: bool
) -> None:
    text = re.sub(r": \$\{\w+\}", ": 25", BACKFILL.read_text())
    states = yaml.safe_load(text)["States"]["QuantizeEach"]["ItemProcessor"]["States"]
    program = jsonata.Jsonata(*expressions(states["CheckKey"]["Choices"]))
    program.assign("states", {"input": {"key": key, "suffix": suffix}})
    assert program.evaluate(None) is asked


def test_start_of_a_backfill_has_milliseconds() -> None:
    """AWS writes none after a whole second: https://zenn.dev/hr0k/articles/a663524f5ec88e."""
    text = re.sub(r": \$\{\w+\}", ": 25", BACKFILL.read_text())
    selector = yaml.safe_load(text)["States"]["QuantizeEach"]["ItemSelector"]
    program = jsonata.Jsonata(*expressions(selector["backfill"]["started"]))
    started = {"Execution": {"StartTime": "2026-01-01T00:00:06Z"}}
    program.assign("states", {"context": started})
    assert program.evaluate(None) == "2026-01-01T00:00:06.000Z"


def test_every_task_outlives_its_function_and_retries_alike(definition: dict[str, Any]) -> None:
    template = yaml_parse((ROOT / "template.yml").read_text())
    timeouts = {
        "Sample": template["Resources"]["SampleFunction"]["Properties"]["Timeout"],
        "ScoreK": template["Resources"]["ScoreKFunction"]["Properties"]["Timeout"],
        "Render": template["Resources"]["RenderFunction"]["Properties"]["Timeout"],
        "RecordFailure": template["Resources"]["RecordFailureFunction"]["Properties"]["Timeout"],
    }
    found = calls(definition["States"])

    assert found.keys() == timeouts.keys()
    for name, state in found.items():
        assert state["TimeoutSeconds"] > int(timeouts[name])
        assert state["Retry"] == found["Sample"]["Retry"]


def longest_history(states: dict[str, Any], iterations: int) -> int:
    """Count the events of an execution in which every task fails as often as it may."""
    events = 0
    for state in states.values():
        events += 2  # Entered and exited.
        if state["Type"] == "Task":
            attempts = 1 + sum(r["MaxAttempts"] for r in state.get("Retry", ()))
            events += 3 * attempts  # Scheduled, started, failed.
        elif state["Type"] == "Map":
            # Started and succeeded, as is each iteration.
            inner = longest_history(state["ItemProcessor"]["States"], iterations)
            events += 2 + iterations * (2 + inner)
    return events


def test_no_path_fills_the_history(definition: dict[str, Any]) -> None:
    # Started, ended. An execution may have 25,000 events; an upload may ask for MAX_SIZES.
    assert 2 + longest_history(definition["States"], MAX_SIZES) <= 25_000


def test_waiting_calls_outlast_the_machine(definition: dict[str, Any]) -> None:
    machine = yaml_parse((ROOT / "template.yml").read_text())["Resources"]["QuantizeStateMachine"]
    limit = int(machine["Properties"]["DefinitionSubstitutions"]["TimeLimit"])
    for task in calls(definition["States"]).values():
        (retrier,) = (
            r for r in task["Retry"] if "Lambda.TooManyRequestsException" in r["ErrorEquals"]
        )
        waits = [
            min(
                retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier["MaxDelaySeconds"]
            )
            for n in range(retrier["MaxAttempts"])
        ]
        # With full jitter half of that on average, give or take a tenth.
        assert sum(waits) / 2 > 1.5 * limit


@pytest.mark.parametrize("missing", ["version-id", "sequencer"])
def test_event_that_lacks_what_names_the_upload_reaches_sample(
    definition: dict[str, Any], missing: str
) -> None:
    event = json.loads(json.dumps(EVENT))
    del event["detail"]["object"][missing]
    upload = definition["States"]["Sample"]["Arguments"]["Payload"]["upload"]
    frame = {"states": {"input": event}}
    given = {field: evaluated(text, frame) for field, text in upload.items()}

    assert given[missing.replace("-", "_")] == ""


@pytest.mark.parametrize(
    ("state", "at_once"), [({"RetryCount": 0}, 25), ({"RetryCount": 3}, 1), ({}, 25)]
)
def test_upload_that_waited_for_its_turn_scores_one_k_at_a_time(
    definition: dict[str, Any], state: dict[str, int], at_once: int
) -> None:
    text = definition["States"]["Sample"]["Assign"]["map_concurrency"]
    assert evaluated(text, {"states": {"context": {"State": state}}}) == at_once


def evaluated(text: str, frame: dict[str, Any]) -> object:
    expression = jsonata.Jsonata(
        text.removeprefix("{%").removesuffix("%}").replace("${MapConcurrency}", "25")
    )
    bindings = expression.create_frame()
    for name, value in frame.items():
        bindings.bind(name, value)
    return expression.evaluate(None, bindings)


def test_every_refusal_is_caught_by_name(definition: dict[str, Any]) -> None:
    own = {definition["States"]["ReportNoScores"]["Output"]["Error"]}
    for name in ("Sample", "Render"):
        (catch,) = definition["States"][name]["Catch"]
        assert set(catch["ErrorEquals"]) | own == errors.REFUSALS.keys()
