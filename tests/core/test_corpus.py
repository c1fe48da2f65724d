"""Whatever is uploaded, decoding ends in pixels or in a refusal, within the function's memory."""

import resource

import pytest

from quantization.decoding import open_image
from quantization.errors import EmptyImage, ImageTooLarge, RefusedImage, UnsupportedImage
from tests.support.corpus import corpus

FILES = dict(corpus())
MAX_PIXELS = 10**6
MOST_KILOBYTES = 200_000
"""That decoding all of them may add to the process: far less than one bomb would."""


@pytest.fixture
def decode(tmp_path):
    def decode(body: bytes):
        """Return the number of pixels, or the type of the refusal."""
        path = tmp_path / "upload"
        path.write_bytes(body)
        try:
            image = open_image(path, max_pixels=MAX_PIXELS)
            return sum(strip.shape[0] * strip.shape[1] for strip in image.strips(2**17))
        except RefusedImage as refusal:
            return type(refusal)

    return decode


def test_every_file_has_a_known_end(decode):
    assert len(FILES) >= 200
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ends = {name: decode(body) for name, body in FILES.items()}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert grown < MOST_KILOBYTES
    refusals = {UnsupportedImage, ImageTooLarge, EmptyImage}
    assert all(end in refusals or 0 < end <= MAX_PIXELS for end in ends.values())
    assert {name for name in ends if name.endswith("-intact") and ends[name] in refusals} == set()
    bombs = {name: end for name, end in ends.items() if name.startswith("bomb-")}
    assert set(bombs.values()) <= {ImageTooLarge, UnsupportedImage}
    assert bombs["bomb-real"] is ImageTooLarge
    assert ends["noise-0"] is EmptyImage
