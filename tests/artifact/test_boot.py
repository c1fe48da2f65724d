"""The functions as built, under AWS's own runtime emulator and client, with the recorded events.

On both processors, of which this machine's is the one and the other is emulated.

An event is sent as it stands in events/ but for the buckets and the version: those are made anew.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from mypy_boto3_s3 import S3Client
from numpy.typing import NDArray
from PIL import Image

from emulator.engine import ROOT
from quantization.clustering import fit
from quantization.color import from_hex, to_hex
from quantization.contract import Upload
from quantization.decoding import open_image
from quantization.sampling import SUMMARY_STRIP_PIXELS, summarize
from quantization.service.messages import ObjectKey, RenderRequest, SampleRequest, ScoreRequest
from quantization.service.storage.summaries import load_summary, save_summary
from quantization.summary import Summary
from tests.support.built import ARCHITECTURES
from tests.support.fixtures import Aws
from tests.support.sandbox import Booted, Sandbox

FUNCTIONS = [
    *("SampleFunction", "ScoreKFunction", "RenderFunction"),
    *("FindUploadFunction", "RecordFailureFunction"),
]
MALFORMED: dict[str, dict[str, str]] = {"detail": {}}

pytestmark = pytest.mark.parametrize("architecture", ARCHITECTURES, indirect=True, scope="session")


@pytest.fixture(scope="module")
def booted(sandbox: Callable[[str], Sandbox]) -> Iterator[dict[str, Booted]]:
    """Boot all functions at once, as imports take seconds on an emulated processor."""
    with ExitStack() as stack:
        functions = {name: stack.enter_context(sandbox(name).booted()) for name in FUNCTIONS}
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda function: function.invoke(MALFORMED), functions.values()))
        yield functions


@pytest.fixture(scope="module")
def s3(aws: Aws) -> S3Client:
    """S3 of the local engine, with the buckets that the functions are told of."""
    client: S3Client = aws("s3")
    for bucket in ("inputbucket", "workbucket", "outputbucket"):
        client.create_bucket(Bucket=bucket)
    for bucket in ("inputbucket", "outputbucket"):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def upload(s3: S3Client) -> Callable[[str, bytes], Upload]:
    def put(key: str, body: bytes) -> Upload:
        answer = s3.put_object(Bucket="inputbucket", Key=key, Body=body)
        return Upload("inputbucket", key, answer["VersionId"], answer["ETag"].strip('"'), "0A")

    return put


def event[T](name: str, kind: type[T]) -> T:
    return msgspec.json.decode((ROOT / f"events/{name}.json").read_bytes(), type=kind)


def test_sample_checks_in_the_summary(
    booted: dict[str, Booted],
    s3: S3Client,
    upload: Callable[[str, bytes], Upload],
    photo: Path,
) -> None:
    recorded = event("sample", SampleRequest)
    request = msgspec.structs.replace(
        recorded, upload=upload(recorded.upload.key, photo.read_bytes())
    )
    answer = booted["SampleFunction"].invoke(msgspec.to_builtins(request))
    assert (answer["source"]["width"], answer["source"]["height"]) == (640, 427)
    assert answer["ks"] == list(range(8, 33))
    summary = Summary.from_arrays(load_summary(s3, ObjectKey(**answer["summary"])))
    expected, _ = _summary(photo)
    built = summary.to_arrays()
    for name, array in expected.to_arrays().items():
        np.testing.assert_array_equal(built[name], array)


def test_sample_refuses_what_is_no_image(
    booted: dict[str, Booted], upload: Callable[[str, bytes], Upload]
) -> None:
    request = msgspec.structs.replace(
        event("sample", SampleRequest), upload=upload("README.md", b"# not an image")
    )
    answer = booted["SampleFunction"].invoke(msgspec.to_builtins(request))
    assert answer["errorType"] == "UnsupportedImage"


def test_score_k_fits_as_scikit_learn_here_does(
    booted: dict[str, Booted], s3: S3Client, photo: Path, tmp_path: Path
) -> None:
    recorded = event("score_k", ScoreRequest)
    small = tmp_path / "small.png"  # as an emulated processor is slow
    with Image.open(photo) as image:
        image.resize((32, 21)).save(small)
    summary, _ = _summary(small)
    claim = ObjectKey("workbucket", recorded.summary.key)
    save_summary(s3, claim, summary.to_arrays())
    request = msgspec.to_builtins(msgspec.structs.replace(recorded, summary=claim))
    score_k = booted["ScoreKFunction"]
    first, again = score_k.invoke(request), score_k.invoke(request)
    expected = fit(summary, recorded.k, recorded.space)
    assert first == again
    assert first["palette"] == to_hex(expected.palette)
    assert first["silhouette"] == pytest.approx(expected.silhouette)
    assert first["inertia"] == pytest.approx(expected.inertia)


def test_render_writes_the_image_and_its_result(
    booted: dict[str, Booted],
    s3: S3Client,
    upload: Callable[[str, bytes], Upload],
    photo: Path,
) -> None:
    recorded = event("render", RenderRequest)
    uploaded = upload(recorded.source.key, photo.read_bytes())
    source = msgspec.structs.replace(
        recorded.source, bucket=uploaded.bucket, version_id=uploaded.version_id
    )
    request = msgspec.structs.replace(recorded, source=source)
    answer = booted["RenderFunction"].invoke(msgspec.to_builtins(request))
    pixels = _pixels(_read(s3, answer["image"]))
    result = msgspec.json.decode(_read(s3, answer["result"]))
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    assert sorted(map(tuple, colors)) == sorted(map(tuple, from_hex(recorded.chosen_palette())))
    assert {swatch["color"]: swatch["share"] for swatch in result["palette"]} == pytest.approx(
        dict(zip(to_hex(colors), counts / len(pixels), strict=True))
    )
    assert result["versions"]["opencv"] == cv2.__version__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_malformed_event_is_an_error_and_not_a_crash(
    booted: dict[str, Booted], name: str
) -> None:
    assert booted[name].invoke(MALFORMED)["errorType"] == "ValidationError"


def _summary(photo: Path) -> tuple[Summary, list[int]]:
    """Summarize the photo as the stack's defaults have it."""
    image = open_image(photo, max_pixels=10**6)
    strips, pixels = image.strips(SUMMARY_STRIP_PIXELS), image.width * image.height
    return summarize(strips, pixels=pixels, k_min=8, k_max=32, sample_size=2048)


def _pixels(image: bytes) -> NDArray[np.uint8]:
    """Decode an image file to its RGB pixels, in an array of shape (n, 3)."""
    bgr = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(bgr, np.uint8)[..., ::-1].reshape(-1, 3)


def _read(s3: S3Client, key: dict[str, str]) -> bytes:
    return s3.get_object(Bucket=key["bucket"], Key=key["key"])["Body"].read()
