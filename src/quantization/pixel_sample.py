"""Draw pixels at random, and make of them a sample to measure silhouettes on."""

import numpy as np
from numpy.typing import NDArray

from quantization.summary import Colors, draw_evenly

CANDIDATES = 32_768
"""Pixels drawn to select a sample from: the more, the steadier the silhouette."""

# A pixel is mixed if it differs from a neighbor by more than this many times what is usual in
# the image, plus this many levels.
_ROUGH_FACTOR, _ROUGH_LEVELS = 4, 8


class PixelSample:
    """A random draw of visible pixels without replacement, strip by strip.

    A translucent pixel is drawn in proportion to its opacity: of all pixels those with the least
    exponential variates divided by opacity (Efraimidis and Spirakis, "Weighted random sampling
    with a reservoir", 2006).

    Attributes
    ----------
    rgb : uint8 array of shape (n, 3), n <= `size`
        What was drawn so far.
    roughness : int16 array of shape (n,)
        Largest difference from one of the four neighbors, in levels.
    """

    def __init__(self, pixels: int, size: int, rng: np.random.Generator) -> None:
        """Draw `size` of so many pixels, or all there are."""
        self.rgb = np.empty((0, 3), dtype=np.uint8)
        self.roughness = np.empty(0, dtype=np.int16)
        self._keys = np.empty(0)
        self._size = size
        self._rng = rng
        # Where nothing is translucent it is quicker to draw the positions at once.
        self._positions = np.sort(rng.choice(pixels, min(size, pixels), replace=False))
        self._start = 0

    def add(self, strip: NDArray[np.uint8]) -> None:
        """Draw from an array of shape (rows, columns, 3 or 4), R, G, B, A."""
        if strip.shape[-1] == 4:
            chosen, keys = self._by_opacity(strip[..., 3].ravel())
        else:
            end = self._start + strip.shape[0] * strip.shape[1]
            first, last = np.searchsorted(self._positions, [self._start, end])
            chosen = self._positions[first:last] - self._start
            keys = np.zeros(len(chosen))
            self._start = end
        rgb = strip.reshape(-1, strip.shape[-1]).take(chosen, axis=0)[:, :3]
        self.rgb = np.concatenate([self.rgb, rgb])
        self.roughness = np.concatenate([self.roughness, _roughness(strip, chosen)])
        self._keys = np.concatenate([self._keys, keys])
        if len(self._keys) > self._size:
            least = _least(self._keys, self._size)
            self.rgb, self.roughness = self.rgb[least], self.roughness[least]
            self._keys = self._keys[least]

    def _by_opacity(self, alpha: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        visible = np.flatnonzero(alpha)
        keys = self._rng.standard_exponential(len(visible)) / alpha[visible]
        if len(keys) > self._size:
            least = _least(keys, self._size)
            visible, keys = visible[least], keys[least]
        return visible, keys


def _least(keys: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Return where the least keys are, in the order of the array.

    `argpartition` alone orders them as it likes, which depends on the processor's vectors.
    """
    return np.sort(np.argpartition(keys, size)[:size])


def _roughness(strip: NDArray[np.uint8], chosen: NDArray[np.intp]) -> NDArray[np.int16]:
    """Return how far pixels, given by flat positions, differ from their visible neighbors."""
    rows, columns, channels = strip.shape
    pixels = strip.reshape(-1, channels)
    y, x = np.divmod(chosen, columns)
    levels = pixels.take(chosen, axis=0)[:, :3].astype(np.int16)
    roughness = np.zeros(len(chosen), dtype=np.int16)
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = np.clip(y + dy, 0, rows - 1) * columns + np.clip(x + dx, 0, columns - 1)
        neighbors = pixels.take(beside, axis=0)
        steps = np.abs(neighbors[:, :3] - levels).max(axis=1)
        if channels == 4:
            steps[neighbors[:, 3] == 0] = 0
        np.maximum(roughness, steps, out=roughness)
    return roughness


def clean_sample(drawn: PixelSample, size: int, rng: np.random.Generator) -> Colors:
    """Make a sample whose silhouette speaks of clusters, not of how the image was stored.

    - Pixels on an edge are left out. They mix the colors on both sides and belong to neither
      ("mixed pixels" in remote sensing); anti-aliasing, resizing and JPEG make many of them.
    - The rest is thinned out evenly along a Z-order curve through color space (Morton, 1966),
      which is several times steadier than a random draw.
    - Each level is dithered over the interval of one level that it stands for. Otherwise every
      level of a smooth but narrow range is a perfect cluster, and gray images get the largest K.

    Returns
    -------
    sample : Colors
        At most `size` colors, each of one pixel.
    """
    usual = _ROUGH_FACTOR * np.median(drawn.roughness) + _ROUGH_LEVELS
    unmixed = drawn.rgb[drawn.roughness <= usual]
    along_curve = unmixed[np.argsort(_position_on_curve(unmixed), kind="stable")]
    rows, _ = draw_evenly(np.ones(len(along_curve), dtype=np.int64), size, rng)
    even = along_curve[rows]
    return Colors.once_each((even + rng.uniform(-0.5, 0.5, even.shape)).astype(np.float32))


def _position_on_curve(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Interleave the upper five bits of the three channels."""
    position = np.zeros(len(rgb), dtype=np.uint16)
    for channel in range(3):
        for bit in range(5):
            level = rgb[:, channel].astype(np.uint16) >> (3 + bit)
            position |= (level & 1) << (3 * bit + channel)
    return position
