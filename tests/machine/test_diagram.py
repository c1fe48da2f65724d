"""The state machine's picture against its own file."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import yaml

from emulator.diagram import diagram
from tools.diagram import DEFINITION

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    definition: dict[str, Any] = yaml.safe_load(DEFINITION.read_text())
    return definition


def states_in(machine: dict[str, Any]) -> dict[str, Any]:
    found = dict(machine["States"])
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            found |= states_in(state["ItemProcessor"])
    return found


def test_every_state_and_every_way_is_drawn(definition: dict[str, Any]) -> None:
    picture = ET.fromstring(diagram(definition))
    states = states_in(definition)

    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {text for text in texts if text in states} == states.keys()
    ways = [p for p in picture.iter(f"{SVG}path") if "way" in p.get("class", "")]
    aside = sum(
        len(s.get("Catch", [])) + len(s.get("Choices", [])[1:]) + ("Default" in s)
        for s in states.values()
    )
    down = sum("Next" in s or "Choices" in s for s in states.values())
    assert len(ways) == aside + down
    assert len([p for p in ways if "otherwise" in p.attrib["class"]]) == aside


def test_everything_lies_within_the_picture(definition: dict[str, Any]) -> None:
    picture = ET.fromstring(diagram(definition))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())

    for box in picture.iter(f"{SVG}rect"):
        left, top = float(box.attrib["x"]), float(box.attrib["y"])
        assert left >= 0
        assert top >= 0
        assert left + float(box.attrib["width"]) <= width
        assert top + float(box.attrib["height"]) <= height
    for path in picture.iter(f"{SVG}path"):
        if "way" in path.get("class", ""):
            assert max(map(float, re.findall(r"[\d.]+", path.attrib["d"]))) <= max(width, height)
