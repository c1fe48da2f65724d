"""Which files are results of an earlier run: only these are overwritten unasked."""

from pathlib import Path
from typing import get_args

import msgspec

from quantization.contract import Result
from quantization.options import ImageFormat
from quantization.palette_files import WRITERS, palette_file
from quantization.report import GENERATOR


def is_result(file: Path) -> bool:
    """Tell whether a file is a result, or a part of the result whose JSON lies beside it.

    An image or a palette that was changed since is none any more.
    """
    try:
        document = file.with_suffix(".json").read_bytes()
        result = msgspec.json.decode(document, type=Result)
        return _is_part(file, result)
    except (OSError, msgspec.DecodeError):
        return False


def _is_part(file: Path, result: Result) -> bool:
    ending = file.suffix.removeprefix(".")
    if ending in get_args(ImageFormat):
        image = result.image_file
        return (ending, file.stat().st_size) == (image.format, image.bytes)
    for name in WRITERS:
        if ending == name:
            return file.read_bytes() == palette_file(result, name)
    return ending == "json" or (ending == "html" and GENERATOR.encode() in file.read_bytes())
