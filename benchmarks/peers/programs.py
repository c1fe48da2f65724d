"""Programs that reduce the colors of an image, where they are installed."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import ROOT, Command

HERE = Path(__file__).parent


def at_hand(
    source: Path, k: int, folder: Path, *, dithered: bool = False
) -> dict[str, tuple[Command, Path]]:
    """List the programs by name: the command of each, and the file that it writes.

    Programs that dither do so in the way that is their default.
    """
    target = Path("target")
    ours: Command = ["python", ROOT / "benchmarks" / "quantize_file.py", source, target, str(k)]
    pillow: Command = ["python", HERE / "pillow_file.py", source, target, str(k)]
    commands: dict[str, Command] = {}
    if dithered:
        for dither in ("diffusion", "ordered", "none"):
            commands[f"ours, {dither}"] = [*ours, dither]
        commands["Pillow mediancut"] = [*pillow, "MEDIANCUT", "FLOYDSTEINBERG"]
    else:
        commands["ours"] = ours
        for method in ("MEDIANCUT", "FASTOCTREE"):
            commands[f"Pillow {method.lower()}"] = [*pillow, method, "NONE"]
    for name, pngquant in pngquants().items():
        options: Command = ["--force", "--output", target, str(k), source]
        commands[name] = [pngquant, *([] if dithered else ["--nofs"]), *options]
    plain = [] if dithered else ["+dither"]
    if gm := shutil.which("gm"):
        commands["GraphicsMagick"] = [gm, "convert", source, *plain, "-colors", str(k), target]
    if magick := shutil.which("magick") or shutil.which("convert-im6.q16"):
        commands["ImageMagick"] = [magick, source, *plain, "-colors", str(k), target]
    placed = {}
    for number, (name, command) in enumerate(commands.items()):
        path = folder / f"{number}.png"
        placed[name] = ([path if part is target else part for part in command], path)
    return placed


def pngquants() -> dict[str, str]:
    """Find pngquant, of the environment and of the system, by name and version."""
    found = {}
    for folders in (None, "/usr/local/bin:/usr/bin"):
        if path := shutil.which("pngquant", path=folders):
            says = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
            found[f"pngquant {says.stdout.split()[0]}"] = path
    return found
