"""`sam local invoke` of each function with its recorded event, against the engine's buckets.

Skipped where no container engine answers: `emulator/podman/serve` starts one.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import engine
from emulator.invoke import EVENTS, invoke
from tests.support.fixtures import Aws

BUCKETS = {"WORK_BUCKET": "invokedwork", "OUTPUT_BUCKET": "invokedoutput"}


@pytest.fixture(scope="module")
def container_engine() -> None:
    """A container engine that answers, or the test is skipped."""
    # In a process of its own, for docker leaves a socket open that could not connect.
    ping = [sys.executable, "-c", "import docker; docker.from_env().ping()"]
    if subprocess.run(ping, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no container engine answers, so no function was invoked in a container")


@pytest.fixture
def invoked(container_engine: str, engine_port: int, tmp_path: Path) -> Callable[..., Any]:
    """Invoke a function with its recorded event, but for what is given; return its answer."""
    variables = tmp_path / "env.json"
    parameters = BUCKETS | {"AWS_ENDPOINT_URL_S3": engine.endpoint(engine_port)}
    variables.write_text(json.dumps({"Parameters": parameters}))

    def call(function: str, **changes: Any) -> Any:
        event = tmp_path / "event.json"
        event.write_text(json.dumps(json.loads(EVENTS[function].read_text()) | changes))
        return json.loads(invoke(function, event, variables, []))

    return call


def test_each_function_does_its_part_in_a_container(
    invoked: Callable[..., Any], aws: Aws, photo: Path
) -> None:
    s3 = aws("s3")
    for bucket in ("invokedinput", *BUCKETS.values()):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    there = s3.put_object(Bucket="invokedinput", Key="china.jpg", Body=photo.read_bytes())
    upload = {"bucket": "invokedinput", "key": "china.jpg", "version_id": there["VersionId"]}
    upload |= {"etag": there["ETag"].strip('"'), "sequencer": "0A"}

    sampled = invoked("SampleFunction", upload=upload)
    assert sampled["ks"] == list(range(8, 33))
    scored = invoked("ScoreKFunction", summary=sampled["summary"])
    rendered = invoked("RenderFunction", source=sampled["source"], palette=scored["palette"])

    where = {name[0].upper() + name[1:]: value for name, value in rendered["result"].items()}
    result = json.load(s3.get_object(**where)["Body"])
    assert {swatch["color"] for swatch in result["palette"]} == set(scored["palette"])
