"""The curves of a result over K, as SVG: for the report, and as a picture of their own."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from quantization.contract import Result
from quantization.options import Criterion

THEME = Path(__file__).with_name("theme.css").read_text(encoding="utf-8")
"""The colors of pages and drawings, light and dark, and what is drawn how."""

# A chart's size and margins, in its own units, about one pixel each on a phone.
_WIDTH, _HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 40, 24

PLOT_LEFT = _LEFT / _WIDTH
PLOT_WIDTH = (_WIDTH - _LEFT - _RIGHT) / _WIDTH
"""Where the smallest K is, and how far the largest one is from it, as parts of a chart's width."""


class Chart(NamedTuple):
    """One curve.

    title : str
    summary : str
        What who cannot see it is told.
    drawing : str
        SVG elements, `_WIDTH` wide and `_HEIGHT` high.
    """

    title: str
    summary: str
    drawing: str


def charts(result: Result) -> list[Chart]:
    """Draw the silhouettes and the errors over K, each criterion's pick marked."""
    silhouettes = {score.k: score.silhouette for score in result.scores}
    errors = {score.k: score.error for score in result.scores}
    return [
        _chart("Silhouette: higher is better separated", silhouettes, result),
        _chart(
            "Error: lower is closer to the original", errors, result, result.options.error_budget
        ),
    ]


def figure(chart: Chart, ks: Sequence[int], k: int) -> str:
    """Put a chart into an HTML page that has the `THEME`, with a slider over `ks`, at `k`."""
    measure = chart.title.partition(":")[0].lower()
    return (
        f'<figure><figcaption>{escape(chart.title)}</figcaption><div class="plot">\n'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(chart.summary)}">\n'
        f"{chart.drawing}\n</svg>"
        f'<input class="k" type="range" min="{min(ks)}" max="{max(ks)}" value="{k}"'
        f' aria-label="Number of colors, on the curve of the {measure}">'
        "</div></figure>"
    )


def curves(result: Result) -> str:
    """Return all charts of a result side by side, as an SVG file."""
    drawn = charts(result)
    padding, heading = 16, 24
    width, height = len(drawn) * (_WIDTH + padding) + padding, heading + _HEIGHT + 2 * padding
    groups = "\n".join(
        f'<g transform="translate({padding + number * (_WIDTH + padding)} {padding + heading})">\n'
        f'<text class="title" x="0" y="{-heading / 2:g}">{escape(chart.title)}</text>\n'
        f"{chart.drawing}\n</g>"
        for number, chart in enumerate(drawn)
    )
    summary = escape(" ".join(chart.summary for chart in drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' role="img" aria-label="{summary}">\n<style>\n{THEME}</style>\n'
        f'<rect class="page" width="{width}" height="{height}" rx="8"/>\n{groups}\n</svg>\n'
    )


def _chart(
    title: str,
    values: dict[int, float | None],
    result: Result,
    budget: float | None = None,
) -> Chart:
    """Draw a curve over K, with a line at the budget."""
    picks = result.picks
    known = {k: value for k, value in values.items() if value is not None}
    ticks = _ticks([*known.values()] + ([budget] if budget is not None else []))
    low_k, high_k = min(values), max(values)

    def x(k: float) -> float:
        share = (k - low_k) / (high_k - low_k) if high_k > low_k else 0.5
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        f'<path class="axis" d="M{_LEFT} {y(tick)}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>'
        for tick in ticks
    ]
    parts.append(f'<text x="{_LEFT - 8}" y="{_HEIGHT - 8}" text-anchor="end">K =</text>')
    parts += [
        f'<text x="{x(k)}" y="{_HEIGHT - 8}" text-anchor="middle">{k}</text>'
        for k in _labeled(low_k, high_k)
    ]
    if budget is not None:
        parts.append(
            f'<path class="budget" d="M{_LEFT} {y(budget)}H{_WIDTH - _RIGHT}"/>'
            f'<text x="{_LEFT + 6}" y="{y(budget) - 4}">budget</text>'
        )
    for row, (k, names) in enumerate(_by_k(picks).items()):
        parts.append(_pick(x(k), row, f"{', '.join(names)}: {k}", chosen=k == result.k))
    # A K without a value leaves a gap.
    runs: list[list[str]] = [[]]
    for k, value in values.items():
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{x(k)},{y(value)}")
    parts += [f'<polyline class="curve" points="{" ".join(run)}"/>' for run in runs if run]
    parts += [
        f'<circle data-k="{k}" cx="{x(k)}" cy="{y(value)}" r="{4 if k == result.k else 2.5}">'
        f"<title>K = {k}: {value:.3f}</title></circle>"
        for k, value in known.items()
    ]
    told = ", ".join(f"{name} picks {k}" for name, k in picks.items())
    return Chart(title, f"{title}. {told}.", "\n".join(parts))


def _pick(x: float, row: int, label: str, *, chosen: bool) -> str:
    """Draw a pick as a vertical line, its label in a row of its own above the curve."""
    baseline = 12 + 14 * row
    share = (x - _LEFT) / (_WIDTH - _LEFT - _RIGHT)
    anchor = "start" if share < 1 / 3 else "end" if share > 2 / 3 else "middle"
    return (
        f'<g class="pick{" chosen" if chosen else ""}">'
        f'<line x1="{x}" x2="{x}" y1="{baseline + 4}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x}" y="{baseline}" text-anchor="{anchor}">{escape(label)}</text></g>'
    )


def _by_k(picks: Mapping[Criterion, int]) -> dict[int, list[str]]:
    """Group the criteria by what they pick."""
    names: dict[int, list[str]] = {}
    for name, k in picks.items():
        names.setdefault(k, []).append(name)
    return names


def _ticks(values: Sequence[float]) -> list[float]:
    """Return 3 to 7 round numbers, evenly spaced, the first and last of which enclose all."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 2))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if span / (m * power) <= 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


def _labeled(low: int, high: int) -> list[int]:
    """Return the K that the axis names: the ends, and multiples of a round step between."""
    step = next(s for s in (1, 2, 4, 5, 8, 10, 20, 32, 64) if (high - low) / s <= 8)
    between = [k for k in range(low + 1, high) if k % step == 0]
    clear = [k for k in between if k - low >= step / 2 and high - k >= step / 2]
    return sorted({low, high, *clear})
