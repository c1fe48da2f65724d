"""Quantize with Pillow: pillow_file.py IMAGE OUT.png K METHOD DITHER."""

import sys

from PIL import Image

source, target, k, method, dither = sys.argv[1:]
image = Image.open(source).convert("RGB")
quantized = image.quantize(int(k), Image.Quantize[method], dither=Image.Dither.NONE)
if dither != "NONE":  # Pillow dithers only to a palette that is given.
    quantized = image.quantize(palette=quantized, dither=Image.Dither[dither])
quantized.save(target)
