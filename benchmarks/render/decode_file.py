"""Decode and do nothing: decode_file.py IMAGE."""

import sys

import cv2

cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED)
