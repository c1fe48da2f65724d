"""What docs/aws.md names, against what there is."""

import re

import pytest

from emulator.engine import ROOT

PAGE = (ROOT / "docs/aws.md").read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py(?:::\w+)?)`", PAGE))))
def test_test_is_there(named: str) -> None:
    file, _, test = named.partition("::")
    assert f"def {test}" in (ROOT / "tests" / file).read_text()


def test_every_patch_is_told_of() -> None:
    patches = {
        name
        for file in (ROOT / "emulator/patches").glob("*.py")
        for name in re.findall(r"^@patch\([^)]*\)\ndef (\w+)", file.read_text(), re.MULTILINE)
    }
    assert len(patches) > 10
    assert sorted(patch for patch in patches if f"`{patch}`" not in PAGE) == []
