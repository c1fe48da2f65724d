"""The functions as built, under AWS's own runtime emulator and client, with the recorded events.

An event is sent as it stands in events/ but for the buckets and the version: those are made anew.
"""

import io
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from clustering import fit
from local.engine import ROOT
from quantization.colour import from_hex, to_hex
from quantization.messages import ObjectKey, RenderRequest, SampleRequest, ScoreRequest, Upload
from tests.artefact.built import files


@pytest.fixture(scope="module")
def s3(aws):
    """S3 of the local engine, with the buckets that the functions are told of."""
    client = aws("s3")
    for bucket in ("inputbucket", "workbucket", "outputbucket"):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(
        Bucket="inputbucket", VersioningConfiguration={"Status": "Enabled"}
    )
    return client


@pytest.fixture
def upload(s3):
    def put(key: str, body: bytes) -> Upload:
        answer = s3.put_object(Bucket="inputbucket", Key=key, Body=body)
        return Upload("inputbucket", key, answer["VersionId"], answer["ETag"].strip('"'))

    return put


def event[T](name: str, kind: type[T]) -> T:
    return msgspec.json.decode((ROOT / f"events/{name}.json").read_bytes(), type=kind)


def test_sample_checks_in_what_it_drew(sandbox, s3, upload, photo):
    recorded = event("sample", SampleRequest)
    request = msgspec.structs.replace(
        recorded, upload=upload(recorded.upload.key, photo.read_bytes())
    )
    with sandbox("SampleFunction").booted() as sample:
        answer = sample.invoke(msgspec.to_builtins(request))
    assert (answer["source"]["width"], answer["source"]["height"]) == (640, 427)
    assert answer["ks"] == list(range(8, 33))
    sample = np.load(io.BytesIO(_read(s3, answer["sample"])))
    assert sample.shape == (1000, 3)
    assert set(map(tuple, sample)) <= set(map(tuple, _pixels(photo.read_bytes())))


def test_sample_refuses_what_is_no_image(sandbox, upload):
    request = msgspec.structs.replace(
        event("sample", SampleRequest), upload=upload("README.md", b"# not an image")
    )
    with sandbox("SampleFunction").booted() as sample:
        answer = sample.invoke(msgspec.to_builtins(request))
    assert answer["errorType"] == "UnsupportedImage"


def test_score_k_fits_as_scikit_learn_here_does(sandbox, functions, s3, photo):
    layers = functions["ScoreKFunction"].layers.values()
    before = [file for layer in layers for file in files(layer)]
    recorded = event("score_k", ScoreRequest)
    claim = ObjectKey("workbucket", recorded.sample.key)
    sample = _pixels(photo.read_bytes())[::300]
    buffer = io.BytesIO()
    np.save(buffer, sample)
    s3.put_object(Bucket=claim.bucket, Key=claim.key, Body=buffer.getvalue())
    request = msgspec.to_builtins(msgspec.structs.replace(recorded, sample=claim))
    with sandbox("ScoreKFunction").booted() as score_k:
        first, again = score_k.invoke(request), score_k.invoke(request)
        log = score_k.log()
    expected = fit(sample, recorded.k)
    assert first == again
    assert first["palette"] == to_hex(expected.palette)
    assert first["silhouette"] == pytest.approx(expected.silhouette)
    assert first["inertia"] == pytest.approx(expected.inertia)
    assert "Traceback" not in log
    assert [file for layer in layers for file in files(layer)] == before, "bytecode was missing"


def test_render_writes_the_image_and_its_result(sandbox, s3, upload, photo):
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
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    assert sorted(map(tuple, colours)) == sorted(map(tuple, from_hex(recorded.palette)))
    assert {swatch["colour"]: swatch["share"] for swatch in result["palette"]} == pytest.approx(
        dict(zip(to_hex(colours), counts / len(pixels), strict=True))
    )
    assert result["versions"]["opencv"] == cv2.__version__


@pytest.mark.parametrize("name", ["SampleFunction", "ScoreKFunction", "RenderFunction"])
def test_a_malformed_event_is_an_error_and_not_a_crash(sandbox, name):
    with sandbox(name).booted() as function:
        assert function.invoke({})["errorType"] == "ValidationError"
        assert function.invoke({})["errorType"] == "ValidationError"


def _pixels(image: bytes) -> NDArray[np.uint8]:
    """Decode an image file to its RGB pixels, in an array of shape (n, 3)."""
    return cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].reshape(-1, 3)


def _read(s3: Any, key: dict[str, str]) -> bytes:
    return s3.get_object(Bucket=key["bucket"], Key=key["key"])["Body"].read()
