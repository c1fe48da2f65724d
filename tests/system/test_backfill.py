"""What is in the bucket already, quantized by a backfill while uploads go on."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from quantization_client.stack import Stack
from tests.support.fixtures import Command, ImageMaker
from tests.support.service import Service, until

GOOD, BROKEN = 10, 2


@pytest.fixture
def folder(stack: Stack, service: Service, name: str, image: ImageMaker) -> str:
    """Put images into the bucket, some of them broken, and what is none: a folder, a palette."""
    with service.before_the_stack():
        for number in range(GOOD + BROKEN):
            body = image(number) if number < GOOD else b"none"
            stack.s3.put_object(Bucket=stack.input_bucket, Key=f"{name}/{number}.png", Body=body)
        stack.s3.put_object(Bucket=stack.input_bucket, Key=f"{name}/", Body=b"")
        stack.s3.put_object(Bucket=stack.input_bucket, Key=f"{name}/brand.hex", Body=b"000000")
    return f"{name}/"


def outcomes_of(finished: subprocess.CompletedProcess[str]) -> Counter[str]:
    return Counter(json.loads(finished.stdout)["outcomes"])


def test_every_object_is_accounted_for_and_none_is_done_twice(
    stack: Stack, quantize: Command, folder: str, service: Service
) -> None:
    tolerant = ["--tolerated-failures", "50", "--json"]
    machine = stack.backfills["prefix"]

    # Stopped when some are done...
    started = stack.states.start_execution(
        stateMachineArn=machine,
        input=json.dumps(
            {"prefix": folder, "max_concurrency": 2, "tolerated_failure_percentage": 50}
        ),
    )
    until(lambda: len(service.result_versions(folder)) >= 2 or None)
    service.stop_backfill(started["executionArn"])
    done = len(service.result_versions(folder))

    # ...it is started again,
    again = quantize("--bucket-prefix", folder, *tolerant)
    assert again.returncode == 1, again.stderr
    assert outcomes_of(again) == {
        "quantized": GOOD - done,
        "up to date": done,
        "UnsupportedImage": BROKEN,
        "left out": 2,
    }
    versions = service.result_versions(folder)
    assert len(versions) == GOOD
    assert set(versions.values()) == {1}
    for number in range(GOOD, GOOD + BROKEN):
        assert service.read(f"{folder}{number}.png.error.json")["error"] == "UnsupportedImage"

    # an upload is done by itself, before a third one,
    newer = service.upload(f"{folder}0.png", b"none")
    assert service.ended(newer)["status"] == "FAILED"
    # which other options make due.
    third = quantize(
        "--bucket-prefix", folder, "--suffix", "1.png", "--dither", "ordered", *tolerant
    )
    assert outcomes_of(third) == {
        "quantized": 1,
        "UnsupportedImage": 1,
        "left out": GOOD + BROKEN,
    }
    result = service.read(f"{folder}1.json")
    assert result["options"]["dither"] == "ordered"
    assert result["source"]["backfill"]["replaces"] == result["source"]["version_id"]


def test_too_many_failures_end_it(quantize: Command, folder: str) -> None:
    failed = quantize("--bucket-prefix", folder, "--tolerated-failures", "1", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["status"] == "FAILED"


def test_keys_may_come_from_a_list(quantize: Command, folder: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{folder}3.png\n{folder}none-such.png\n")
    assert outcomes_of(quantize("--bucket-list", keys, "--json")) == {"quantized": 1, "gone": 1}
