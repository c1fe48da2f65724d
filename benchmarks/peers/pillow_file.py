"""Quantize with Pillow: pillow_file.py IMAGE OUT.png K METHOD."""

import sys

from PIL import Image

source, target, k, method = sys.argv[1:]
image = Image.open(source).convert("RGB")
image.quantize(int(k), Image.Quantize[method], dither=Image.Dither.NONE).save(target)
