"""Render as the service does: render_file.py IMAGE OUT.png PALETTE.npy."""

# As the functions do, before all others.
from quantization.service.startup import quick_imports

with quick_imports():
    import sys
    from pathlib import Path

    import numpy as np

    from quantization.decoding import open_image
    from quantization.encoding.png import encode_png
    from quantization.recolor import recolor
source, target, palette = map(Path, sys.argv[1:])
image = open_image(source, max_pixels=10**9)
recolored = recolor(image, np.load(palette))
target.write_bytes(
    encode_png(recolored.indices, recolored.entries, dots_per_meter=image.dots_per_meter)
)
