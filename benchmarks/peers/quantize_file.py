"""Quantize to a given number of colours as the service does: quantize_file.py IMAGE OUT.png K."""

import sys
from pathlib import Path

from clustering import fit
from png import encode_png
from quantization.images import open_image
from recolour import recolour
from sampling import STRIP_PIXELS, summarise

source, target, k = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
image = open_image(source, max_pixels=10**9)
summary, _ = summarise(
    image.strips(STRIP_PIXELS),
    pixels=image.width * image.height,
    k_min=k,
    k_max=k,
    sample_size=2048,
)
recoloured = recolour(image, fit(summary, k).palette)
target.write_bytes(encode_png(recoloured.indices, recoloured.entries))
