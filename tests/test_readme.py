"""What README says of options, parameters, results and files, against what there is."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import msgspec
import pytest
from samcli.yamlhelper import yaml_parse

from emulator.engine import ROOT
from quantization import quantize
from quantization.contract import Result
from quantization.errors import REFUSALS
from quantization_client.finding import sample_image
from quantization_client.main import command
from tools.schema import SCHEMAS

README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OMISSION = "…"


def rows_under(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without the table's own heading."""
    section = README.split(f"\n### {heading}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    table = "\n".join(lines)
    assert table in section, "an empty line splits the table"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_commands_use_flags_that_there_are() -> None:
    flags = {flag for action in command()._actions for flag in action.option_strings}
    commands = re.findall(r"(?:\$ quantize |ARGS=)([^\n#]*)", README)

    used = {flag for command in commands for flag in re.findall(r"--[a-z-]+", command)}
    assert used
    assert used <= flags


def test_every_parameter_is_told_with_its_default() -> None:
    parameters = yaml_parse((ROOT / "template.yml").read_text())["Parameters"]
    told = {}
    for names, default, _ in rows_under("Parameters"):
        defaults = default.replace("`", "").split(", ")
        for name, value in zip(quoted(names), defaults * 2, strict=False):
            told[name] = value

    assert told == {name: str(p["Default"]) for name, p in parameters.items()}


def test_every_refusal_is_named() -> None:
    of_errors = README.split("leaves the execution FAILED")[1].split("None of them is retried")[0]
    assert {*quoted(of_errors)} == REFUSALS.keys()


def same_keys(
    example: object, real: dict[str, Any], schema: dict[str, Any], where: str = ""
) -> None:
    """Check that an example has the keys of the schema, down to where it leaves out the rest."""
    real = schema["$defs"][real["$ref"].rpartition("/")[2]] if "$ref" in real else real
    if isinstance(example, dict) and "properties" in real:
        # A field that is not required is left out where there is nothing to say.
        expected = {*real.get("required", ()), *example}
        assert list(example) == [n for n in real["properties"] if n in expected], where
        for name, value in example.items():
            same_keys(value, real["properties"][name], schema, f"{where}.{name}")
    elif isinstance(example, list):
        for item in example:
            if item != OMISSION:
                same_keys(item, real["items"], schema, f"{where}[]")


@pytest.fixture(scope="module")
def example() -> Any:
    """Return the result that README shows."""
    (text,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    return json.loads(text)


def test_example_of_a_result_has_the_shape_of_one(example: Any) -> None:
    schema = json.loads(SCHEMAS[Result].read_text())

    same_keys(example, schema, schema)


def as_told(example: Any, real: Any) -> Any:
    """Return what an example tells of a value: no more items than it has, nor digits."""
    if isinstance(example, str) and OMISSION in example:
        return example
    if isinstance(example, dict):
        return {name: as_told(value, real.get(name)) for name, value in example.items()}
    if isinstance(example, list):
        told = example[: example.index(OMISSION)] if OMISSION in example else example
        assert len(told) == len(real) or len(told) < len(example), "nothing tells of the others"
        return [as_told(*pair) for pair in zip(told, real, strict=False)] + example[len(told) :]
    if isinstance(example, float):
        return round(real, len(str(example).partition(".")[2]))
    return real


def test_example_of_a_result_is_that_of_the_sample_photo(example: Any) -> None:
    result = msgspec.to_builtins(quantize(sample_image()).result)

    assert as_told(example, result) == example


def anchors(page: str) -> set[str]:
    """Return those that GitHub gives the headings of a page."""
    code = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)", code.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_linked_is_there(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    for target in links + re.findall(r'src="([^"]*)"', text):
        path, _, anchor = target.partition("#")
        if "://" not in target:
            there = page.parent / path if path else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there.read_text()), target


def test_targets_are_those_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    for named in re.findall(r"(?:`|\$ )make ([a-z-]+)", README):
        assert any(fnmatch(named, target.replace("%", "*")) for target in targets), named
