"""Render as the service does: render_file.py IMAGE OUT.png PALETTE.npy."""

# As the functions do, before all others.
from quantization import startup

# isort: split

import sys
from pathlib import Path

import numpy as np

from png import encode_png
from quantization.images import open_image
from recolour import recolour

startup.finished()
source, target, palette = map(Path, sys.argv[1:])
image = open_image(source, max_pixels=10**9)
recoloured = recolour(image, np.load(palette))
target.write_bytes(
    encode_png(recoloured.indices, recoloured.entries, dots_per_metre=image.dots_per_metre)
)
