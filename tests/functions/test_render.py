"""Render, from the chosen palette to the two objects in the output bucket."""

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import render
from quantization.errors import ObjectGone
from quantization.messages import Rendered, RenderRequest, Result, Score, Source
from recolour import encode_png, nearest_labels, recolour
from tests.conftest import EXECUTION

PALETTE = ["#000000", "#ff0000", "#ffffff"]

images = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3)))
palettes = arrays(np.uint8, st.tuples(st.integers(1, 40), st.just(3)))


def request_for(upload, width, height):
    source = Source(**msgspec.structs.asdict(upload), width=width, height=height)
    return RenderRequest(
        source=source,
        sample_size=100,
        criterion="silhouette",
        k=len(PALETTE),
        palette=PALETTE,
        scores=[
            Score(k=3, silhouette=0.5, inertia=1.0, error=0.1),
            Score(k=4, silhouette=None, inertia=None, error=None, failure="Oops"),
        ],
        execution=EXECUTION,
    )


def run(request, context) -> Rendered:
    return msgspec.convert(render.handler(msgspec.to_builtins(request), context), Rendered)


def test_image_and_result_are_written(s3, upload, make_png, context):
    rgb = np.full((4, 5, 3), 250)
    rgb[0] = [200, 30, 20]
    request = request_for(upload("a dir/ä+b.c.PNG", make_png(rgb)), 5, 4)

    rendered = run(request, context)

    assert rendered.image.key == "a dir/ä+b.c.png"
    image = s3.get_object(Bucket="output", Key=rendered.image.key)
    assert image["ContentType"] == "image/png"
    bgr = cv2.imdecode(np.frombuffer(image["Body"].read(), np.uint8), cv2.IMREAD_UNCHANGED)
    expected = np.full((4, 5, 3), 255)
    expected[0] = [0, 0, 255]
    np.testing.assert_array_equal(bgr, expected)

    document = s3.get_object(Bucket="output", Key="a dir/ä+b.c.json")
    assert document["ContentType"] == "application/json"
    result = msgspec.json.decode(document["Body"].read(), type=Result)
    assert [(swatch.colour, swatch.share) for swatch in result.palette] == [
        ("#ffffff", 0.75),
        ("#ff0000", 0.25),
        ("#000000", 0.0),
    ]
    assert (result.source, result.scores) == (request.source, request.scores)
    assert (result.k, result.sample_size, result.execution) == (3, 100, EXECUTION)


def test_deleted_version_writes_nothing(s3, upload, make_png, context):
    uploaded = upload("a.png", make_png(np.zeros((2, 2, 3))))
    s3.delete_object(Bucket="input", Key="a.png", VersionId=uploaded.version_id)

    with pytest.raises(ObjectGone):
        run(request_for(uploaded, 2, 2), context)
    assert "Contents" not in s3.list_objects_v2(Bucket="output")


@given(images, palettes)
def test_labels_are_those_of_brute_force(pixels, palette):
    difference = pixels[:, :, None].astype(int) - palette.astype(int)
    expected = np.square(difference).sum(axis=-1).argmin(axis=-1)

    np.testing.assert_array_equal(nearest_labels(pixels, palette), expected)


@given(images, palettes)
def test_palette_is_ordered_by_use_and_the_image_unchanged_by_it(pixels, palette):
    recoloured = recolour(pixels, palette)

    shares = recoloured.shares.tolist()
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert sorted(map(tuple, recoloured.palette)) == sorted(map(tuple, palette))
    np.testing.assert_array_equal(
        recoloured.palette[recoloured.labels], palette[nearest_labels(pixels, palette)]
    )
    decoded = cv2.imdecode(np.frombuffer(encode_png(recoloured), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[:, :, ::-1], recoloured.palette[recoloured.labels])
