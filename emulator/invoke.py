"""Invoke one function in a container with sam, against the local engine.

    python -m emulator.invoke SampleFunction|ScoreKFunction|RenderFunction [OPTION OF sam ...]

It is sent its file in events/, with the variables of env.json (`make events` records both). A
container has a network of its own, where 127.0.0.1 is itself, whatever `--docker-network` says.
So what it sends to the network's gateway is passed on to the engine.
"""

import argparse
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException

from emulator import engine
from emulator.deploy import ARCHITECTURE, SAM, DeployError, build
from emulator.engine import HOST, ROOT

EVENTS = {
    "SampleFunction": ROOT / "events/sample.json",
    "ScoreKFunction": ROOT / "events/score_k.json",
    "RenderFunction": ROOT / "events/render.json",
}

IMAGE = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"
IP_FREEBIND = 15  # ip(7): an address may be bound before this machine has it


def invoke(function: str, event: Path, variables: Path, options: list[str]) -> str:
    """Return what the function answers, as JSON.

    Parameters
    ----------
    function : str
        Logical id in the template.
    event, variables : Path
        JSON files as sam takes them; the variables name the engine as AWS_ENDPOINT_URL_S3.
    options : list of str
        Further options of ``sam local invoke``.

    Raises
    ------
    engine.EngineError
        If that engine does not run.
    DeployError
        If sam cannot build.
    DockerException
        If no container engine answers.
    subprocess.CalledProcessError
        If sam fails, which says why.
    """
    values = json.loads(variables.read_text())
    port = urlsplit(values["Parameters"]["AWS_ENDPOINT_URL_S3"]).port or 80
    if not engine.is_running(port):
        raise engine.EngineError(
            f"no engine runs on port {port}, which {variables.name} names;"
            " `make run` starts one, `make events` records it"
        )
    with contextlib.closing(docker.from_env()) as client:
        network = client.networks.get("bridge")
        gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
        if client.images.list(name=IMAGE):
            options = ["--skip-pull-image", *options]
    with relay(gateway, port) as address, tempfile.TemporaryDirectory() as folder:
        values["Parameters"]["AWS_ENDPOINT_URL_S3"] = f"http://{address}"
        seen_from_inside = Path(folder) / "env.json"
        seen_from_inside.write_text(json.dumps(values))
        template = build(ARCHITECTURE) / "template.yaml"
        command: list[str | Path] = [SAM, "local", "invoke", function, "--template", template]
        command += ["--parameter-overrides", f"Architecture={ARCHITECTURE}"]
        command += ["--event", event, "--env-vars", seen_from_inside, *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


@contextlib.contextmanager
def relay(address: str, port: int) -> Iterator[str]:
    """Pass connections to a free port of the address on to a port of 127.0.0.1; yield the first."""
    with socket.socket() as server:
        # podman gives the address to this machine once a container runs.
        server.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        server.bind((address, 0))
        server.listen()
        threading.Thread(target=_accept, args=(server, port), daemon=True).start()
        yield f"{address}:{server.getsockname()[1]}"


def _accept(server: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError):  # the server was closed: there is nobody left to serve
        while True:
            outside, _ = server.accept()
            inside = socket.create_connection((HOST, port))
            for source, target in ((outside, inside), (inside, outside)):
                threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with source.makefile("rb", buffering=0) as reader, target.makefile("wb", buffering=0) as writer:
        shutil.copyfileobj(reader, writer)
    target.shutdown(socket.SHUT_WR)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m emulator.invoke", description=__doc__)
    parser.add_argument("function", choices=EVENTS)
    arguments, options = parser.parse_known_args()
    try:
        print(invoke(arguments.function, EVENTS[arguments.function], ROOT / "env.json", options))
    except DockerException as error:
        sys.exit(f"no container engine answers; start one, or emulator/podman/serve ({error})")
    except (engine.EngineError, DeployError) as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # sam has said why


if __name__ == "__main__":
    main()
