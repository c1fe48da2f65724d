"""What the documentation repeats of the code: the table of options, and the commands' help."""

import argparse
import os
import re
from pathlib import Path

from emulator.engine import ROOT
from quantization.options import FIELDS, description_of, values_of
from quantization_client import main as quantize
from quantization_client import palettes

README = ROOT / "README.md"
COMMAND_LINE = ROOT / "docs/command-line.md"

_START = "<!-- The table of options is written by `make generate`. -->\n\n"
_END = "\n<!-- End of the table of options. -->"


def generated() -> dict[Path, str]:
    """Return the pages as they should be, by their paths."""
    return {README: _with_table(README.read_text()), COMMAND_LINE: _with_help(COMMAND_LINE)}


def _with_table(page: str) -> str:
    before, _, rest = page.partition(_START)
    _, _, after = rest.partition(_END)
    return f"{before}{_START}{_options_table()}{_END}{after}"


def _options_table() -> str:
    rows = []
    for name, field in FIELDS.items():
        values = values_of(name)
        shown = ", ".join(f"`{choice}`" for choice in values.choices) or values.phrase
        cells = [f"`{name}`", shown, _default(field.default), description_of(name)]
        rows.append(f"| {' | '.join(cells)} |\n")
    return "| option | values | default | |\n|---|---|---|---|\n" + "".join(rows)


def _default(value: object) -> str:
    match value:
        case None | ():
            return ""
        case int() | float():
            return f"{value:g}"
        case _:
            return f"`{value}`"


def _with_help(path: Path) -> str:
    page = path.read_text()
    for parser in (quantize.command(), palettes.parser()):
        # What stands between the fences, from its first line on, which names the command.
        block = re.compile(rf"(?<=```\n)usage: {parser.prog} .*?(?=```)", re.DOTALL)
        page = page.replace(block.findall(page)[0], _help(parser))
    return page


def _help(parser: argparse.ArgumentParser) -> str:
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        return parser.format_help()
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns
