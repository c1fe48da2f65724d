"""What the engine writes, `quantize` writes in one process."""

from pathlib import Path
from typing import Any

import pytest

from emulator.engine import ROOT
from quantization import quantize
from quantization.errors import REFUSALS, RefusedImage
from tests.support.fixtures import Command
from tests.support.results import without_provenance
from tests.support.service import Service

GALLERY = ROOT / "docs" / "gallery"


@pytest.fixture
def on_engine(request: pytest.FixtureRequest) -> Command:
    """Run the client on the engine; return the finished process."""
    command: Command = request.getfixturevalue("quantize")
    return command


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("logo.png", {}),
        ("houses.png", {"criterion": "guarded", "format": "webp", "palettes": "gpl,ase,css"}),
        ("temple.jpg", {"k-max": "12", "dither": "diffusion", "space": "rgb", "keep": "#f00 #fff"}),
        ("temple.jpg", {"palette": "#102030 #f0e0d0 #00f"}),
    ],
)
def test_engine_and_one_process_write_the_same(
    on_engine: Command, tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    flags = [flag for option, value in options.items() for flag in (f"--{option}", value)]
    done = on_engine(GALLERY / name, "--out", tmp_path / "engine", *flags)
    assert done.returncode == 0, done.stderr

    given: dict[str, Any] = {option.replace("-", "_"): value for option, value in options.items()}
    files = quantize(GALLERY / name, **given).write(tmp_path / "process" / name.partition(".")[0])

    theirs = {path.name: path for path in (tmp_path / "engine").iterdir() if path.is_file()}
    assert theirs.keys() == {path.name for path in files.values()}
    for path in files.values():
        assert without_provenance(path.suffix, path.read_bytes()) == without_provenance(
            path.suffix, theirs[path.name].read_bytes()
        ), path.name


def test_both_refuse_by_the_same_name(service: Service, name: str) -> None:
    body = b"BM" + b"\0" * 100
    error = service.ended(service.upload(f"{name}.bmp", body))["error"]
    with pytest.raises(RefusedImage) as refused:
        quantize(body)
    assert refused.type is REFUSALS[error]
