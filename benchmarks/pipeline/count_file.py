"""Decode, count all colors, and do nothing with them: count_file.py IMAGE."""

import sys

import cv2
import numpy as np

pixels = np.asarray(cv2.imread(sys.argv[1]))
counts = np.zeros((129,) * 3, dtype=np.float32)
cv2.calcHist([pixels], [0, 1, 2], None, counts.shape, [-1, 257] * 3, counts, True)
