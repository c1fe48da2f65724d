"""The plots of docs/choosing-k.md."""

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from benchmarks.k_selection import palettes, pictures, synthetic, tables
from benchmarks.steps import SPACE
from quantization.clustering import fit
from quantization.color import from_hex
from quantization.sampling import summarize

FOLDER = tables.ROOT / "docs/images"
WINDOW = (2, 40)


def curve(pixels: NDArray[np.uint8]) -> tuple[list[int], list[float], list[float]]:
    """Return every K of a wide window, its silhouette and its error."""
    total = pixels.shape[0] * pixels.shape[1]
    summary, ks = summarize(
        [pixels], pixels=total, k_min=WINDOW[0], k_max=WINDOW[1], sample_size=tables.SAMPLE_SIZE
    )
    fits = [fit(summary, k, SPACE) for k in ks]
    return ks, [f.silhouette or np.nan for f in fits], [f.error for f in fits]


def structureless(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw an image of as many pixels from one Gaussian with the image's covariance."""
    flat = pixels.reshape(-1, 3)
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal(flat.mean(axis=0), np.cov(flat.T), len(flat))
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8).reshape(pixels.shape)


def draw(budget: float) -> None:
    """Draw all plots."""
    mpl.rcParams.update({"font.size": 9, "svg.hashsalt": "choosing-k", "axes.grid": True})
    FOLDER.mkdir(parents=True, exist_ok=True)
    china = pictures.read(pictures.photos()[0])
    known = synthetic.make(synthetic.CONDITIONS["noise 6"], 19, 0)
    curves = {
        "a photo (china.jpg)": curve(china),
        "one Gaussian cloud as long and as wide": curve(structureless(china)),
        "19 colors with noise": curve(known),
    }
    _draw_silhouettes(curves)
    _draw_errors(budget)
    _draw_before_and_after(china, budget)


def _draw_silhouettes(curves: dict[str, tuple[list[int], list[float], list[float]]]) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for name, (ks, silhouettes, _) in curves.items():
        axes.plot(ks, silhouettes, marker=".", markersize=4, label=name)
    axes.axvspan(tables.K_MIN, tables.K_MAX, alpha=0.08)
    axes.set(xlabel="K (shaded: the window that is searched)", ylabel="mean silhouette")
    figure.legend(loc="outside upper center", ncols=3, fontsize="small")
    _save(figure, "silhouettes")


def _draw_errors(budget: float) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for path in pictures.photos()[:8]:
        scored = tables.of_image(pictures.read(path), seeds=5).draws[0]
        ks, errors = [row["k"] for row in scored], [row["error"] for row in scored]
        (line,) = axes.plot(ks, errors, label=path.stem)
        k = tables.picks(scored, budget)["guarded"]
        axes.plot(k, errors[ks.index(k)], "o", color=line.get_color())
    axes.axhline(budget, color="black", linewidth=0.8, linestyle="--")
    axes.set(
        xlabel="K (dots: what guarded picks)", ylabel="mean error, OKLab x 100", ylim=(0, None)
    )
    axes.legend(ncols=2, fontsize=7)
    _save(figure, "errors")


def _draw_before_and_after(pixels: NDArray[np.uint8], budget: float) -> None:
    scored = tables.of_image(pixels, seeds=5).draws[0]
    chosen = tables.picks(scored, budget)
    panels = [pixels]
    for criterion in ("silhouette", "guarded"):
        row = next(row for row in scored if row["k"] == chosen[criterion])
        panels.append(palettes.recolor(pixels, from_hex(row["palette"]), SPACE))
    small = [cv2.resize(p, (320, 214), interpolation=cv2.INTER_AREA) for p in panels]
    strip = np.concatenate(small, axis=1)
    path = str(FOLDER / "choosing-k-picks.jpg")
    cv2.imwrite(path, strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def _save(figure: plt.Figure, name: str) -> None:
    figure.savefig(FOLDER / f"choosing-k-{name}.svg", metadata={"Date": None})
    plt.close(figure)
