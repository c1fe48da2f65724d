"""All of the pipeline in one process: quantize_file.py IMAGE OUT.png."""

import sys
from pathlib import Path

from clustering import fit
from png import encode_png
from quantization.images import open_image
from recolour import recolour
from sampling import draw_sample, worthwhile_ks

source, target = map(Path, sys.argv[1:])
image = open_image(source, max_pixels=10**9)
sample = draw_sample(image, 1000)
fits = [fit(sample, k) for k in worthwhile_ks(sample, 8, 32)]
best = max(fits, key=lambda fit: -2 if fit.silhouette is None else fit.silhouette)
recoloured = recolour(image, best.palette)
target.write_bytes(encode_png(recoloured.indices, recoloured.entries))
