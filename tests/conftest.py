"""What every test stands on: the functions' environment, AWS in memory, and images."""

import itertools
import os
import socket
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

from mypy_boto3_s3 import S3Client
from numpy.typing import ArrayLike
from selenium.webdriver import Chrome

from tests.support.fixtures import Aws, PngMaker, Uploader
from tests.support.pages import open_browser

os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    VIPS_CONCURRENCY="1",
    POWERTOOLS_METRICS_NAMESPACE="Test",
    POWERTOOLS_SERVICE_NAME="test",
    WORK_BUCKET="work",
    OUTPUT_BUCKET="output",
    MAX_MEGAPIXELS="1",
    MAX_MEGABYTES="1",
    SAMPLE_SIZE="2048",
    WHOLE_IMAGE="true",
    DEFAULT_K_MIN="8",
    DEFAULT_K_MAX="32",
    DEFAULT_CRITERION="silhouette",
    DEFAULT_ERROR_BUDGET="2",
)

import boto3
import cv2
import numpy as np
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from hypothesis import settings
from moto import mock_aws  # before any handler makes its S3 client

from emulator import engine
from quantization.contract import Upload

TESTS = Path(__file__).parent

# No test is of speed, least of all on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=10)
settings.load_profile("untimed")

SLOW = {"artifact", "browser", "container", "emulator", "system"}
"""Folders of tests that start an engine or a browser, or build; `make check` does without them."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in the `SLOW` folders, and others that take the engine.

    All tests of the deployed stack go to one worker: to deploy it twice takes longer than they do.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "engine_port" in fixtures or item.path.relative_to(TESTS).parts[0] in SLOW:
            item.add_marker("slow")
        item.add_marker(pytest.mark.xdist_group("stack" if "stack" in fixtures else item.path.stem))


EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:quantize:first"


@pytest.fixture(scope="session")
def photo() -> Path:
    """Return the photo of a Chinese temple that scikit-learn ships."""
    return Path(str(files("sklearn.datasets.images").joinpath("china.jpg")))


@pytest.fixture(scope="session")
def s3_client() -> S3Client:
    """Return a client, which takes longer to make than most tests do."""
    with mock_aws():
        return boto3.client("s3")


@pytest.fixture
def s3(s3_client: S3Client) -> Iterator[S3Client]:
    """S3 in memory, with the three buckets."""
    with mock_aws():
        for bucket in ("input", "work", "output"):
            s3_client.create_bucket(Bucket=bucket)
        for bucket in ("input", "output"):
            s3_client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        yield s3_client


@pytest.fixture
def upload(s3: S3Client) -> Uploader:
    """Upload bytes to the input bucket; return what S3's event says of them."""
    sequencers = itertools.count(1)

    def put(key: str, body: bytes, **metadata: str) -> Upload:
        answer = s3.put_object(Bucket="input", Key=key, Body=body, Metadata=metadata)
        etag = answer["ETag"].strip('"')
        return Upload("input", key, answer["VersionId"], etag, f"{next(sequencers):016X}")

    return put


@pytest.fixture(scope="session")
def make_png() -> PngMaker:
    """Encode an RGB array as a PNG file."""

    def encode(rgb: ArrayLike) -> bytes:
        _, png = cv2.imencode(".png", cv2.cvtColor(np.asarray(rgb, np.uint8), cv2.COLOR_RGB2BGR))
        return png.tobytes()

    return encode


@pytest.fixture
def context() -> LambdaContext:
    """Return what Powertools reads of Lambda's context object."""
    context = LambdaContext()
    context._function_name = "test"
    context._memory_limit_in_mb = 128
    context._invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    context._aws_request_id = "00000000-0000-0000-0000-000000000000"
    return context


@pytest.fixture(scope="session")
def engine_port() -> Iterator[int]:
    """Run a local engine for the tests alone; return its port."""
    with socket.socket() as probe:
        probe.bind((engine.HOST, 0))
        port = probe.getsockname()[1]
    engine.start(port)
    yield port
    engine.stop(port)


@pytest.fixture(scope="session")
def aws(engine_port: int) -> Aws:
    """Make clients of the services on the local engine."""
    return engine.clients(engine_port)


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """Start a headless Chromium; without one, skip."""
    with open_browser() as chrome:
        if chrome is None:
            pytest.skip("no Chromium with chromedriver: apt-get install chromium chromium-driver")
        yield chrome


@pytest.fixture
def emulate(browser: Chrome) -> Iterator[Callable[..., None]]:
    """Make the browser's window a phone's or a desktop's, in light or dark mode, or a page's."""

    def set_up(width: int, scheme: str, media: str = "", contrast: str = "none") -> None:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {
                "media": media,
                "features": [
                    {"name": "prefers-color-scheme", "value": scheme},
                    {"name": "forced-colors", "value": contrast},
                ],
            },
        )

    yield set_up
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
