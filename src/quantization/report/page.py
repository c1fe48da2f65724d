"""The report of a result: one HTML file that needs nothing else, for people who would rather look.

`report` fills in ``page.html``; the pictures come from `previews`, the curves from `charts`.
"""

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template

from quantization.contract import Result, Score
from quantization.options import Criterion
from quantization.report.charts import THEME, charts, figure
from quantization.report.previews import Preview

TEMPLATE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))

_LEAST_SHOWN = 320
"""Smaller images are shown enlarged, to about so many pixels."""

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def report(result: Result, original: Preview, recolored: Preview, seconds: dict[str, float]) -> str:
    """Write the report.

    Parameters
    ----------
    result : Result
    original, recolored : Preview
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
    several = len(result.scores) > 1
    picks = result.picks
    return TEMPLATE.substitute(
        theme=THEME,
        name=escape(name),
        k=result.k,
        amount="1 color" if result.k == 1 else f"{result.k} colors",
        choice=escape(_choice(result)),
        original=_data_url(original),
        recolored=_data_url(recolored),
        preview_width=width,
        preview_height=height,
        shown_width=width * zoom,
        ratio=f"{width / height:.4f}",
        rendering="pixelated" if zoom > 1 else "auto",
        preview_note=f"{_size(source.width, source.height)} pixels, {shown}; {_files(result)}",
        shares="".join(_share(s.color, s.share) for s in result.palette),
        swatches="\n".join(_swatch(s.color, s.share) for s in result.palette),
        # Of a single K there is no curve.
        charts="\n".join(map(figure, charts(result))) if several else "",
        details="details" if several else "details open",
        why=f"Why {result.k}" if several else "How good it is",
        scores="\n".join(_score_row(score, picks if several else {}) for score in result.scores),
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
    if partition not in CONSOLES or account == "000000000000":
        return None
    console = f"{region}.{CONSOLES[partition]}"
    return f"https://{console}/states/home?region={region}#/v2/executions/details/{execution}"


def _choice(result: Result) -> str:
    k_min, k_max = result.options.k_min, result.options.k_max
    if result.k < k_min:
        return "The image has no more colors."
    if k_min == k_max:
        return "As many as asked for."
    choice = f"Chosen by the criterion “{result.options.criterion}” in the window {k_min}..{k_max}."
    if result.silhouette_at == "edge":
        choice += " The silhouette is best at the edge of the window: it may be better beyond."
    return choice


def _size(width: int, height: int) -> str:
    return f"{width} &times; {height}"


def _files(result: Result) -> str:
    """Say what became of the file's size."""
    before, after = result.source_file, result.image_file
    return (
        f"{before.format.upper()} of {_kilobytes(before.bytes)} became {after.format.upper()}"
        f" of {_kilobytes(after.bytes)}"
    )


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.{0 if size >= 10_000 else 1}f}&nbsp;kB"


def _data_url(preview: Preview) -> str:
    return f"data:{preview.media_type};base64,{b64encode(preview.data).decode()}"


def _share(color: str, share: float) -> str:
    return f'<i style="background:{color};flex-grow:{share:.4f}"></i>'


def _swatch(color: str, share: float) -> str:
    return (
        f'<li><button type="button" data-color="{color}"><i style="background:{color}"></i>'
        f"<code>{color}</code><small>{_percent(share)}</small></button></li>"
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 or share == 0 else "&lt; 0.1%"


def _score_row(score: Score, picks: Mapping[Criterion, int]) -> str:
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
        "time": escape(
            ", ".join(f"{state} {taken:.1f}\N{NO-BREAK SPACE}s" for state, taken in seconds.items())
        ),
        "execution": f'<a href="{escape(url)}">{execution}</a>' if url else execution,
        "made with": escape(", ".join(f"{n} {v}" for n, v in result.versions.items())),
    }
    return [f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items()]
