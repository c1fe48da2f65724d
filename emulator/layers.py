"""Bring built layers to the local engine by links, instead of packing and unpacking them.

uv's cache, sam's cache, the build and the folders that stand for /opt on an engine share the same
files, which therefore take up the disk only once. Nothing writes to them.
"""

import errno
import os
import shutil
import tomllib
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from emulator import engine

STAND_IN = ".stand-in.zip"


def share_with_cache(build: Path, cache: Path) -> None:
    """Replace the two copies of each layer, in a build and in sam's cache, by one."""
    for cached, name, _ in _layers(build):
        _share(cache / cached, build / name)


def stand_in(layer: Path) -> Path:
    """Write, beside a built layer, the zip file that sam deploys to the engine instead.

    It holds the hash of the layer's sources. So sam deploys a layer anew if and only if it changed.
    """
    target = layer.with_name(layer.name + STAND_IN)
    (source_hash,) = (h for _, name, h in _layers(layer.parent) if name == layer.name)
    with ZipFile(target, "w") as archive:
        archive.writestr(ZipInfo(layer.name), source_hash)
    return target


def hand_over(build: Path, port: int) -> None:
    """Link a build's layers to the folders that the engine would unpack their stand-ins to."""
    for archive in build.glob("*" + STAND_IN):
        target = engine.unpacked(engine.state_directory(port), archive.read_bytes())
        if target.exists():
            continue
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        layer = build / archive.name.removesuffix(STAND_IN)
        shutil.copytree(layer, partial, copy_function=_link)
        partial.rename(target)


def _layers(build: Path) -> list[tuple[str, str, str]]:
    """List each layer's name in sam's cache, its logical id, and the hash of its sources."""
    record = tomllib.loads(build.with_name("build.toml").read_text())
    return [
        (cached, about["layer_name"], about["source_hash"])
        for cached, about in record["layer_build_definitions"].items()
    ]


def _share(one: Path, other: Path) -> None:
    """Replace each file in one of two equal folders by a link to the same file in the other."""
    for path in one.rglob("*"):
        twin = other / path.relative_to(one)
        if path.is_dir() or path.samefile(twin):
            continue
        # Of the two, the one with more links may be uv's.
        kept, copy = sorted((path, twin), key=lambda file: -file.stat().st_nlink)
        link = copy.with_name(copy.name + ".link")
        link.unlink(missing_ok=True)
        _link(kept, link)
        link.replace(copy)


def _link(source: str | Path, target: str | Path) -> None:
    """Link to a file, or copy it if it cannot be linked to, as on another disk."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
            raise
        shutil.copy2(source, target)
