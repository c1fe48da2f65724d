"""A release is of one version, and the changelog says what is in it."""

import re
from pathlib import Path

import pytest
import yaml

import quantization
from emulator.engine import ROOT
from tools.release import ReleaseError, check_versions, notes_of

CHANGELOG = """\
# Changelog

## Unreleased

- Not yet.

## 0.10.0 - 2030-01-02

### Added

- This.

## 0.1.0

The first version.
"""


def test_notes_are_those_of_the_version_alone() -> None:
    assert notes_of("v0.10.0", CHANGELOG) == "### Added\n\n- This.\n"
    assert notes_of("v0.1.0", CHANGELOG) == "The first version.\n"
    with pytest.raises(ReleaseError, match=r"nothing of v0\.1\.1"):
        notes_of("v0.1.1", CHANGELOG)


def test_package_application_and_tag_have_one_version() -> None:
    template = (ROOT / "template.yml").read_text()

    check_versions(f"v{quantization.__version__}", template)
    with pytest.raises(ReleaseError, match="the tag is v9, but"):
        check_versions("v9", template)


@pytest.mark.parametrize("file", sorted((ROOT / ".github/workflows").iterdir()))
def test_actions_are_pinned_by_the_hash_of_a_commit(file: Path) -> None:
    jobs = yaml.safe_load(file.read_text())["jobs"].values()
    used = [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]

    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)] == []
