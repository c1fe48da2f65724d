"""All of the pipeline in one process: quantize_file.py IMAGE OUT.png."""

import sys
from pathlib import Path

from clustering import fit
from png import encode_png
from quantization.images import open_image
from recolour import recolour
from sampling import STRIP_PIXELS, summarise

source, target = map(Path, sys.argv[1:])
image = open_image(source, max_pixels=10**9)
summary, ks = summarise(
    image.strips(STRIP_PIXELS),
    pixels=image.width * image.height,
    k_min=8,
    k_max=32,
    sample_size=2048,
)
fits = [fit(summary, k) for k in ks]
best = max(fits, key=lambda fit: -2 if fit.silhouette is None else fit.silhouette)
recoloured = recolour(image, best.palette)
target.write_bytes(encode_png(recoloured.indices, recoloured.entries))
