"""Pages to publish: an index of exhibits, and the report of each."""

import html
from collections.abc import Iterable
from pathlib import Path

import quantization
from quantization.contract import Result
from quantization.options import Criterion
from quantization.report.charts import THEME
from tools.exhibits import LONGEST_SIDE, Exhibit, Shown, error_of, kilobytes, show

TEMPLATES = Path(__file__).parent


def write(folder: Path, exhibits: Iterable[Exhibit]) -> Path:
    """Quantize the exhibits into an existing folder, and return the index page of them."""
    page = folder / "index.html"
    page.write_text(
        _template("index.html").format(
            theme=THEME,
            style=_template("index.css"),
            exhibits="".join(_exhibit(show(exhibit, folder)) for exhibit in exhibits),
            version=quantization.__version__,
            side=LONGEST_SIDE,
        )
    )
    return page


def _exhibit(shown: Shown) -> str:
    source = shown.results["silhouette"].source
    return _template("exhibit.html").format(
        name=shown.exhibit.name,
        origin=html.escape(shown.exhibit.origin),
        file=shown.file.name,
        width=source.width,
        height=source.height,
        kilobytes=kilobytes(shown.file),
        results="".join(_result(shown, *of) for of in shown.results.items()),
    )


def _result(shown: Shown, criterion: Criterion, result: Result) -> str:
    return _template("result.html").format(
        name=shown.exhibit.name,
        criterion=criterion,
        report=shown.report(criterion).name,
        picture=shown.picture(criterion).name,
        width=result.source.width,
        height=result.source.height,
        k=result.k,
        kilobytes=kilobytes(shown.picture(criterion)),
        change=_change(result.image_file.ratio),
        error=error_of(result),
        swatches="".join(
            f'<i style="--share: {swatch.share or 0:.4f}; --color: {swatch.color}"></i>'
            for swatch in result.palette
        ),
    )


def _change(ratio: float) -> str:
    """Say how much smaller or larger a file became."""
    return f"{abs(1 - ratio):.0%} {'smaller' if ratio <= 1 else 'larger'}"


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text()
