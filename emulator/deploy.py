"""Build the project and deploy it to the local engine, both with sam, unless that was done before.

python -m emulator.deploy [--port PORT]
"""

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from samcli.yamlhelper import yaml_dump, yaml_parse

from emulator import engine, layers

SOURCES = (
    *("template.yml", "statemachine", "functions", "layers", "src/quantization"),
    *("emulator/deploy.py", "emulator/layers.py"),  # They make of sam's build what is deployed.
)
ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
"""Of this machine, in AWS's words: the engine runs the functions natively."""

BUILDS = engine.ROOT / ".aws-sam"

TEMPLATE = "template.yaml"
"""What sam calls the template of a build."""

LINKED = "linked.json"
"""The template of a build that is deployed to the engine, where the layers are already."""

PACKAGES = "packages"
"""The bucket on the engine to which sam uploads what it deploys."""

SAM = Path(sys.executable).with_name("sam")
"""That of this project, whatever else is on the path."""


class DeployError(Exception):
    """sam could not build or deploy, or a file could not be written."""


@contextmanager
def files_are_written() -> Iterator[None]:
    """Tell of a file that cannot be written, as on a full disk.

    Raises
    ------
    DeployError

    """
    try:
        yield
    except OSError as error:
        # Of a folder that is copied, it has an error for each file: what, where to, and why.
        why = error.args[0][0][2] if isinstance(error, shutil.Error) else error
        raise DeployError(str(why)) from error


@files_are_written()
def deploy(port: int, parameters: dict[str, str] | None = None) -> dict[str, str]:
    """Start the engine while this tree is built, and bring its stack up on the engine.

    Parameters
    ----------
    port : int
        Port of the engine.
    parameters : dict, optional
        Template parameters that differ from their defaults.

    Returns
    -------
    environment : dict
        What points the AWS tools at the engine.

    Raises
    ------
    DeployError, engine.EngineError

    """
    if not engine.is_running(port):
        # Otherwise this would be told only after the build.
        engine.check_port_is_free(port, engine.PORT_VARIABLE)
    with ThreadPoolExecutor(max_workers=1) as aside, one_at_a_time():
        starting = aside.submit(engine.start, port)
        folder = _build(ARCHITECTURE)
        environment = engine.aws_environment(starting.result())
        _deploy(port, folder, environment, parameters or {})
    return environment


def _deploy(
    port: int, build: Path, environment: Mapping[str, str], parameters: Mapping[str, str]
) -> None:
    overrides = {"Architecture": ARCHITECTURE, **parameters}
    deployed = engine.state_directory(port) / "deployed"
    fingerprint = _fingerprint(overrides)
    if deployed.exists() and deployed.read_text() == fingerprint:
        return

    deployed.unlink(missing_ok=True)
    layers.hand_over(build, port)
    # --resolve-s3 deploys a stack of its own first: cut short there, it never works again.
    engine.clients(port)("s3").create_bucket(Bucket=PACKAGES)
    _sam(
        *("deploy", "--template-file", str(build / LINKED), "--stack-name", engine.STACK_NAME),
        *("--s3-bucket", PACKAGES, "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"),
        *("--no-fail-on-empty-changeset", "--region", environment["AWS_REGION"]),
        *("--parameter-overrides", *as_sam_takes_them(overrides)),
        environment=environment,
    )
    deployed.write_text(fingerprint)


def as_sam_takes_them(parameters: Mapping[str, str]) -> list[str]:
    """Return what sam's --parameter-overrides reads parameters in; empty values only in quotes."""
    return [f'{name}="{value}"' for name, value in parameters.items()]


@files_are_written()
def build(architecture: str) -> Path:
    """Bring the build of this tree for one processor up to date, which takes seconds where it is.

    What was built for one processor cannot be deployed for the other: no function would start.

    Returns
    -------
    folder : Path
        Holds `TEMPLATE`, and what becomes of functions and layers by their logical ids.

    Raises
    ------
    DeployError

    """
    with one_at_a_time():
        return _build(architecture)


def _build(architecture: str) -> Path:
    folder = BUILDS / architecture
    built, fingerprint = folder / "built", _fingerprint({"Architecture": architecture})
    if built.exists() and built.read_text() == fingerprint:
        return folder / "build"

    folder.mkdir(exist_ok=True)
    built.unlink(missing_ok=True)
    _sam(
        *("build", "--cached", "--parallel"),
        *("--parameter-overrides", f"Architecture={architecture}"),
        *("--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache")),
    )
    _finish(folder, architecture)
    built.write_text(fingerprint)
    return folder / "build"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let no two commands build, nor deploy: the second one waits, and then finds it done."""
    BUILDS.mkdir(exist_ok=True)
    directory = os.open(BUILDS, os.O_RDONLY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another command that builds or deploys …", file=sys.stderr)
            fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _finish(folder: Path, architecture: str) -> None:
    """Let a built template have one architecture only, and prepare the layers for the engine.

    Whatever a deployment asks for, what was built for one processor is of no use on the other.
    """
    build = folder / "build"
    template = build / TEMPLATE
    content = yaml_parse(template.read_text())
    content["Parameters"]["Architecture"] |= {
        "Default": architecture,
        "AllowedValues": [architecture],
    }
    template.write_text(yaml_dump(content))
    layers.share_with_cache(build, folder / "cache")
    write_template(build, LINKED, layers.stand_in)


def write_template(build: Path, name: str, pack: Callable[[Path], Path]) -> None:
    """Write a built template that names, instead of each layer's folder, what it is packed into.

    It is JSON, which sam reads a hundred times as fast as YAML; a deployment reads it seven times.
    """
    content = yaml_parse((build / TEMPLATE).read_text())
    for resource in content["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            layer = build / resource["Properties"]["ContentUri"]
            resource["Properties"]["ContentUri"] = pack(layer).name
    (build / name).write_text(json.dumps(content, indent=1))


def _sam(*arguments: str, environment: Mapping[str, str] | None = None) -> None:
    command = f"sam {arguments[0]}"
    print(f"{command} …", file=sys.stderr, flush=True)
    # The builds call Python and uv.
    tools = [SAM.parent, engine.ROOT / ".tools/uv/bin", os.environ["PATH"]]
    log = BUILDS / f"{arguments[0]}.log"
    with log.open("w+") as output:
        done = subprocess.run(
            [SAM, *arguments],
            cwd=engine.ROOT,
            env={
                **os.environ,
                **(environment or {}),
                "PATH": os.pathsep.join(map(str, tools)),
                "SAM_CLI_TELEMETRY": "0",
                "SAM_CLI_POLL_DELAY": "1",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            output.seek(0)
            raise DeployError(f"{command} failed: {_cause(output.read())}; all it said: {log}")


def _cause(output: str) -> str:
    """Return the line in which sam says why it failed; below it, it advertises itself."""
    lines = [line for line in output.splitlines() if line.strip()]
    causes = [line for line in lines if "Error" in line]
    return (causes or lines or ["it said nothing"])[-1].strip()


def _fingerprint(overrides: dict[str, str]) -> str:
    """Hash everything that a deployment depends on."""
    digest = hashlib.sha256(repr(sorted(overrides.items())).encode())
    for path in _source_files():
        digest.update(str(path.relative_to(engine.ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for source in SOURCES:
        path = engine.ROOT / source
        found = path.rglob("*") if path.is_dir() else [path]
        yield from sorted(f for f in found if f.is_file() and f.suffix != ".pyc")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m emulator.deploy", description=__doc__)
    engine.add_port(parser)
    try:
        deploy(parser.parse_args().port)
    except (DeployError, engine.EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
