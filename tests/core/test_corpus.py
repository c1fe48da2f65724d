"""Whatever is uploaded, decoding ends in pixels or in a refusal, within the function's memory."""

import json
import subprocess
import sys

from emulator.engine import ROOT
from quantization.errors import REFUSALS
from tests.support.decode_each import MAX_PIXELS

MOST_KILOBYTES = 200_000
"""That decoding one of them may take, besides what an empty file does: less than a bomb would."""


def test_every_file_has_a_known_end_within_bounded_memory() -> None:
    command = [sys.executable, "-m", "tests.support.decode_each"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    ends, kilobytes = {}, {}
    for name, (end, taken) in json.loads(done.stdout).items():
        ends[name], kilobytes[name] = end, taken
    idle = kilobytes.pop("")
    del ends[""]

    assert len(ends) >= 200
    assert {name: k for name, k in kilobytes.items() if k - idle > MOST_KILOBYTES} == {}
    known = {"UnsupportedImage", "ImageTooLarge", "EmptyImage"}
    assert known <= REFUSALS.keys()
    unknown = {
        name: end
        for name, end in ends.items()
        if end not in known and not (isinstance(end, int) and 0 < end <= MAX_PIXELS)
    }
    assert unknown == {}
    assert {name for name in ends if name.endswith("-intact") and ends[name] in known} == set()
    bombs = {name: end for name, end in ends.items() if name.startswith("bomb-")}
    assert set(bombs.values()) <= {"ImageTooLarge", "UnsupportedImage"}
    assert bombs["bomb-real"] == "ImageTooLarge"
    assert ends["noise-0"] == "EmptyImage"
