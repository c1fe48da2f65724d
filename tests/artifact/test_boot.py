"""The functions as built, under AWS's own runtime emulator and client, with the recorded events.

An event is sent as it stands in events/ but for the buckets and the version: those are made anew.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from mypy_boto3_s3 import S3Client
from numpy.typing import NDArray

from emulator.engine import ROOT
from quantization.clustering import fit
from quantization.color import from_hex, to_hex
from quantization.contract import Upload
from quantization.decoding import open_image
from quantization.sampling import STRIP_PIXELS, summarize
from quantization.service.messages import ObjectKey, RenderRequest, SampleRequest, ScoreRequest
from quantization.service.storage.summaries import load_summary, save_summary
from quantization.summary import Summary
from tests.support.built import BuiltFunction, files
from tests.support.fixtures import Aws
from tests.support.sandbox import Sandbox


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


@pytest.mark.parametrize("name", ["Sample", "ScoreK", "Render", "FindUpload", "RecordFailure"])
def test_garbage_is_collected_once_all_is_imported(
    name: str, sandbox: Callable[[str], Sandbox], functions: dict[str, BuiltFunction]
) -> None:
    function = functions[f"{name}Function"]
    module = function.handler.partition(".")[0]
    program = f"import {module}, gc; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    assert sandbox(function.name).python("-c", program).split() == ["True", "True"]


def test_sample_checks_in_the_summary(
    sandbox: Callable[[str], Sandbox],
    s3: S3Client,
    upload: Callable[[str, bytes], Upload],
    photo: Path,
) -> None:
    recorded = event("sample", SampleRequest)
    request = msgspec.structs.replace(
        recorded, upload=upload(recorded.upload.key, photo.read_bytes())
    )
    with sandbox("SampleFunction").booted() as sample:
        answer = sample.invoke(msgspec.to_builtins(request))
    assert (answer["source"]["width"], answer["source"]["height"]) == (640, 427)
    assert answer["ks"] == list(range(8, 33))
    summary = Summary.from_arrays(load_summary(s3, ObjectKey(**answer["summary"])))
    expected, _ = _summary(photo)
    built = summary.to_arrays()
    for name, array in expected.to_arrays().items():
        np.testing.assert_array_equal(built[name], array)


def test_sample_refuses_what_is_no_image(
    sandbox: Callable[[str], Sandbox], upload: Callable[[str, bytes], Upload]
) -> None:
    request = msgspec.structs.replace(
        event("sample", SampleRequest), upload=upload("README.md", b"# not an image")
    )
    with sandbox("SampleFunction").booted() as sample:
        answer = sample.invoke(msgspec.to_builtins(request))
    assert answer["errorType"] == "UnsupportedImage"


def test_score_k_fits_as_scikit_learn_here_does(
    sandbox: Callable[[str], Sandbox],
    functions: dict[str, BuiltFunction],
    s3: S3Client,
    photo: Path,
) -> None:
    layers = functions["ScoreKFunction"].layers.values()
    before = [file for layer in layers for file in files(layer)]
    recorded = event("score_k", ScoreRequest)
    summary, _ = _summary(photo)
    claim = ObjectKey("workbucket", recorded.summary.key)
    save_summary(s3, claim, summary.to_arrays())
    request = msgspec.to_builtins(msgspec.structs.replace(recorded, summary=claim))
    with sandbox("ScoreKFunction").booted() as score_k:
        first, again = score_k.invoke(request), score_k.invoke(request)
        log = score_k.log()
    expected = fit(summary, recorded.k, recorded.space)
    assert first == again
    assert first["palette"] == to_hex(expected.palette)
    assert first["silhouette"] == pytest.approx(expected.silhouette)
    assert first["inertia"] == pytest.approx(expected.inertia)
    assert "Traceback" not in log
    assert [file for layer in layers for file in files(layer)] == before, "bytecode was missing"


def test_render_writes_the_image_and_its_result(
    sandbox: Callable[[str], Sandbox],
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
    with sandbox("RenderFunction").booted() as render:
        answer = render.invoke(msgspec.to_builtins(request))
    pixels = _pixels(_read(s3, answer["image"]))
    result = msgspec.json.decode(_read(s3, answer["result"]))
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    assert sorted(map(tuple, colors)) == sorted(map(tuple, from_hex(recorded.chosen_palette())))
    assert {swatch["color"]: swatch["share"] for swatch in result["palette"]} == pytest.approx(
        dict(zip(to_hex(colors), counts / len(pixels), strict=True))
    )
    assert result["versions"]["opencv"] == cv2.__version__


@pytest.mark.parametrize("name", ["SampleFunction", "ScoreKFunction", "RenderFunction"])
def test_a_malformed_event_is_an_error_and_not_a_crash(
    sandbox: Callable[[str], Sandbox], name: str
) -> None:
    with sandbox(name).booted() as function:
        assert function.invoke({})["errorType"] == "ValidationError"
        assert function.invoke({})["errorType"] == "ValidationError"


def _summary(photo: Path) -> tuple[Summary, list[int]]:
    """Summarize the photo as the stack's defaults have it."""
    image = open_image(photo, max_pixels=10**6)
    strips, pixels = image.strips(STRIP_PIXELS), image.width * image.height
    return summarize(strips, pixels=pixels, k_min=8, k_max=32, sample_size=2048)


def _pixels(image: bytes) -> NDArray[np.uint8]:
    """Decode an image file to its RGB pixels, in an array of shape (n, 3)."""
    bgr = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(bgr, np.uint8)[..., ::-1].reshape(-1, 3)


def _read(s3: S3Client, key: dict[str, str]) -> bytes:
    return s3.get_object(Bucket=key["bucket"], Key=key["key"])["Body"].read()
