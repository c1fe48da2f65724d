"""Patches in Lambda: how Python functions are unpacked, started and run."""

import io
import json
import os
import threading
import zipfile
from contextlib import nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc

from emulator.engine import unpacked
from emulator.environments import Environment, Function, Invocation, Pool
from emulator.patches.patching import patch

STATE = Path(os.environ["ENGINE_STATE"])
RUNTIME = Path(os.environ["ENGINE_RUNTIME"])
ENDPOINT = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"

# Two a core keeps the cores busy while others wait for S3. Four times as many may stand by, so
# that every function of a stack stays warm.
RUNNING = 2 * (os.cpu_count() or 1)
pool = Pool(running=RUNNING, idle=4 * RUNNING)

# Whether whoever invokes a function from this context has waited for its turn already.
has_turn: ContextVar[bool] = ContextVar("has_turn", default=False)

_unpacking = threading.Lock()


@patch(lambda_svc, "_execute_function_warm", "func, event, request_id")
def python_runs_under_the_aws_runtime_client(
    stock: Any, func: dict[str, Any], event: object, request_id: str
) -> Any:
    """Run Python functions under awslambdaric, in a process that is shared with nothing.

    AWS: an error's type is the class of the exception, so Retry and Catch can name it; a timeout is
    Sandbox.Timedout, a killed process Runtime.ExitError. /var/task comes before /opt.
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    Stock: every error is Runtime.HandlerError; layers come before the function, and the engine's
    own packages are importable; each environment unpacks all layers again, without bound.
    """
    config = func["config"]
    if not config["Runtime"].startswith("python"):
        return stock(func, event, request_id)
    invocation = Invocation(
        request_id,
        json.dumps(event).encode(),
        config["FunctionArn"],
        lambda_svc._xray_trace_id_for_invocation(config),
    )

    def begin() -> Environment:
        return Environment(RUNTIME, _function(func), STATE / "tmp")

    with (
        nullcontext() if has_turn.get() else pool.turn,
        pool.lease(config["FunctionArn"], _revision(config), begin) as environment,
    ):
        outcome = environment.invoke(invocation)
    body = json.loads(outcome.payload)
    return {"body": body, "error": outcome.failed, "log": outcome.log}


@patch(lambda_svc, "_throttle_response", "reason_code, msg, retry_after")
def throttling_has_an_error_type(stock: Any, *arguments: Any, **more: Any) -> Any:
    """Name the error that a throttled invocation is for Step Functions.

    AWS: it is Lambda.TooManyRequestsException, so that Retry can name it.
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    Stock: it is Lambda.Unknown.
    """
    throttled = stock(*arguments, **more)
    return throttled | {
        "body": throttled["body"] | {"errorType": "Lambda.TooManyRequestsException"}
    }


def _revision(config: dict[str, Any]) -> str:
    """Return what tells environments of one configuration of a function from those of another."""
    fields = ("CodeSha256", "Handler", "Environment", "Layers", "MemorySize", "Timeout", "Role")
    return json.dumps([config.get(field) for field in fields], sort_keys=True)


def _function(func: dict[str, Any]) -> Function:
    config = func["config"]
    layers = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or []]
    return Function(
        handler=config["Handler"],
        task=_unpacked(func["code_zip"]),
        layers=tuple(_unpacked(layer) for layer in reversed(layers) if layer),
        variables=_variables(config),
        timeout=config["Timeout"],
    )


def _variables(config: dict[str, Any]) -> dict[str, str]:
    """Return the variables that Lambda sets, and those of the function.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    region = config["FunctionArn"].split(":")[3]
    name = config["FunctionName"]
    logging = config.get("LoggingConfig") or {}
    return {
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        # An environment has about one core's share; more threads only get in each other's way.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **lambda_svc._runtime_env_vars(config),
        **lambda_svc.execution_credentials(config),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": config["Version"],
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup", f"/aws/lambda/{name}"),
        "AWS_LAMBDA_LOG_STREAM_NAME": f"[{config['Version']}]local",
        "_HANDLER": config["Handler"],
    }


def _unpacked(archive: bytes) -> Path:
    """Unpack a function or a layer, unless it was, or `emulator.layers` has put it there."""
    directory = unpacked(STATE, archive)
    with _unpacking:
        if not directory.exists():
            partial = directory.with_suffix(".partial")
            partial.mkdir(parents=True)
            with zipfile.ZipFile(io.BytesIO(archive)) as file:
                lambda_svc._extract_zip_preserving_mode(file, partial)
            partial.rename(directory)
    return directory
