"""The report of a result: one HTML file that needs nothing else, for people who would rather look.

`report` fills in ``page.html``; the picture comes from `previews`, the curves from `charts`, and
the sentence that says why from `reasons`. The result in any K is drawn in the browser, by the
scripts beside this module, for which ``page.html`` has the palettes as JSON.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from quantization.contract import Result, Score, Swatch
from quantization.options import Criterion
from quantization.palette_files import one_line
from quantization.report import GENERATOR
from quantization.report.charts import PLOT_LEFT, PLOT_WIDTH, THEME, charts, figure
from quantization.report.previews import Preview
from quantization.report.reasons import amount, change, why

MAX_BYTES = 300_000
"""Of a report, unless palettes and a picture of low quality are larger than that."""

_LEAST_SHOWN = 320
"""Smaller images are shown enlarged, to about so many pixels."""

_MEANINGS = {
    "K": "the number of colors.",
    "silhouette": (
        "how clearly the pixels fall into K groups: 1 is perfectly apart, 0 is no groups at all,"
        " and less than 0 is the wrong groups. Best for flat art."
    ),
    "error": (
        "how far a pixel's color is from its palette color on average, as the eye sees it (OKLab"
        " x 100). Side by side, about 2 can just be told apart; small parts may differ by more."
    ),
    "accents": "the error of the vivid color that suffers most; 0 where all keep their hue.",
    "inertia": "the sum of squared RGB distances, which k-means makes small: to compare only.",
    "guarded": (
        "the criterion that takes the silhouette's K where that is clear, and otherwise the fewest"
        " colors that keep within the budget: the error, and a third of that of a vivid color that"
        " loses its hue."
    ),
}

_COLUMNS = {
    "silhouette": ("silhouette", 4),
    "error": ("error", 3),
    "accents": ("accent_error", 1),
    "inertia": ("inertia", 0),
}
"""What the table says of each K: a field of `Score`, with so many digits."""

_FORMATS = {"webp": "WebP", "array": "an array"}
"""What is not called by its name in capitals."""

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_PAGE, _DIAL = Template(_read("page.html")), Template(_read("dial.html"))
_STYLE = THEME + _read("page.css")
_SCRIPT = "\n".join(map(_read, ("recolor.js", "palette_files.js", "page.js")))


def report(
    result: Result,
    preview: Preview,
    seconds: Mapping[str, float],
    began: datetime | None = None,
) -> str:
    """Write the report.

    Parameters
    ----------
    result : Result
    preview : Preview
        Of the whole original.
    seconds : mapping of str to float
        How long each state took, in their order.
    began : datetime, optional
        When the execution's first state did, if there was an execution.

    Returns
    -------
    html : str
        Of at most `MAX_BYTES`, with the best picture that leaves room for.
    """
    name = result.source.key.rpartition("/")[2]
    style, script = _STYLE + _sizes(preview), _SCRIPT
    page = _PAGE.safe_substitute(
        generator=GENERATOR,
        style=style,
        style_hash=_source_hash(style),
        script=script,
        script_hash=_source_hash(script),
        # "$" as a name of the template would stand for the picture, which comes last.
        name=escape(name).replace("$", "&#36;"),
        amount=amount(result.k),
        why=escape(why(result)),
        size=_size(result, preview),
        width=preview.width,
        height=preview.height,
        dial=_dial(result),
        shares=_share_bar(result.palette),
        swatches="\n".join(map(_swatch, result.palette)),
        files=_files(result, name),
        data=_data(result, name),
        facts="\n".join(_facts(result, seconds, began)),
        **_scores(result),
    )
    room = MAX_BYTES - len(page.encode())
    picture = preview.encode(max_bytes=room * 3 // 4 - 40)
    url = f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"
    return page.replace("$original", url, 1)


def console_url(execution: str, began: datetime | None = None) -> str | None:
    """Return the page of an execution in the AWS console, or None for one of a local engine.

    Parameters
    ----------
    execution : str
        ARN.
    began : datetime, optional
        When its first state did. An Express workflow's page is made from its logs, which
        the console looks for from a minute before.
    """
    _, partition, _, region, account, kind, *_ = execution.split(":")
    if partition not in CONSOLES or account == "000000000000":
        return None
    page = f"v2/executions/details/{execution}"
    if kind == "express" and began:
        start = int((began.timestamp() - 60) * 1000)
        page = f"express-executions/details/{execution}?startDate={start}"
    return f"https://{region}.{CONSOLES[partition]}/states/home?region={region}#/{page}"


def _source_hash(text: str) -> str:
    """Return how a Content Security Policy names an inline style or script (CSP 3, 2.3.1)."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _sizes(preview: Preview) -> str:
    zoom = max(1, _LEAST_SHOWN // max(preview.width, preview.height))
    return (
        f":root {{ --natural: {preview.width}px; --shown: {preview.width * zoom}px;"
        f" --ratio: {preview.width / preview.height:.4f};"
        f" --rendering: {'pixelated' if zoom > 1 else 'auto'};"
        f" --plot-left: {PLOT_LEFT:.3%}; --plot-width: {PLOT_WIDTH:.3%}; }}\n"
    )


def _size(result: Result, preview: Preview) -> str:
    """Say how large the image is, at which scale it is shown, and what became of its file."""
    source, before, after = result.source, result.source_file, result.image_file
    changed = change(before.bytes, after.bytes).replace("\N{MINUS SIGN}", "&minus;")
    scale = round(source.width * source.height / (preview.width * preview.height)) ** 0.5
    shown = "" if scale == 1 else f", shown at about 1:{scale:.1f}".replace(".0", "")
    dithered = " The file is dithered; this page is not." if result.options.dither != "none" else ""
    left_out = f" Of its {before.frames} frames or pages this is the first."
    return (
        f"{source.width} &times; {source.height} pixels{shown};"
        f" {_format(before.format)} of {_kilobytes(before.bytes)} became"
        f" {_format(after.format)} of {_kilobytes(after.bytes)} ({changed}).{dithered}"
        f"{left_out if before.frames > 1 else ''}"
    )


def _dial(result: Result) -> str:
    """Return what one chooses K with; nothing where there is one K only."""
    ks = list(result.palettes())
    if len(ks) == 1:
        return ""
    names: dict[int, list[str]] = {result.k: []}
    for criterion, k in result.picks.items():
        names.setdefault(k, []).append(criterion)
    picks = [
        f'<button type="button" data-k="{k}" aria-pressed="{str(k == result.k).lower()}">'
        f"{k}: {', '.join(criteria + ['this file'] * (k == result.k))}</button>"
        for k, criteria in sorted(names.items())
    ]
    return _DIAL.substitute(
        k=result.k,
        k_min=min(ks),
        k_max=max(ks),
        marks="".join(f'<option value="{k}">' for k in sorted(names)),
        picks=" ".join(picks),
    )


def _data(result: Result, name: str) -> str:
    """Return what the scripts know, as JSON that is text in HTML, too."""
    fitted = [score for score in result.scores if score.palette]
    known = {
        "name": one_line(name),
        "stem": _stem(name),
        "k": result.k,
        "space": result.options.space,
        "shares": [(swatch.color, swatch.share) for swatch in result.palette],
        "palettes": {score.k: score.palette for score in fitted},
        "scores": {score.k: (score.silhouette, score.error) for score in fitted},
    }
    return json.dumps(known, separators=(",", ":")).replace("<", "\\u003c")


def _scores(result: Result) -> dict[str, str]:
    """Return the parts of the page that compare K; of a single one there is no curve."""
    several = len(result.scores) > 1
    picks = result.picks if several else {}
    ks = [score.k for score in result.scores]
    figures = "\n".join(figure(chart, ks, result.k) for chart in charts(result)) if several else ""
    columns = dict(_COLUMNS)
    if all(score.silhouette is None for score in result.scores):
        del columns["silhouette"]
    explained = ["K", *columns, *["guarded"] * several]
    return {
        "scores_heading": "Every number of colors" if several else "How good it is",
        "charts": f'<div class="charts">\n{figures}\n</div>' if several else "",
        "meanings": "\n".join(_definition(name, _MEANINGS[name]) for name in explained),
        "details": "details" if several else "details open",
        "heads": "".join(f'<th scope="col">{name}</th>' for name in ("K", *columns, "note")),
        "scores": "\n".join(_score_row(score, columns, picks) for score in result.scores),
    }


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _files(result: Result, name: str) -> str:
    """Link to what was written beside the report."""
    image = result.image_file
    labels = {
        image.format: f"the image ({_format(image.format)}, {_kilobytes(image.bytes)})",
        "json": "the result as JSON",
    } | {format_: f"the palette as {format_.upper()}" for format_ in result.options.palettes}
    links = [
        f'<a href="{escape(quote(f"./{_stem(name)}.{extension}"))}">{label}</a>'
        for extension, label in labels.items()
    ]
    return f"{', '.join(links[:-1])} and {links[-1]}"


def _format(name: str) -> str:
    return _FORMATS.get(name, name.upper())


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.{0 if size >= 10_000 else 1}f}&nbsp;kB"


def _share_bar(palette: list[Swatch]) -> str:
    left, bars = 0.0, []
    for swatch in palette:
        share = swatch.share or 0
        bars.append(f'<rect x="{left:.4f}" width="{share:.4f}" height="1" fill="{swatch.color}"/>')
        left += share
    return "".join(bars)


def _swatch(swatch: Swatch) -> str:
    share = swatch.share or 0
    percent = f"{share:.1%}" if share >= 0.001 or share == 0 else "&lt; 0.1%"
    return (
        '<li><button type="button"><svg aria-hidden="true">'
        f'<rect width="100%" height="100%" fill="{swatch.color}"/></svg>'
        f"<code>{swatch.color}</code><small>{percent}</small></button></li>"
    )


def _score_row(
    score: Score, columns: Mapping[str, tuple[str, int]], picks: Mapping[Criterion, int]
) -> str:
    notes = [f"picked by {name}" for name, k in picks.items() if k == score.k]
    if score.failure:
        notes.append(f"failed: {score.failure}")
    cells = [_number(getattr(score, field), digits) for field, digits in columns.values()]
    cells.append(escape(", ".join(notes)))
    return f'<tr><th scope="row">{score.k}</th>' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"


def _number(value: float | None, digits: int) -> str:
    return "&ndash;" if value is None else f"{value:,.{digits}f}"


def _facts(result: Result, seconds: Mapping[str, float], began: datetime | None) -> list[str]:
    return [
        *_origin(result, began),
        _definition(
            "time",
            escape(
                ", ".join(
                    f"{state} {taken:.1f}\N{NO-BREAK SPACE}s" for state, taken in seconds.items()
                )
            ),
        ),
        _definition("made with", escape(", ".join(f"{n} {v}" for n, v in result.versions.items()))),
    ]


def _origin(result: Result, began: datetime | None) -> list[str]:
    """Return what the service knows of where a result comes from."""
    source, execution = result.source, escape(result.execution)
    if not execution:
        return []
    url = console_url(result.execution, began)
    return [
        _definition("source", escape(f"s3://{source.bucket}/{source.key}")),
        _definition("version", escape(source.version_id)),
        _definition("execution", f'<a href="{escape(url)}">{execution}</a>' if url else execution),
    ]


def _definition(term: str, meaning: str) -> str:
    return f"<dt>{term}</dt><dd>{meaning}</dd>"
