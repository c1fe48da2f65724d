"""What is checked of a PNG file before a decoder sees it."""

import struct
from pathlib import Path

from quantization.errors import UnsupportedImage


def check_chunks(path: Path) -> None:
    """Refuse a PNG file one of whose chunks claims to be longer than the file.

    OpenCV would allocate what is claimed, up to 2 GiB, before it finds that out.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            (length,) = struct.unpack_from(">I", head)
            if file.tell() + length > size:
                raise UnsupportedImage("the png file is damaged or cut off: a chunk is incomplete")
            if head[4:] == b"IEND":
                return
            file.seek(length + 4, 1)
