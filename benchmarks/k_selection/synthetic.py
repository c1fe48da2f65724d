"""Images whose number of colors is known: patches of k flat colors, then one difficulty each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Image = NDArray[np.uint8]
HEIGHT, WIDTH = 480, 640
PATCHES_PER_COLOR = 4


@dataclass(frozen=True)
class Condition:
    """How a synthetic image is made.

    Attributes
    ----------
    separation : float
        Least distance between two of the colors, in RGB levels.
    area_power : float
        Patch areas fall as rank ** -area_power; 0 for equal areas.
    finish : callable
        What happens to the flat picture: ``finish(image, rng)``.
    separable : bool
        Whether the colors stay apart: noise and shading move them by far less than half of
        their separation, so that the true k can be expected back.
    """

    separation: float
    area_power: float
    finish: Callable[[Image, np.random.Generator], Image]
    separable: bool = True


def flat(image: Image, _rng: np.random.Generator) -> Image:
    """Leave the picture as it is."""
    return image


def noise(sigma: float) -> Callable[[Image, np.random.Generator], Image]:
    """Add Gaussian noise of `sigma` levels to every channel."""

    def finish(image: Image, rng: np.random.Generator) -> Image:
        noisy = image + rng.normal(0, sigma, image.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return finish


def shading(depth: float) -> Callable[[Image, np.random.Generator], Image]:
    """Darken smoothly from one corner to the opposite one by the share `depth`, with some noise."""

    def finish(image: Image, rng: np.random.Generator) -> Image:
        ramp = np.add.outer(
            np.linspace(0, 0.5, image.shape[0]), np.linspace(0, 0.5, image.shape[1])
        )
        shaded = image * (1 - depth * ramp[..., None]) + rng.normal(0, 2, image.shape)
        return np.clip(np.rint(shaded), 0, 255).astype(np.uint8)

    return finish


def antialiased(image: Image, _rng: np.random.Generator) -> Image:
    """Halve the picture by area averaging: edges get in-between colors."""
    return np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def jpeg(quality: int) -> Callable[[Image, np.random.Generator], Image]:
    """Compress as JPEG and decode again."""

    def finish(image: Image, _rng: np.random.Generator) -> Image:
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])

    return finish


CONDITIONS = {
    "flat": Condition(25, 0, flat),
    "flat, power-law areas": Condition(25, 1, flat),
    "noise 3": Condition(45, 0, noise(3)),
    "noise 6": Condition(60, 0, noise(6)),
    "noise 6, power-law areas": Condition(60, 1, noise(6)),
    "shading 10 %": Condition(50, 0, shading(0.10)),
    "anti-aliased": Condition(50, 0, antialiased),
    "anti-aliased, power-law areas": Condition(50, 1, antialiased),
    "JPEG 90": Condition(50, 0, jpeg(90)),
    "JPEG 75": Condition(60, 0, jpeg(75)),
    "close: noise 6 at 30": Condition(30, 0, noise(6), separable=False),
    "close: shading 30 %": Condition(40, 0, shading(0.30), separable=False),
}


def separated_colors(k: int, separation: float, rng: np.random.Generator) -> Image:
    """Draw `k` colors at least `separation` apart, uniformly otherwise."""
    while True:
        colors = np.empty((0, 3))
        for candidate in rng.uniform(0, 255, (20_000, 3)).round():
            if len(colors) == 0 or np.linalg.norm(colors - candidate, axis=1).min() >= separation:
                colors = np.vstack([colors, candidate])
                if len(colors) == k:
                    return colors.astype(np.uint8)


def patches(k: int, area_power: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Lay out `k` labels as a mosaic of patches, each label with about its share of the area."""
    sites = rng.uniform(0, 1, (PATCHES_PER_COLOR * k, 2)) * (HEIGHT, WIDTH)
    grid = np.stack(list(np.mgrid[:HEIGHT, :WIDTH]), axis=-1).reshape(-1, 2)
    site = cKDTree(sites).query(grid)[1].reshape(HEIGHT, WIDTH)
    area = np.bincount(site.ravel(), minlength=len(sites))
    share = np.arange(1, k + 1, dtype=float) ** -area_power
    wanted = share / share.sum() * area.sum()
    # The largest patch left goes to the label that lacks most; the last k go to one label each.
    label = np.empty(len(sites), dtype=np.intp)
    order = np.argsort(-area, kind="stable")
    for index in order[:-k]:
        label[index] = np.argmax(wanted)
        wanted[label[index]] -= area[index]
    label[order[-k:]] = np.argsort(-wanted, kind="stable")
    labels: NDArray[np.intp] = label[site]
    return labels


def make(condition: Condition, k: int, seed: int) -> Image:
    """Make one image of `k` colors, RGB, uint8 of shape (height, width, 3)."""
    rng = np.random.default_rng([seed, k])
    colors = separated_colors(k, condition.separation, rng)
    return condition.finish(colors[patches(k, condition.area_power, rng)], rng)


def images(ks: range, seeds: range) -> Iterator[tuple[str, int, int, Image]]:
    """Yield (condition name, true k, seed, image) for every combination."""
    for name, condition in CONDITIONS.items():
        for k in ks:
            for seed in seeds:
                yield name, k, seed, make(condition, k, seed)
