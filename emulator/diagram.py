"""Draw a state machine as SVG.

The way through the machine runs down; what is passed otherwise stands beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Any

_BOX = (170, 44)
_GAP, _ASIDE, _PADDING = 34, 100, 26


@dataclass(frozen=True)
class Mark:
    """What the box of a state shows of an execution."""

    style: str
    """Class of the box."""
    text: str
    address: str
    """Where a click leads."""


@dataclass
class _Drawing:
    """Parts of the picture, and where each state's box is: left, top, width, height."""

    mark: Callable[[str], Mark] | None = None
    parts: list[str] = field(default_factory=list)
    boxes: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    right: float = 0


def diagram(
    definition: dict[str, Any], style: str = "", mark: Callable[[str], Mark] | None = None
) -> str:
    """Return the picture of a state machine.

    Parameters
    ----------
    definition : dict
        In Amazon States Language.
    style : str, optional
        CSS, where the page that shows the picture has none for it.
    mark : callable, optional
        Given a state's name, returns what its box shows of an execution.

    Returns
    -------
    svg : str

    """
    drawing = _Drawing(mark)
    bottom = _draw(drawing, definition, left=20, top=20)
    width, height = drawing.right + 20, bottom + 20
    parts = "\n".join(drawing.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" role="{"group" if mark else "img"}"'
        f' aria-label="{escape(definition["Comment"])}">\n'
        f"{style}"
        f'<rect class="page" x="0" y="0" width="{width:g}" height="{height:g}" rx="8"/>\n'
        '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto"><path d="M0 0L8 4L0 8z"/></marker>\n'
        f"{parts}\n</svg>\n"
    )


def _draw(drawing: _Drawing, machine: dict[str, Any], left: float, top: float) -> float:
    """Draw the states of a machine, or of a Map's iteration; return how far down it goes."""
    states: dict[str, Any] = machine["States"]
    way = list(_way(machine))
    # In the column of the way, boxes are centered: an iteration with its padding is the widest.
    maps = [states[name]["ItemProcessor"] for name in way if "ItemProcessor" in states[name]]
    indent = _PADDING if maps else 0
    aside = left + 2 * indent + _BOX[0] + _ASIDE + (_BOX[0] + _ASIDE if maps else 0)
    y = top
    for name in way:
        if "ItemProcessor" in states[name]:
            bottom = _draw(drawing, states[name]["ItemProcessor"], left + indent, y + 2 * _PADDING)
            width, height = aside - left - _ASIDE, bottom + _PADDING - y
            drawing.boxes[name] = (left, y, width, height)
            drawing.parts.append(_box(drawing, name, states[name], label_at=20))
        else:
            drawing.boxes[name] = (left + indent, y, *_BOX)
            drawing.parts.append(_box(drawing, name, states[name]))
        y += drawing.boxes[name][3] + _GAP
    middle = left + indent + _BOX[0] / 2
    for before, after in pairwise(way):
        drawing.parts.append(_down(drawing.boxes[before], drawing.boxes[after], middle))
    bottom, free = y - _GAP, 0.0
    for name, leading in _aside(states, way):
        above = [drawing.boxes[before] for before in leading if before not in way]
        beside = [drawing.boxes[before] for before in leading if before in way]
        top = max(box[1] + box[3] for box in above) + _GAP if above else beside[0][1]
        top = max(top, free)
        drawing.boxes[name] = box = (aside, top, *_BOX)
        drawing.parts.append(_box(drawing, name, states[name]))
        drawing.parts += [_down(upper, box, aside + _BOX[0] / 2) for upper in above]
        drawing.right = max(drawing.right, aside + _BOX[0])
        bottom, free = max(bottom, top + _BOX[1]), top + _BOX[1] + _GAP
    for name in way:
        for target, label in _exits(states[name]):
            drawing.parts.append(_across(drawing.boxes[name], drawing.boxes[target], label))
    for name, state in states.items():
        if name in way:
            continue
        ways = [(state.get("Next"), "way"), *((to, "way otherwise") for to, _ in _exits(state))]
        drawing.parts += [
            _back(drawing.boxes[name], drawing.boxes[target], style)
            for target, style in ways
            if target in way
        ]
    return bottom


def _aside(states: dict[str, Any], way: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the states that are off the way, and what leads to each, which comes before it."""
    leading = {
        name: [b for b in states if name in [states[b].get("Next"), *dict(_exits(states[b]))]]
        for name in states
    }
    placed = set(way)
    while waiting := [name for name in states if name not in placed]:
        ready = [name for name in waiting if placed.issuperset(leading[name])]
        name = min(ready, key=lambda n: min(map(way.index, {*leading[n]} & {*way}), default=99))
        yield name, leading[name]
        placed.add(name)


def _way(machine: dict[str, Any]) -> Iterator[str]:
    """Yield the states that are passed when all goes well."""
    name = machine["StartAt"]
    while name:
        yield name
        state = machine["States"][name]
        name = state["Choices"][0]["Next"] if "Choices" in state else state.get("Next")


def _exits(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where else a state may lead, and when."""
    for catch in state.get("Catch", []):
        errors = catch["ErrorEquals"]
        yield catch["Next"], "any error" if errors == ["States.ALL"] else f"{len(errors)} errors"
    yield from ((choice["Next"], "") for choice in state.get("Choices", [])[1:])
    if "Default" in state:
        yield state["Default"], "otherwise"


def _box(drawing: _Drawing, name: str, state: dict[str, Any], label_at: float = 19) -> str:
    left, top, width, height = drawing.boxes[name]
    kind, comment = state["Type"], escape(state.get("Comment", ""))
    # An iteration is drawn below its Map's name, on the way.
    middle = left + _PADDING + _BOX[0] / 2 if width > _BOX[0] else left + width / 2
    mark = drawing.mark(name) if drawing.mark else Mark("", "", "")
    box = (
        f'<g><title>{comment}</title><rect class="{f"state {kind} {mark.style}".strip()}"'
        f' x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="8"/>'
        f'<text x="{middle:g}" y="{top + label_at:g}">{escape(name)}</text>'
        f'<text class="kind" x="{middle:g}" y="{top + label_at + 16:g}">'
        f"{escape(mark.text or kind)}</text></g>"
    )
    return f'<a href="{escape(mark.address)}">{box}</a>' if drawing.mark else box


def _down(
    before: tuple[float, float, float, float], after: tuple[float, float, float, float], x: float
) -> str:
    return f'<path class="way" d="M{x:g} {before[1] + before[3]:g}V{after[1]:g}"/>'


def _across(
    before: tuple[float, float, float, float],
    after: tuple[float, float, float, float],
    label: str,
) -> str:
    """Draw a way to a box beside, along the gap between the columns where it is in another row."""
    x, y = before[0] + before[2], before[1] + _BOX[1] / 2
    turn = after[0] - (24 if "error" in label else 44)
    end = f"V{after[1] + _BOX[1] / 4:g}H{after[0]:g}"
    path = f"M{x:g} {y:g}H{turn:g}{end}" if before[1] != after[1] else f"M{x:g} {y:g}H{after[0]:g}"
    text = f'<text class="label" x="{x + 38:g}" y="{y - 5:g}">{label}</text>'
    return f'<path class="way otherwise" d="{path}"/>{text}'


def _back(
    before: tuple[float, float, float, float], after: tuple[float, float, float, float], style: str
) -> str:
    """Draw a way from a box beside back to one further down, along the gap between the columns."""
    x, y, turn = before[0] + _PADDING, before[1] + before[3], before[0] - _ASIDE + _PADDING
    end = f"V{after[1] + after[3] - 10:g}H{after[0] + after[2]:g}"
    return f'<path class="{style}" d="M{x:g} {y:g}V{y + _GAP / 2:g}H{turn:g}{end}"/>'
