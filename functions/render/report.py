"""The report of a result: one HTML file that needs nothing else, for people who would rather look.

`report` fills in ``report.html`` with text and drawings; the pictures come from `previews`.
"""

import math
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import msgspec

from previews import Preview
from quantization.messages import Result, Score

TEMPLATE = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))

# A chart's size and margins, in its own units, about one pixel each on a phone.
_WIDTH, _HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 40, 24

_LEAST_SHOWN = 320
"""Smaller images are shown enlarged, to about so many pixels."""

_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def report(
    result: Result, original: Preview, recoloured: Preview, seconds: dict[str, float]
) -> str:
    """Write the report.

    Parameters
    ----------
    result : Result
    original, recoloured : Preview
        Of the same size, both upright.
    seconds : dict of str to float
        How long each state took, in their order.

    Returns
    -------
    html : str
    """
    source = result.source
    name = source.key.rpartition("/")[2]
    width, height = original.width, original.height
    zoom = max(1, _LEAST_SHOWN // max(width, height))
    shown = "shown whole" if source.width == width else f"shown at {_size(width, height)}"
    picks: dict[str, int] = msgspec.structs.asdict(result.picks)
    return TEMPLATE.substitute(
        name=escape(name),
        k=result.k,
        choice=escape(_choice(result)),
        original=_data_url(original),
        recoloured=_data_url(recoloured),
        preview_width=width,
        preview_height=height,
        shown_width=width * zoom,
        ratio=f"{width / height:.4f}",
        rendering="pixelated" if zoom > 1 else "auto",
        preview_note=f"{_size(source.width, source.height)} pixels, {shown}; {_files(result)}",
        shares="".join(_share(s.colour, s.share) for s in result.palette),
        swatches="\n".join(_swatch(s.colour, s.share) for s in result.palette),
        charts="\n".join(_charts(result.scores, picks, result)),
        scores="\n".join(_score_row(score, picks) for score in result.scores),
        facts="\n".join(_facts(result, seconds)),
    )


def console_url(execution: str) -> str | None:
    """Return the page of an execution in the AWS console, or None for one of a local engine.

    Parameters
    ----------
    execution : str
        ARN.
    """
    _, partition, _, region, account, *_ = execution.split(":")
    if partition not in _CONSOLES or account == "000000000000":
        return None
    console = f"{region}.{_CONSOLES[partition]}"
    return f"https://{console}/states/home?region={region}#/v2/executions/details/{execution}"


def _choice(result: Result) -> str:
    k_min, k_max = result.window.k_min, result.window.k_max
    if result.k < k_min:
        return "The image has no more colours."
    if k_min == k_max:
        return "As many as asked for."
    choice = f"Chosen by the criterion “{result.criterion}” in the window {k_min}..{k_max}."
    if result.silhouette_on_edge:
        choice += " The silhouette is best at the edge of the window: it may be better beyond."
    return choice


def _size(width: int, height: int) -> str:
    return f"{width} &times; {height}"


def _files(result: Result) -> str:
    """Say what became of the file's size."""
    before, after = result.source_file, result.image_file
    return (
        f"{before.format.upper()} of {before.bytes / 1000:,.0f} kB became {after.format.upper()}"
        f" of {after.bytes / 1000:,.0f} kB"
    )


def _data_url(preview: Preview) -> str:
    return f"data:{preview.media_type};base64,{b64encode(preview.data).decode()}"


def _share(colour: str, share: float) -> str:
    return f'<i style="background:{colour};flex-grow:{share:.4f}"></i>'


def _swatch(colour: str, share: float) -> str:
    return (
        f'<li><button type="button" data-colour="{colour}"><i style="background:{colour}"></i>'
        f"<code>{colour}</code><small>{_percent(share)}</small></button></li>"
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 or share == 0 else "&lt; 0.1%"


def _charts(scores: Sequence[Score], picks: dict[str, int], result: Result) -> list[str]:
    silhouettes = {score.k: score.silhouette for score in scores}
    errors = {score.k: score.error for score in scores}
    return [
        _chart("Silhouette: higher is better separated", silhouettes, picks, result.k),
        _chart(
            "Error: lower is closer to the original", errors, picks, result.k, result.error_budget
        ),
    ]


def _chart(
    title: str,
    values: dict[int, float | None],
    picks: dict[str, int],
    chosen: int,
    budget: float | None = None,
) -> str:
    """Draw a curve over K as SVG, each criterion's pick marked, with a line at the budget."""
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
    parts += [
        f'<text x="{x(k)}" y="{_HEIGHT - 8}" text-anchor="middle">{k}</text>'
        for k in _labelled(low_k, high_k)
    ]
    if budget is not None:
        parts.append(
            f'<path class="budget" d="M{_LEFT} {y(budget)}H{_WIDTH - _RIGHT}"/>'
            f'<text x="{_WIDTH - _RIGHT}" y="{y(budget) - 4}" text-anchor="end">budget</text>'
        )
    for row, (k, names) in enumerate(_by_k(picks).items()):
        parts.append(_pick(x(k), row, f"{', '.join(names)}: {k}", chosen=k == chosen))
    # A K without a value leaves a gap.
    runs: list[list[str]] = [[]]
    for k, value in values.items():
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{x(k)},{y(value)}")
    parts += [f'<polyline class="curve" points="{" ".join(run)}"/>' for run in runs if run]
    parts += [
        f'<circle cx="{x(k)}" cy="{y(value)}" r="{4 if k == chosen else 2.5}">'
        f"<title>K = {k}: {value:.3f}</title></circle>"
        for k, value in known.items()
    ]
    summary = escape(f"{title}. " + ", ".join(f"{name} picks {k}" for name, k in picks.items()))
    drawing = "\n".join(parts)
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>\n"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{summary}">\n'
        f"{drawing}\n</svg></figure>"
    )


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


def _by_k(picks: dict[str, int]) -> dict[int, list[str]]:
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


def _labelled(low: int, high: int) -> list[int]:
    """Return the K that the axis names: the ends, and multiples of a round step between."""
    step = next(s for s in (1, 2, 4, 5, 8, 10, 20, 32, 64) if (high - low) / s <= 8)
    between = [k for k in range(low + 1, high) if k % step == 0]
    clear = [k for k in between if k - low >= step / 2 and high - k >= step / 2]
    return sorted({low, high, *clear})


def _score_row(score: Score, picks: dict[str, int]) -> str:
    notes = [f"picked by {name}" for name, k in picks.items() if k == score.k]
    if score.failure:
        notes.append(f"failed: {score.failure}")
    cells = [_number(score.silhouette, 4), _number(score.error, 3), _number(score.inertia, 0)]
    cells.append(escape(", ".join(notes)))
    return f'<tr><th scope="row">{score.k}</th>' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"


def _number(value: float | None, digits: int) -> str:
    return "&ndash;" if value is None else f"{value:,.{digits}f}"


def _facts(result: Result, seconds: dict[str, float]) -> list[str]:
    source = result.source
    url = console_url(result.execution)
    execution = escape(result.execution)
    facts = {
        "source": escape(f"s3://{source.bucket}/{source.key}"),
        "version": escape(source.version_id),
        "time": escape(", ".join(f"{state} {taken:.1f} s" for state, taken in seconds.items())),
        "execution": f'<a href="{escape(url)}">{execution}</a>' if url else execution,
        "made with": escape(", ".join(f"{n} {v}" for n, v in result.versions.items())),
    }
    return [f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items()]
