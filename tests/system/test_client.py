"""The command line on the whole service: what it prints, its exit codes, and going on."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from emulator import engine
from emulator.engine import ROOT
from quantization.contract import Result
from quantization.palette_files import palette_file
from quantization_client.journal import FOLDER
from quantization_client.stack import Stack
from tests.support.fixtures import Command, PngMaker
from tests.system.conftest import QUANTIZE

LIMIT_SECONDS = 60
AMOUNT = 5


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def images(tmp_path: Path, make_png: PngMaker) -> Path:
    """Return a folder of images that no other test uploads, quick for having nine colors."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(AMOUNT):
        pixels = rng.choice(rng.integers(0, 256, (9, 3)), (40, 40))
        (folder / f"{tmp_path.name}-{number}.png").write_bytes(make_png(pixels))
    return folder


@pytest.fixture
def executions_of(stack: Stack) -> Callable[[set[str]], list[str]]:
    """List the executions that images of these names started."""

    def find(names: set[str]) -> list[str]:
        found = []
        for page in stack.states.get_paginator("list_executions").paginate(
            stateMachineArn=stack.state_machine
        ):
            for execution in page["executions"]:
                arn = execution["executionArn"]
                described = stack.states.describe_execution(executionArn=arn)
                match json.loads(described["input"]):
                    case {"detail": {"object": {"key": key}}} if key in names:
                        found.append(arn)
        return found

    return find


def test_json_tells_scripts_everything(quantize: Command, photo: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")

    done = quantize(photo, bad, "--out", tmp_path / "out", "--json")

    assert done.returncode == 1
    good, failed = sorted(lines(done.stdout), key=lambda line: line["status"])
    result = json.loads((tmp_path / "out/china.json").read_text())
    assert good == {
        "image": str(photo),
        "status": "done",
        "execution": result["execution"],
        "seconds": good["seconds"],
        "k": result["k"],
        "criterion": result["options"]["criterion"],
        "frames": 1,
        "picks": result["picks"],
        "silhouette_at": result["silhouette_at"],
        "palette": result["palette"],
        "source_bytes": result["source_file"]["bytes"],
        "bytes": result["image_file"]["bytes"],
        "files": good["files"],
    }
    assert good["seconds"] > 0
    assert good["files"]["image"] == str(tmp_path / "out/china.png")
    assert all(Path(path).stat().st_size for path in good["files"].values())
    assert failed["image"] == str(bad)
    assert failed["status"] == "failed"
    assert failed["error"].startswith("UnsupportedImage: this is a text")
    assert failed["execution"] != good["execution"]


def test_people_are_told_in_words(quantize: Command, photo: Path, tmp_path: Path) -> None:
    done = quantize(photo, "--out", tmp_path)

    first, figures, palette, *_ = done.stdout.splitlines()
    result = json.loads((tmp_path / "china.json").read_text())
    assert first == f"china.jpg → {tmp_path / 'china.html'}"
    assert figures.split()[:2] == [str(result["k"]), "colors"]
    assert palette.split()[0] == result["palette"][0]["color"]
    assert "would take" in done.stdout
    assert "aws " not in done.stdout + done.stderr
    assert not (tmp_path / FOLDER).exists()


def test_standard_streams_carry_the_image(quantize: Command, photo: Path, engine_port: int) -> None:
    command = [*QUANTIZE, "-", "--out", "-", "--k", "4", "--port", str(engine_port)]
    done = subprocess.run(
        command, cwd=ROOT, input=photo.read_bytes(), capture_output=True, check=True
    )

    image = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert len(np.unique(image.reshape(-1, 3), axis=0)) == 4
    assert done.stderr.decode().startswith("stdin\n")


def test_another_palette_is_taken_without_another_fit(
    quantize: Command, photo: Path, stack: Stack, tmp_path: Path
) -> None:
    quantize(photo, "--out", tmp_path)
    first = msgspec.json.decode((tmp_path / "china.json").read_bytes(), type=Result)

    done = quantize("--again", tmp_path / "china.json", "--k", "12", "--json")

    assert done.returncode == 0, done.stderr
    (line,) = lines(done.stdout)
    history = stack.states.get_execution_history(executionArn=line["execution"])
    entered = [event.get("stateEnteredEventDetails", {}).get("name") for event in history["events"]]
    assert [name for name in entered if name] == ["CheckInput", "TakeResult", "Render"]
    image = cv2.imread(line["files"]["image"])
    assert image is not None
    assert len(np.unique(image.reshape(-1, 3), axis=0)) == 12
    # What others find in the bucket is the new one.
    body = stack.s3.get_object(Bucket=stack.output_bucket, Key="china.json")["Body"].read()
    second = msgspec.json.decode(body, type=Result)
    assert (second.k, second.scores) == (12, first.scores)
    assert second.source.version_id == first.source.version_id


def test_exactly_so_many_colors_with_their_palettes(
    quantize: Command, photo: Path, tmp_path: Path
) -> None:
    options = ["--k-min", "16", "--k-max", "16", "--palettes", "gpl,css"]
    done = quantize(photo, "--out", tmp_path, "--json", *options)

    (line,) = lines(done.stdout)
    result = msgspec.json.decode((tmp_path / "china.json").read_bytes(), type=Result)
    assert (line["k"], len(result.palette), result.options.k_max) == (16, 16, 16)
    (score,) = result.scores
    assert score.silhouette is not None
    assert score.silhouette > 0
    assert result.silhouette_at != "edge"
    for name in ("gpl", "css"):
        assert line["files"][name] == str(tmp_path / f"china.{name}")
        assert (tmp_path / f"china.{name}").read_bytes() == palette_file(result, name)
    assert not (tmp_path / "china.ase").exists()


def start(engine_port: int, *arguments: object) -> subprocess.Popen[str]:
    command = [*QUANTIZE, *map(str, arguments), "--port", str(engine_port), "--json"]
    # A job in the background of a shell ignores SIGINT, and so would all that it starts.
    command = ["env", "--default-signal=INT", *command]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_interrupted_after_the_upload_it_finds_its_executions(
    engine_port: int,
    quantize: Command,
    images: Path,
    executions_of: Callable[[set[str]], list[str]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    first = start(engine_port, images, "--out", out)
    deadline = time.monotonic() + LIMIT_SECONDS
    while len(list(out.glob(f"{FOLDER}/*.json"))) < AMOUNT:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    before, stderr = first.communicate(timeout=LIMIT_SECONDS)
    assert first.returncode == 130
    assert "interrupted" in stderr

    done = quantize(images, "--out", out, "--json")

    assert done.returncode == 0, done.stderr
    names = {path.name for path in images.iterdir()}
    reported = lines(before) + lines(done.stdout)
    assert sorted(Path(line["image"]).name for line in reported) == sorted(names)
    assert sorted(line["execution"] for line in reported) == sorted(executions_of(names))
    assert {path.stem for path in out.glob("*.png")} == {Path(name).stem for name in names}
    assert not (out / FOLDER).exists()


def test_interrupted_half_way_it_leaves_out_what_was_done(
    engine_port: int,
    quantize: Command,
    images: Path,
    executions_of: Callable[[set[str]], list[str]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    first = start(engine_port, images, "--out", out)
    assert first.stdout is not None
    done_first = [json.loads(first.stdout.readline())]
    first.send_signal(signal.SIGINT)
    rest, _ = first.communicate(timeout=LIMIT_SECONDS)
    done_first += lines(rest)
    assert first.returncode == 130

    done = quantize(images, "--out", out, "--json")

    assert done.returncode == 0, done.stderr
    names = {path.name for path in images.iterdir()}
    reported = [line["image"] for line in done_first + lines(done.stdout)]
    assert sorted(reported) == sorted(str(images / name) for name in names)
    assert len(executions_of(names)) == len(names)

    again = quantize(images, "--out", out, "--json")
    assert len(lines(again.stdout)) == len(names)
    assert len(executions_of(names)) == 2 * len(names)


def test_changed_file_and_lost_upload_are_uploaded_again(
    engine_port: int,
    quantize: Command,
    images: Path,
    stack: Stack,
    executions_of: Callable[[set[str]], list[str]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    changed, lost, *others = sorted(images.iterdir())
    for path in others:
        path.unlink()
    first = start(engine_port, images, "--out", out)
    deadline = time.monotonic() + LIMIT_SECONDS
    while len(list(out.glob(f"{FOLDER}/*.json"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    first.communicate()
    os.utime(changed)
    entry = json.loads((out / FOLDER / f"{lost.name}.json").read_text())
    stack.s3.delete_object(Bucket=stack.input_bucket, Key=lost.name, VersionId=entry["version_id"])

    assert quantize(images, "--out", out).returncode == 0

    assert len(executions_of({changed.name, lost.name})) == 4


@pytest.mark.usefixtures("stack")
def test_stack_is_found_by_name(engine_port: int, tmp_path: Path, photo: Path) -> None:
    environment = os.environ | engine.aws_environment(engine.endpoint(engine_port))
    command = ["quantize", str(photo), "--out", str(tmp_path), "--stack"]

    found = subprocess.run([*command, engine.STACK_NAME], env=environment, check=False)
    absent = subprocess.run(
        [*command, "none"], env=environment, check=False, stderr=subprocess.PIPE, text=True
    )

    assert found.returncode == 0
    assert (tmp_path / "china.png").exists()
    assert absent.returncode == 3
    assert "no stack named 'none'" in absent.stderr


def test_unreachable_service_has_an_exit_code(tmp_path: Path, photo: Path) -> None:
    environment = (
        os.environ | engine.aws_environment(engine.endpoint(9)) | {"AWS_MAX_ATTEMPTS": "1"}
    )
    done = subprocess.run(
        ["quantize", str(photo), "--out", str(tmp_path), "--stack", "any"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3
    assert "Could not connect" in done.stderr
