"""Decoding, the same for Sample and Render."""

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.errors import UnsupportedImage


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decode an image file.

    Parameters
    ----------
    data : bytes
        The whole file, in any format that OpenCV reads.

    Returns
    -------
    pixels : uint8 array of shape (height, width, 3)
        RGB levels, upright: the EXIF orientation is applied.

    Raises
    ------
    UnsupportedImage
        If the bytes are not an image, or a damaged one.
    """
    encoded = np.frombuffer(data, dtype=np.uint8)
    bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if bgr is None:
        raise UnsupportedImage(f"these {len(data)} bytes are not an image that can be decoded")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
