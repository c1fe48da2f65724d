"""Dither images with Render's two ways and as other programs do by default: see benchmarks.peers.

python -m benchmarks.dithering [--megapixels 0.3] [--images tuned-on checked-on held-out ...] ...
"""

import sys

from benchmarks.peers.__main__ import main

if __name__ == "__main__":
    sys.argv.insert(1, "--dithered")
    main()
