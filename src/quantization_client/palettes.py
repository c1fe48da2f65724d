"""Write the palette of results in the formats that people load, each beside its result."""

import argparse
import sys
from pathlib import Path

import msgspec

from quantization.contract import Result
from quantization.palette_files import WRITERS, palette_file

ALL_DONE, SOME_FAILED = 0, 1

EPILOG = f"""\
exit codes:
  {ALL_DONE}    all palettes are written
  {SOME_FAILED}    some files are no results, or have no palette of K colors
  2    bad usage
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = parser().parse_args(arguments)
    failed = False
    for path in options.results:
        try:
            result = msgspec.json.decode(path.read_bytes(), type=Result)
        except (OSError, msgspec.DecodeError) as error:
            failed = True
            print(f"{path}: {error}", file=sys.stderr)
            continue
        if options.k and options.k not in result.palettes():
            failed = True
            known = ", ".join(map(str, result.palettes()))
            print(f"{path}: no palette of {options.k} colors; it has {known}", file=sys.stderr)
            continue
        stem = path.with_suffix("") if options.k is None else f"{path.with_suffix('')}-{options.k}"
        for extension in options.format or WRITERS:
            written = Path(f"{stem}.{extension}")
            written.write_bytes(palette_file(result, extension, options.k))
            print(written)
    return SOME_FAILED if failed else ALL_DONE


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="quantize-palettes",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json")
    parser.add_argument(
        "--format",
        action="append",
        choices=WRITERS,
        help="gpl: GIMP, Inkscape, Krita; ase: Adobe; css: custom properties;"
        " may be given several times; default: all",
    )
    parser.add_argument(
        "--k",
        type=int,
        help="the palette of K colors, in place of the image's own; files are named RESULT-K",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
