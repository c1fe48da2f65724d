"""Do what Sample does, and import no more than it does: sample_file.py IMAGE."""

# As the functions do, before all others.
from quantization import startup

# isort: split

import sys
from pathlib import Path

from quantization.images import open_image
from sampling import STRIP_PIXELS, summarise

startup.finished()
image = open_image(Path(sys.argv[1]), max_pixels=10**9)
summarise(
    image.strips(STRIP_PIXELS),
    pixels=image.width * image.height,
    k_min=8,
    k_max=32,
    sample_size=2048,
)
