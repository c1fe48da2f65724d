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
)
from quantization.color import to_hex
from quantization.options import Options
from quantization.summary import Colors, Summary

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "benchmarks/k_selection/.cache"
K_MIN, K_MAX = 8, 32
SAMPLE_SIZE = 2048
SEED_SAMPLE_SIZE = 1000

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


def of_image(pixels: NDArray[np.uint8], seeds: int) -> Tables:
    """Score an image, or find its scores in the cache."""
    key = hashlib.sha256(pixels.tobytes() + f"{pixels.shape} {seeds} {_VERSION}".encode())
    path = CACHE / f"{key.hexdigest()[:32]}.json"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        tables = [
            _score(pixels, seeds),
            [_score_seeds_way(pixels, seed) for seed in range(seeds)],
        ]
        path.write_text(json.dumps(tables))
    return Tables(*json.loads(path.read_text()))


def _score(pixels: NDArray[np.uint8], seeds: int) -> list[list[dict[str, Any]]]:
    """Score every K; after the first draw only the silhouette is another."""
    summaries = [_summarize(pixels, seed) for seed in range(seeds)]
    summary, ks = summaries[0]
    fits = [fit(summary, k, SPACE) for k in ks]
    clusters = [find_clusters(summary, k) for k in ks]

    def redrawn(sample: Colors) -> list[Fit]:
        labels = [nearest_center(sample.rgb, centers) for centers in clusters]
        return [
            first._replace(silhouette=silhouette(sample, those))
            for first, those in zip(fits, labels, strict=True)
        ]

    draws = [fits, *(redrawn(other.sample) for other, _ in summaries[1:])]
    return [[_record(f) for f in draw] for draw in draws]


def _summarize(pixels: NDArray[np.uint8], seed: int) -> tuple[Summary, list[int]]:
    return sampling.summarize(
        [pixels],
        pixels=pixels.shape[0] * pixels.shape[1],
        k_min=K_MIN,
        k_max=K_MAX,
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
    return fit._asdict() | {"k": len(fit.palette), "palette": to_hex(fit.palette)}


def _choose_k() -> jsonata.Jsonata:
    definition = yaml.safe_load((ROOT / "statemachine/quantize.asl.yaml").read_text())
    expression = definition["States"]["ChooseK"]["Output"]
    return jsonata.Jsonata(expression.strip().removeprefix("{%").removesuffix("%}"))


def picks(scores: list[dict[str, Any]], budget: float = 2.0) -> dict[str, int]:
    """Reduce scores as the state machine's own expression does: each criterion's K."""
    program = _choose_k()
    program.assign("states", {"input": {"scores": scores}})
    options = Options(k_min=K_MIN, k_max=K_MAX, error_budget=budget)
    program.assign("sampled", {"options": msgspec.to_builtins(options)})
    chosen: dict[str, int] = program.evaluate(None)["picks"]
    return chosen
