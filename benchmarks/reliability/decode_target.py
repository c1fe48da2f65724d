"""Decode whatever atheris makes up, as Sample and Render do; anything but a refusal is a find.

    python benchmarks/reliability/decode_target.py [libFuzzer's options] [corpus folder]

What it has seen is told by the lines of `quantization`: libvips and OpenCV come compiled without
counters, so of their insides only the outcome is seen.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["quantization"]):
    from quantization.decoding import open_image
    from quantization.errors import RefusedImage

MAX_PIXELS = 10**6


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"

        def decode(body: bytes) -> None:
            path.write_bytes(body)
            try:
                for _ in open_image(path, max_pixels=MAX_PIXELS).strips():
                    pass
            except RefusedImage:
                pass

        atheris.Setup(sys.argv, decode)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
