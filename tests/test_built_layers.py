"""What a build's layers become: links to the same files on the engine, zip files for AWS."""

import errno
import json
import os
import zipfile
from pathlib import Path

import pytest

from emulator import engine, layers
from emulator.deploy import LINKED, write_template
from tests.support.built import files
from tools.deploy import packed

TEMPLATE = {
    "Resources": {
        "OneLayer": {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {"ContentUri": "OneLayer", "LayerName": "one"},
        }
    }
}


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a layer as sam leaves it after a build: in the build, and a copy in its cache."""
    build = tmp_path / "build"
    for folder in (build / "OneLayer", tmp_path / "cache/id"):
        (folder / "python/package").mkdir(parents=True)
        (folder / "python/package/module.py").write_text("color = 1\n")
        (folder / "python/library.so").write_bytes(bytes(range(256)))
        (folder / "python/library.so").chmod(0o755)
    (build / "template.yaml").write_text(json.dumps(TEMPLATE))
    _record(build, "ab12")
    monkeypatch.setattr(engine, "state_directory", lambda port: tmp_path / str(port))
    return build


def _record(build: Path, source_hash: str) -> None:
    build.with_name("build.toml").write_text(
        f'[layer_build_definitions.id]\nlayer_name = "OneLayer"\nsource_hash = "{source_hash}"\n'
    )


def _tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in files(folder)
    }


def _on_engine(build: Path) -> list[Path]:
    write_template(build, LINKED, layers.stand_in)
    layers.hand_over(build, 4566)
    return sorted((build.parent / "4566/unpacked").iterdir())


def test_engine_finds_the_very_files_where_it_would_unpack_the_stand_in(build: Path) -> None:
    (unpacked,) = _on_engine(build)

    resource = json.loads((build / LINKED).read_text())["Resources"]["OneLayer"]["Properties"]
    assert resource["LayerName"] == "one"
    archive = (build / resource["ContentUri"]).read_bytes()
    assert unpacked == engine.unpacked(engine.state_directory(4566), archive)
    assert _tree(unpacked) == _tree(build / "OneLayer")
    for path in files(unpacked):
        assert path.samefile(build / "OneLayer" / path.relative_to(unpacked))


def test_layer_is_deployed_anew_when_its_sources_change_and_only_then(build: Path) -> None:
    assert _on_engine(build) == _on_engine(build)
    _record(build, "cd34")
    assert len(_on_engine(build)) == 2


def test_hand_over_that_was_interrupted_is_done_again(build: Path) -> None:
    (unpacked,) = _on_engine(build)
    unpacked.rename(unpacked.with_suffix(".partial"))
    (unpacked.with_suffix(".partial") / "python/library.so").unlink()

    (again,) = _on_engine(build)
    assert _tree(again) == _tree(build / "OneLayer")


def test_where_no_link_can_be_made_the_engine_gets_a_copy(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(_source: object, _target: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", link)

    (unpacked,) = _on_engine(build)
    assert _tree(unpacked) == _tree(build / "OneLayer")


@pytest.mark.parametrize("linked", ["build/OneLayer", "cache/id"])
def test_build_and_cache_keep_the_files_that_are_linked_to_already(
    build: Path, linked: str
) -> None:
    library = build.parent / linked / "python/library.so"
    of_uv = build.parent / "of_uv"
    os.link(library, of_uv)
    before = _tree(build / "OneLayer")

    layers.share_with_cache(build, build.parent / "cache")

    assert _tree(build / "OneLayer") == _tree(build.parent / "cache/id") == before
    for path in files(build / "OneLayer"):
        assert path.samefile(build.parent / "cache/id" / path.relative_to(build / "OneLayer"))
    assert of_uv.stat().st_nlink == 3


def test_zip_file_for_aws_holds_the_layer_and_has_the_same_bytes_each_time(build: Path) -> None:
    template = packed(build)

    resource = json.loads(template.read_text())["Resources"]["OneLayer"]["Properties"]
    archive = build / resource["ContentUri"]
    with zipfile.ZipFile(archive) as file:
        tree = {
            entry.filename: (entry.external_attr >> 16, file.read(entry))
            for entry in file.infolist()
        }
    assert tree == _tree(build / "OneLayer")
    first = archive.read_bytes()
    template.unlink()
    os.utime(build / "OneLayer/python/library.so", (0, 0))
    packed(build)
    assert archive.read_bytes() == first
