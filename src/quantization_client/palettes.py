"""Write the palettes of results in formats that other programs load, each beside its result."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from quantization.contract import Result
from quantization.palette_files import WRITERS, palette_file
from quantization.replacing import replacing
from quantization_client.entry import standard_output, without_traceback

ALL_DONE, SOME_FAILED = 0, 1

EPILOG = f"""\
exit codes:
  {ALL_DONE}    all palettes were written
  {SOME_FAILED}    some were not: no result, no palette of K colors, or another file has that name
  2    bad usage
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return without_traceback(lambda: _run(parser().parse_args(arguments)))


def _run(options: argparse.Namespace) -> int:
    failures = []
    for path in options.results:
        try:
            for written in _write(path, options):
                with standard_output():
                    print(written)
        except OSError as error:
            failures.append(f"{error.filename or path}: {error.strerror}")
        except msgspec.DecodeError as error:
            failures.append(f"{path} is not read as a result: {error}")
        except _RefusedError as error:
            failures.append(f"{path}: {error}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return SOME_FAILED if failures else ALL_DONE


class _RefusedError(Exception):
    """A result has no such palette, or there is another file of its name."""


def _write(path: Path, options: argparse.Namespace) -> Iterator[Path]:
    """Write the palettes of a result that are asked for, and yield where."""
    result = msgspec.json.decode(path.read_bytes(), type=Result)
    if options.k is not None and options.k not in result.palettes():
        known = ", ".join(map(str, result.palettes()))
        raise _RefusedError(f"no palette of {options.k} colors; it has {known}")
    stem = path.with_suffix("") if options.k is None else f"{path.with_suffix('')}-{options.k}"
    for extension in options.format or WRITERS:
        target, content = Path(f"{stem}.{extension}"), palette_file(result, extension, options.k)
        if target.exists() and target.read_bytes() != content and not options.force:
            raise _RefusedError(f"{target} is there and differs; overwrite it with --force")
        with replacing({extension: target}) as partial:
            partial[extension].write_bytes(content)
        yield target


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
        help="the palette of K colors, instead of the one chosen; files are named RESULT-K",
    )
    parser.add_argument(
        "--force", action="store_true", help="overwrite files that exist and differ"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
