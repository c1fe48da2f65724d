"""Make docs/gallery, ten varied images by both criteria, and README's pictures.

python -m tools.gallery
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from emulator.engine import ROOT
from quantization import quantize
from quantization.report.charts import curves
from quantization_client.finding import sample_image
from tools.exhibits import EXHIBITS, Shown, error_of, kilobytes, show
from tools.hero import Pair, hero
from tools.screenshots import NoBrowserError, browser, take

FOLDER = ROOT / "docs/gallery"
README_PICTURES = ROOT / "docs/images"

HEADER = """\
# Gallery

`make gallery` writes this page. Each picture leads to its report, which has to be downloaded to be
looked at; `make pages` makes a page to publish, where they are a click away. The error is the mean
distance of a pixel to its palette color in OKLab, times 100; 2 is a just noticeable difference.
"""

ROW = """
### {name}

{origin}

<table><tr>
{cells}
</tr></table>
"""

CELL = """\
<td width="33%"><a href="{link}"><img src="{picture}" alt="{alt}" width="100%"></a>
<br>{caption}</td>"""


def main() -> int:
    """Run the command line."""
    try:
        browser()  # Otherwise this would be told only after half the pictures.
    except NoBrowserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    exhibits = []
    for exhibit in EXHIBITS:
        exhibits.append(show(exhibit, FOLDER))
        print(exhibit.name, file=sys.stderr)
    (FOLDER / "README.md").write_text(HEADER + "".join(map(_row, exhibits)))
    _illustrate_readme(exhibits[-1])
    return 0


def _row(shown: Shown) -> str:
    name = shown.exhibit.name
    original = shown.file.name
    cells = [
        CELL.format(
            link=original,
            picture=original,
            alt=name,
            caption=f"original<br>{kilobytes(shown.file)}",
        )
    ]
    for criterion, result in shown.results.items():
        picture = shown.picture(criterion)
        cells.append(
            CELL.format(
                link=shown.report(criterion).name,
                picture=picture.name,
                alt=f"{name} in {result.k} colors",
                caption=f"{result.k} colors<br>{criterion}<br>{kilobytes(picture)}<br>"
                f"error {error_of(result):.2f}",
            )
        )
    return ROW.format(name=name.capitalize(), origin=shown.exhibit.origin, cells="\n".join(cells))


def _illustrate_readme(art: Shown) -> None:
    """Make the pictures of README: hero, curves, and the report of the sample photo."""
    photo = quantize(sample_image(), criterion="guarded")
    (README_PICTURES / "photo-curves.svg").write_text(curves(photo.result))
    with TemporaryDirectory() as folder:
        picture = Path(folder, "photo.png")
        picture.write_bytes(photo.file)
        pairs = [
            Pair(sample_image(), picture, photo.result),
            Pair(art.file, art.picture("silhouette"), art.results["silhouette"]),
        ]
        hero(pairs).save(README_PICTURES / "hero.png", optimize=True)
        page = Path(folder, "report.html")
        page.write_text(photo.report())
        take(page, README_PICTURES / "report.png")


if __name__ == "__main__":
    sys.exit(main())
