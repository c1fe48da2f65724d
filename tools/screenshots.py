"""Take pictures of pages as Chromium shows them.

python -m tools.screenshots FILE.html PICTURE.png [WIDTH HEIGHT]
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

DESKTOP = 960, 800
"""Width and height, in pixels."""


class NoBrowserError(Exception):
    """Chromium is not installed."""


def chromium() -> str | None:
    """Return where Chromium is, as Debian and others name it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def browser() -> str:
    """Return where Chromium is.

    Raises
    ------
    NoBrowserError

    """
    found = chromium()
    if found is None:
        raise NoBrowserError("no Chromium: apt-get install chromium")
    return found


def take(page: Path, picture: Path, width: int = DESKTOP[0], height: int = DESKTOP[1]) -> None:
    """Write what a window of a size shows of a page.

    Raises
    ------
    NoBrowserError

    """
    program = browser()
    with TemporaryDirectory() as profile:
        subprocess.run(
            [
                *(program, "--headless=new", "--no-sandbox", "--hide-scrollbars"),
                f"--user-data-dir={profile}",
                *(f"--window-size={width},{height}", f"--screenshot={picture.resolve()}"),
                page.resolve().as_uri(),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
