"""How well each criterion chooses K.

    python -m benchmarks.k_selection [--tables known windows pictures palettes] [--quick]
                                     [--jobs 2] [--images FOLDER] [--budget 2] [--plots]

Four tables: synthetic images whose number of colors is known; the same in windows that hold it at
either end and inside; photos and illustrations that packages ship, or the images of a FOLDER
instead; and palettes of a given K beside other programs'.
The scores are kept in ``benchmarks/k_selection/.cache`` and computed again when the code changes.
"""

import argparse
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.stats import spearmanr

from benchmarks.k_selection import palettes, pictures, plots, synthetic, tables
from benchmarks.quality import delta_e, ssim
from benchmarks.steps import SPACE
from quantization.color import from_hex

CRITERIA = ["original script", "silhouette", "guarded"]


class Choice(NamedTuple):
    """What the criteria choose for one image: K for each draw, and how the image then looks."""

    k: dict[str, list[int]]
    delta_e: dict[str, float]
    ssim: dict[str, float]
    error_at_16: float
    errors: dict[int, float]


def choices(scored: tables.Tables, budget: float) -> dict[str, list[int]]:
    """Return the K of every criterion for every draw."""
    reduced = [tables.picks(scores, budget) for scores in scored.draws]
    plain = [tables.picks(scores, budget)["silhouette"] for scores in scored.seed_draws]
    return {
        "original script": plain,
        "silhouette": [pick["silhouette"] for pick in reduced],
        "guarded": [pick["guarded"] for pick in reduced],
    }


def try_synthetic(job: tuple[str, int, int, float]) -> tuple[str, int, dict[str, list[int]], bool]:
    """Choose K for one synthetic image; also whether a flat one gets exactly its colors."""
    cv2.setNumThreads(1)
    name, k, seed, budget = job
    condition = synthetic.CONDITIONS[name]
    pixels = synthetic.make(condition, k, seed)
    scored = tables.of_image(pixels, seeds=1)
    palette: list[str] = next((row["palette"] for row in scored.draws[0] if row["k"] == k), [])
    true = {tuple(color) for color in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}
    exact = {tuple(color) for color in from_hex(palette).tolist()} == true
    return name, k, choices(scored, budget), exact


def try_window(job: tuple[str, int, str, float]) -> tuple[str, int, str, dict[str, int]]:
    """Choose K for one synthetic image in a window that holds the true k at one place."""
    cv2.setNumThreads(1)
    name, k, place, budget = job
    window = _windows(k)[place]
    pixels = synthetic.make(synthetic.CONDITIONS[name], k, 0)
    scored = tables.of_image(pixels, 1, window, baseline=False)
    return name, k, place, tables.picks(scored.draws[0], budget, window)


def _windows(k: int) -> dict[str, tuple[int, int]]:
    return {
        "smallest of the window": (k, k + 6),
        "inside": (max(1, k - 3), k + 3),
        "largest of the window": (max(1, k - 6), k),
    }


def try_picture(job: tuple[Path, int, float]) -> tuple[Path, Choice]:
    """Choose K for one real image and compare the recolored image with it."""
    cv2.setNumThreads(1)
    path, seeds, budget = job
    pixels = pictures.read(path)
    scored = tables.of_image(pixels, seeds)
    chosen = choices(scored, budget)
    delta_es, ssims = {}, {}
    for criterion, ks in chosen.items():
        rows = scored.seed_draws[0] if criterion == "original script" else scored.draws[0]
        palette = next(row["palette"] for row in rows if row["k"] == ks[0])
        seen = palettes.recolor(pixels, from_hex(palette), SPACE)
        delta_es[criterion], ssims[criterion] = delta_e(pixels, seen), ssim(pixels, seen)
    errors = {row["k"]: row["error"] for row in scored.draws[0]}
    return path, Choice(chosen, delta_es, ssims, errors.get(16, 0.0), errors)


def print_synthetic(results: Iterable[tuple[str, int, dict[str, list[int]], bool]]) -> None:
    """Print how often the true k is found."""
    print("\nsynthetic images: the true k exactly / within 1, %")
    print(f"{'':34s}{'images':>7s}", *(f"{criterion:>14s}" for criterion in CRITERIA))
    kept = list(results)

    def line(name: str, some: list[tuple[str, int, dict[str, list[int]], bool]]) -> None:
        cells = []
        for criterion in CRITERIA:
            off = np.array([abs(chosen[criterion][0] - k) for _, k, chosen, _ in some])
            cells.append(f"{100 * (off == 0).mean():5.1f} / {100 * (off <= 1).mean():5.1f}")
        print(f"{name:34s}{len(some):7d}", *(f"{cell:>14s}" for cell in cells))

    for name, group in itertools.groupby(kept, key=lambda result: result[0]):
        line(name, list(group))
    line("all well separated", [r for r in kept if synthetic.CONDITIONS[r[0]].separable])
    flat = [exact for name, _, _, exact in kept if name.startswith("flat")]
    print(f"flat images whose palette is exactly their colors: {100 * np.mean(flat):.1f} %")


def print_windows(results: list[tuple[str, int, str, dict[str, int]]]) -> None:
    """Print how often the true k is found wherever it lies in the window."""
    print("\nwell separated images of 2 to 40 colors: the true k exactly, %")
    print(f"{'true k':34s}{'images':>7s}", *(f"{name:>14s}" for name in CRITERIA[1:]))
    for place in [*_windows(8), "anywhere"]:
        some = [result for result in results if place in (result[2], "anywhere")]
        found = [
            f"{100 * np.mean([chosen[name] == k for _, k, _, chosen in some]):14.1f}"
            for name in CRITERIA[1:]
        ]
        print(f"{place:34s}{len(some):7d}", *found)
    for name, k, place, chosen in results:
        if {*chosen.values()} != {k}:
            print(f"missed: {name}, {k} colors, {place}: {chosen}")


def print_pictures(title: str, results: list[tuple[Path, Choice]], budget: float) -> None:
    """Print what the criteria do on real images."""
    full = [(path, c) for path, c in results if max(c.errors) == tables.K_MAX]
    print(f"\n{title}: {len(full)} images with colors enough for every K")
    head = [
        "K=8 %",
        "K=32 %",
        "unjustified %",
        "quartiles",
        "rank corr.",
        "sd of K",
        "ΔE2000",
        "SSIM",
    ]
    print(f"{'':12s}", *(f"{name:>14s}" for name in head))
    at_16 = [c.error_at_16 for _, c in full]
    for criterion in CRITERIA:
        k = np.array([c.k[criterion][0] for _, c in full])
        cells = [
            f"{100 * (k == tables.K_MIN).mean():.0f}",
            f"{100 * (k == tables.K_MAX).mean():.0f}",
            f"{100 * np.mean([unjustified(c, criterion, budget) for _, c in full]):.0f}",
            ", ".join(f"{q:g}" for q in np.quantile(k, [0.25, 0.5, 0.75])),
            f"{spearmanr(k, at_16)[0]:+.3f}",
            f"{np.mean([np.std(c.k[criterion]) for _, c in full]):.2f}",
            f"{np.mean([c.delta_e[criterion] for _, c in full]):.2f}",
            f"{np.mean([c.ssim[criterion] for _, c in full]):.3f}",
        ]
        print(f"{criterion:12s}", *(f"{cell:>14s}" for cell in cells))


def unjustified(choice: Choice, criterion: str, budget: float) -> bool:
    """Whether a pick on the window's edge is not what the error budget asks for."""
    k = choice.k[criterion][0]
    limit = max(budget, 1.05 * min(choice.errors.values()))
    if k == tables.K_MIN:
        return choice.errors[k] > limit
    return k == tables.K_MAX and choice.errors[k - 1] <= limit


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.k_selection", description=__doc__)
    names = ["known", "windows", "pictures", "palettes"]
    parser.add_argument("--tables", nargs="+", choices=names, default=names, help="those only")
    parser.add_argument("--quick", action="store_true", help="few images, two draws of the sample")
    parser.add_argument("--jobs", type=int, default=1, help="processes; default: %(default)s")
    parser.add_argument("--images", type=Path, help="real images to use instead")
    parser.add_argument("--budget", type=float, default=2.0, help="of guarded; default: 2")
    parser.add_argument("--plots", action="store_true", help="draw docs/images/choosing-k-*")
    options = parser.parse_args()
    seeds = 2 if options.quick else 5
    ks = range(8, 31, 11) if options.quick else range(8, 33, 4)
    repeats = range(1) if options.quick else range(2)

    def each[J, R](work: Callable[[J], R], jobs: list[J]) -> list[R]:
        if options.jobs == 1:
            return [work(job) for job in jobs]
        with ProcessPoolExecutor(options.jobs) as pool:
            return list(pool.map(work, jobs))

    if "known" in options.tables and not options.images:
        known = [
            (n, k, s, options.budget) for n in synthetic.CONDITIONS for k in ks for s in repeats
        ]
        print_synthetic(each(try_synthetic, known))
    if "windows" in options.tables and not options.images:
        separable = [name for name, made in synthetic.CONDITIONS.items() if made.separable]
        ks_anywhere = [2, 3, 8, 21, 40] if options.quick else [2, 3, *range(4, 41, 4)]
        print_windows(
            each(
                try_window,
                list(itertools.product(separable, ks_anywhere, _windows(8), [options.budget])),
            )
        )
    if options.images:
        groups = {str(options.images): pictures.images_in(options.images)}
    else:
        groups = {"photos": pictures.photos(), "illustrations": pictures.illustrations()}
        if options.quick:
            groups = {name: paths[:4] for name, paths in groups.items()}
    for title, paths in groups.items() if "pictures" in options.tables else ():
        if not paths:
            print(f"\n{title}: none found; apt-get install gnome-backgrounds")
            continue
        results = each(try_picture, [(path, seeds, options.budget) for path in paths])
        print_pictures(title, results, options.budget)
    if "palettes" in options.tables:
        palettes.print_table([path for paths in groups.values() for path in paths][:10])
    if options.plots:
        plots.draw(options.budget)


if __name__ == "__main__":
    main()
