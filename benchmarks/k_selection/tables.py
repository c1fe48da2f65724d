"""Score tables: what the state machine's ChooseK is given, for several draws of the sample."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import jsonata
import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from benchmarks.steps import SPACE
from quantization import accents, clustering, color, histogram, pixel_sample, sampling, smoothness
from quantization.clustering import (
    Fit,
    find_clusters,
    fit,
    measure,
    nearest_center,
    silhouette,
    silhouette_of,
)
from quantization.color import to_hex
from quantization.options import Options
from quantization.summary import Colors, Summary

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "benchmarks/k_selection/.cache"
WINDOW = K_MIN, K_MAX = 8, 32
SAMPLE_SIZE = 2048
SEED_SAMPLE_SIZE = 1000

_STATES = yaml.safe_load((ROOT / "statemachine/quantize.asl.yaml").read_text())["States"]
_BEYOND = _STATES["ScoreEachK"]["ItemSelector"]["beyond"]
_CHOICE = _STATES["ChooseK"]["Output"]

_SOURCES = [accents, clustering, color, histogram, pixel_sample, sampling, smoothness]
_VERSION = "".join(Path(str(module.__file__)).read_text() for module in _SOURCES)


class Tables(NamedTuple):
    """The scores of one image.

    draws : list of lists of dict
        For each seed of the sample, one record for each K as ScoreK returns it.
    seed_draws : list of lists of dict
        The same for 1000 random pixels, fitted with 10 starts: the way the service grew from.
    """

    draws: list[list[dict[str, Any]]]
    seed_draws: list[list[dict[str, Any]]]


def of_image(
    pixels: NDArray[np.uint8], seeds: int, window: tuple[int, int] = WINDOW, baseline: bool = True
) -> Tables:
    """Score an image, or find its scores in the cache; without the baseline it has no draws."""
    asked = f"{pixels.shape} {seeds} {window} {baseline} {_VERSION}"
    key = hashlib.sha256(pixels.tobytes() + asked.encode())
    path = CACHE / f"{key.hexdigest()[:32]}.json"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        tables = [
            _score(pixels, seeds, window),
            [_score_seeds_way(pixels, seed) for seed in range(seeds if baseline else 0)],
        ]
        path.write_text(json.dumps(tables))
    return Tables(*json.loads(path.read_text()))


def _score(
    pixels: NDArray[np.uint8], seeds: int, window: tuple[int, int]
) -> list[list[dict[str, Any]]]:
    """Score every K; after the first draw only the silhouette is another."""
    summaries = [_summarize(pixels, seed, window) for seed in range(seeds)]
    summary, ks = summaries[0]
    first = [_record(fit(summary, k, SPACE)) for k in ks]
    for row in first:
        beyond = _evaluate(_BEYOND, window, context={"Map": {"Item": {"Value": row["k"]}}})
        row["silhouette_beyond"] = None if beyond is None else silhouette_of(summary, beyond)
    clusters = {k: find_clusters(summary, k) for k in ks}

    def redrawn(sample: Colors) -> list[dict[str, Any]]:
        labels = {k: nearest_center(sample.rgb, centers) for k, centers in clusters.items()}
        return [row | {"silhouette": silhouette(sample, labels[row["k"]])} for row in first]

    return [first, *(redrawn(other.sample) for other, _ in summaries[1:])]


def _summarize(
    pixels: NDArray[np.uint8], seed: int, window: tuple[int, int]
) -> tuple[Summary, list[int]]:
    return sampling.summarize(
        [pixels],
        pixels=pixels.shape[0] * pixels.shape[1],
        k_min=window[0],
        k_max=window[1],
        sample_size=SAMPLE_SIZE,
        seed=seed,
    )


def _score_seeds_way(pixels: NDArray[np.uint8], seed: int) -> list[dict[str, Any]]:
    flat = pixels.reshape(-1, 3)
    rng = np.random.default_rng(seed)
    drawn = flat[rng.choice(len(flat), min(SEED_SAMPLE_SIZE, len(flat)), replace=False)]
    sample = Colors.once_each(drawn)
    distinct = len(np.unique(drawn, axis=0))
    rows = []
    for k in range(min(K_MIN, distinct), min(K_MAX, distinct) + 1):
        kmeans = KMeans(k, n_init=10, random_state=0).fit(sample.rgb)
        palette = np.rint(kmeans.cluster_centers_).astype(np.uint8)
        alone = Summary(sample, np.ones(len(drawn), np.float32), sample, sample)
        rows.append(_record(measure(alone, palette, "rgb", kmeans.cluster_centers_)))
    return rows


def _record(fit: Fit) -> dict[str, Any]:
    of_k = {"k": len(fit.palette), "palette": to_hex(fit.palette), "silhouette_beyond": None}
    return fit._asdict() | of_k


def _evaluate(expression: str, window: tuple[int, int], budget: float = 2.0, **states: Any) -> Any:
    """Evaluate an expression of the state machine's own."""
    program = jsonata.Jsonata(expression.strip().removeprefix("{%").removesuffix("%}"))
    program.assign("states", states)
    options = Options(k_min=window[0], k_max=window[1], error_budget=budget)
    program.assign("sampled", {"options": msgspec.to_builtins(options)})
    return program.evaluate(None)


def picks(
    scores: list[dict[str, Any]], budget: float = 2.0, window: tuple[int, int] = WINDOW
) -> dict[str, int]:
    """Reduce scores as the state machine does: each criterion's K."""
    chosen: dict[str, int] = _evaluate(_CHOICE, window, budget, input={"scores": scores})["picks"]
    return chosen
