"""Build what a release has, into dist/: the wheel, the source, and the changelog's section.

python -m tools.release TAG
"""

import re
import shutil
import subprocess
import sys

from samcli.yamlhelper import yaml_parse

import quantization
from emulator.engine import ROOT

DIST = ROOT / "dist"


class ReleaseError(Exception):
    """The tag does not fit what it is on."""


def check_versions(tag: str, template: str) -> None:
    """Hold a tag like v1.2.3 against the package's version and the application's.

    Raises
    ------
    ReleaseError

    """
    metadata = yaml_parse(template)["Metadata"]["AWS::ServerlessRepo::Application"]
    versions = {
        "src/quantization/__init__.py": quantization.__version__,
        "template.yml": metadata["SemanticVersion"],
    }
    for file, version in versions.items():
        if tag != f"v{version}":
            raise ReleaseError(f"the tag is {tag}, but {file} says {version}")


def notes_of(tag: str, changelog: str) -> str:
    """Return what the changelog says of a version.

    Raises
    ------
    ReleaseError
        If it says nothing.
    """
    version = re.escape(tag.removeprefix("v"))
    heading = rf"^## \[?{version}\]?[^\n]*\n(.*?)(?=^## |\Z)"
    section = re.search(heading, changelog, re.DOTALL | re.MULTILINE)
    if section is None or not section[1].strip():
        raise ReleaseError(f"CHANGELOG.md says nothing of {tag}")
    return section[1].strip() + "\n"


def main() -> int:
    """Run the command line."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    tag = sys.argv[1]
    try:
        check_versions(tag, (ROOT / "template.yml").read_text())
        notes = notes_of(tag, (ROOT / "CHANGELOG.md").read_text())
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run(["uv", "build", "--quiet", "--out-dir", DIST], cwd=ROOT, check=True)
    (DIST / "notes.md").write_text(notes)
    print(*sorted(path.name for path in DIST.iterdir()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
