"""Do what Sample does, and import no more than it does: sample_file.py IMAGE."""

# As the functions do, before all others.
from quantization.service.startup import quick_imports

with quick_imports():
    import sys
    from pathlib import Path

    from quantization.decoding import open_image
    from quantization.sampling import SUMMARY_STRIP_PIXELS, summarize
image = open_image(Path(sys.argv[1]), max_pixels=10**9)
summarize(
    image.strips(SUMMARY_STRIP_PIXELS),
    pixels=image.width * image.height,
    k_min=8,
    k_max=32,
    sample_size=2048,
)
