"""Dithering against going pixel by pixel, and against what it is for."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image as Pillow

from quantization.decoding import open_image
from quantization.dithering import ErrorDiffusion, Labeler, OrderedDither
from quantization.options import Dither, Space
from quantization.recolor import NearestLabels, recolor

images = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([3, 4]))
)
palettes = arrays(np.uint8, st.tuples(st.integers(1, 8), st.just(3)))
GRAYS = np.array([[0] * 3, [255] * 3], dtype=np.uint8)


def pixel_by_pixel(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Diffuse errors as the paper has it, but only 0.85 of them, and leave palette colors alone."""
    height, width = pixels.shape[:2]
    nearest = NearestLabels(palette)
    off = np.zeros((height + 2, width + 2, 3), dtype=np.float32)
    labels = np.empty((height, width), dtype=np.uint8)
    for y in range(height):
        for x in range(width):
            from_left, above_right = off[y + 1, x], off[y, x + 2]
            above, above_left = off[y, x + 1], off[y, x]
            passed = 7 * from_left + 3 * above_right + 5 * above + above_left
            wanted = pixels[y, x, :3] + passed * np.float32(0.85 / 16)
            wanted = np.clip(wanted, 0, 255)
            level = np.rint(wanted).astype(np.uint8)
            nearest_own = nearest(pixels[y : y + 1, x : x + 1])[0, 0]
            kept = (palette[nearest_own] == pixels[y, x, :3]).all()
            labels[y, x] = nearest_own if kept else nearest(level[None, None])[0, 0]
            if pixels.shape[2] == 3 or pixels[y, x, 3]:
                off[y + 1, x + 1] = wanted - palette[labels[y, x]].astype(np.float32)
    return labels


def in_strips(dither: Labeler, pixels: NDArray[np.uint8], cuts: list[int]) -> NDArray[np.uint8]:
    bounds = sorted({0, len(pixels), *(cut for cut in cuts if cut < len(pixels))})
    parts = [pixels[a:b] for a, b in pairwise(bounds)]
    return np.concatenate([dither(part) for part in parts])


@given(images, palettes, st.lists(st.integers(1, 12)))
def test_diffusion_is_that_of_going_pixel_by_pixel(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], cuts: list[int]
) -> None:
    dither = ErrorDiffusion(NearestLabels(palette), palette)

    np.testing.assert_array_equal(in_strips(dither, pixels, cuts), pixel_by_pixel(pixels, palette))


@given(images, palettes, st.lists(st.integers(1, 12)))
def test_ordered_is_the_same_however_it_is_cut(
    pixels: NDArray[np.uint8], palette: NDArray[np.uint8], cuts: list[int]
) -> None:
    whole = OrderedDither(palette, "rgb")(pixels)

    dither = OrderedDither(palette, "rgb")
    np.testing.assert_array_equal(in_strips(dither, pixels, cuts), whole)


@pytest.mark.parametrize("dither", ["ordered", "diffusion"])
@pytest.mark.parametrize("space", ["rgb", "oklab"])
@given(pixels=images, palette=palettes)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pixels_of_palette_colors_stay(
    pixels: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    space: Space,
    dither: Dither,
    tmp_path: Path,
) -> None:
    own = np.random.default_rng(0).integers(0, 2, pixels.shape[:2], dtype=bool)
    pixels[own, :3], pixels[..., 3:] = palette[0], 255
    Pillow.fromarray(pixels).save(tmp_path / "image.png")

    image = open_image(tmp_path / "image.png", max_pixels=1000)
    recolored = recolor(image, palette, space=space, dither=dither)

    assert (recolored.entries[recolored.indices][own][:, :3] == palette[0]).all()


@pytest.mark.parametrize("dither", ["ordered", "diffusion"])
@pytest.mark.parametrize("gray", [0, 64, 96, 128, 160, 255])
def test_mixture_has_the_mean_of_what_it_imitates(
    gray: int, dither: Dither, tmp_path: Path
) -> None:
    Pillow.new("RGB", (64, 64), (gray,) * 3).save(tmp_path / "gray.png")

    recolored = recolor(open_image(tmp_path / "gray.png", max_pixels=4096), GRAYS, dither=dither)

    # Of an ordered mixture there are 64 shares. Damped errors are lost in part, and the more of
    # them the farther a gray is from the middle.
    off = {"ordered": 2, "diffusion": 7}[dither]
    assert recolored.entries[recolored.indices].mean() == pytest.approx(gray, abs=off)


def test_ordered_mixes_the_colors_on_both_sides() -> None:
    """A color a quarter of the way is the nearer one on three pixels of four."""
    palette = np.array([[200, 30, 30], [0, 255, 0], [40, 30, 30]], dtype=np.uint8)
    pixels = np.full((8, 8, 3), [80, 30, 30], dtype=np.uint8)

    labels = OrderedDither(palette, "rgb")(pixels)

    assert np.bincount(labels.ravel(), minlength=3).tolist() == [16, 0, 48]


@pytest.mark.parametrize("dither", ["none", "ordered", "diffusion"])
def test_palette_is_unchanged(photo: Path, dither: Dither) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (8, 3), dtype=np.uint8)

    recolored = recolor(open_image(photo, max_pixels=10**6), palette, dither=dither)

    assert {tuple(c) for c in recolored.palette} == {tuple(c) for c in palette}
    assert recolored.entries is recolored.palette


@pytest.mark.parametrize("dither", ["ordered", "diffusion"])
def test_from_afar_it_is_closer_to_the_original(
    photo: Path, tmp_path: Path, dither: Dither
) -> None:
    Pillow.open(photo).convert("L").save(tmp_path / "gray.png")
    image = open_image(tmp_path / "gray.png", max_pixels=10**6)
    gray = np.linspace(0, 255, 8).astype(np.uint8)
    palette = np.stack([gray] * 3, axis=1)
    afar = cv2.GaussianBlur(image.pixels(), (0, 0), 3).astype(float).mean(axis=2)

    def off(how: Dither) -> float:
        recolored = recolor(image, palette, dither=how)
        seen = cv2.GaussianBlur(recolored.entries[recolored.indices], (0, 0), 3)
        return float(np.abs(seen.astype(float).mean(axis=2) - afar).mean())

    assert off(dither) < 0.7 * off("none")


def test_nothing_comes_from_behind_transparent_pixels(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 4), 255, dtype=np.uint8)
    pixels[:, :4] = [120, 120, 120, 0]
    Pillow.fromarray(pixels).save(tmp_path / "image.png")

    image = open_image(tmp_path / "image.png", max_pixels=100)
    recolored = recolor(image, GRAYS, dither="diffusion")

    assert recolored.shares.tolist() == [1.0, 0.0]
