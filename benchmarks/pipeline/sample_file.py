"""Only draw the sample: sample_file.py IMAGE."""

import sys
from pathlib import Path

from quantization.images import open_image
from sampling import draw_sample

draw_sample(open_image(Path(sys.argv[1]), max_pixels=10**9), 1000)
