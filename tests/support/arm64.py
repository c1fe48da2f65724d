"""An arm64 Python on a machine of another processor: Debian's packages, run by QEMU.

Nothing is installed: the packages that `arm64.sha256` pins, of Debian 13, are unpacked to
`.tools/arm64`. With them goes what AWS's Python runtime brings along, from the lock file.
"""

import compileall
import fcntl
import hashlib
import io
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.engine import ROOT
from tests.support.sandbox import Command

FOLDER = ROOT / ".tools/arm64"
_ROOT = FOLDER / "root"
_PYTHON = _ROOT / "usr/bin/python3.13"
PACKAGES = Path(__file__).with_suffix(".sha256")

MIRRORS = (
    "https://deb.debian.org/debian",
    "https://snapshot.debian.org/archive/debian/20261124T000000Z",
)
"""The first one is near to everybody, the second one keeps what Debian has replaced."""

PROCESSOR = "neoverse-n1"
"""The core of Graviton2, which Lambda's arm64 is. What QEMU emulates unless told has instructions
(SME) with which OpenBLAS 0.3.34 multiplies wrongly."""

TIMEOUT_SECONDS = 15


class UnavailableError(Exception):
    """The packages cannot be had; the message says why."""


def interpreter() -> Command:
    """Return an arm64 Python 3.13; it is set up where it is not yet.

    Raises
    ------
    UnavailableError
        If no mirror can be reached, or none has the packages any more.
    """
    FOLDER.parent.mkdir(exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker of pytest may be at it
        _set_up()
    return [_ROOT / "usr/bin/qemu-aarch64", "-cpu", PROCESSOR, "-L", _ROOT, _PYTHON]


def _set_up() -> None:
    runtime = _runtime_requirements()
    contents = hashlib.sha256(PACKAGES.read_bytes() + runtime).hexdigest()
    stamp = FOLDER / "contents"
    if stamp.exists() and stamp.read_text() == contents:
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    libraries = _ROOT / "usr/lib"
    libraries.mkdir(parents=True)
    (_ROOT / "lib").symlink_to("usr/lib")
    _unpack(_ROOT)
    _install(runtime, libraries / "python3/dist-packages")
    # By this Python of the same version, as the emulator would be slow at it.
    compileall.compile_dir(libraries, quiet=1, workers=0)
    stamp.write_text(contents)


def _unpack(root: Path) -> None:
    """Download all packages; of the emulators keep the one."""
    pins = [line.split() for line in PACKAGES.read_text().splitlines()]
    with ThreadPoolExecutor() as pool:
        packages = pool.map(lambda pin: _download(*pin), pins)
        for (_, path), package in zip(pins, packages, strict=True):
            with _contents(package) as files:
                files.extractall(root, _wanted(files, path), filter="tar")


def _wanted(files: tarfile.TarFile, path: str) -> Iterator[tarfile.TarInfo]:
    for file in files:
        if "qemu-user" not in path:
            yield file
        elif file.name == "./usr/bin/qemu-aarch64":
            yield file
            return


def _download(checksum: str, path: str) -> bytes:
    """Return the bytes of the package, from whichever mirror has them."""
    failures = []
    for mirror in MIRRORS:
        try:
            with urllib.request.urlopen(f"{mirror}/{path}", timeout=TIMEOUT_SECONDS) as response:
                body: bytes = response.read()
        except OSError as error:
            failures.append(f"{mirror}: {error}")
            continue
        if hashlib.sha256(body).hexdigest() == checksum:
            return body
        failures.append(f"{mirror}: another checksum than {PACKAGES.name} has")
    raise UnavailableError(f"{path} cannot be had ({'; '.join(failures)})")


def _contents(package: bytes) -> tarfile.TarFile:
    """Open the archive of files in a Debian package (deb(5)), which is an ar archive."""
    at = 8
    while at < len(package):
        name, size = package[at : at + 16], int(package[at + 48 : at + 58])
        at += 60
        if name.startswith(b"data.tar"):
            return tarfile.open(fileobj=io.BytesIO(package[at : at + size]), mode="r|*")
        at += size + size % 2
    raise tarfile.ReadError("a Debian package without data")


def _runtime_requirements() -> bytes:
    command = ["uv", "export", "--quiet", "--frozen", "--no-header", "--only-group", "runtime"]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


def _install(requirements: bytes, target: Path) -> None:
    platform = ["--python-version", "3.13", "--python-platform", "aarch64-manylinux_2_34"]
    strictly = ["--no-build", "--no-deps", "--require-hashes", "--requirements", "-"]
    command: Command = ["uv", "pip", "install", "--quiet", *platform, *strictly, "--target", target]
    subprocess.run(command, input=requirements, check=True)
