"""Quantize in this process: the state machine of the service, on an image at hand.

The same code gives the same image, report, result and palettes as on a stack. Only what tells where
and when it was made differs: the result's `execution`, `source.bucket`, `source.version_id`,
`source.etag`, `source.sequencer` and `image_file.version_id` are empty, and so the report says
nothing of them; its times are of this run.
"""

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing import current_process
from pathlib import Path
from typing import IO, Any, TypeAlias

import loky
import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from quantization import interrupts
from quantization.contract import Result, Score, SilhouetteAt, Upload
from quantization.decoding import Image, open_image
from quantization.decoding.stored import Rows, Stored
from quantization.errors import (
    REFUSALS,
    EmptyImage,
    InvalidOptions,
    UnreadablePalette,
    UnsupportedImage,
)
from quantization.machine import ExecutionFailed, Machine, load
from quantization.options import Criterion, HexColors, Options, refuse_unknown
from quantization.palette_files import palette_at_hand, palette_file
from quantization.processes import SCORE, Processes
from quantization.replacing import replacing
from quantization.service.messages import (
    FittedScore,
    ObjectCreated,
    ObjectKey,
    RecolorRequest,
    RenderRequest,
    Sampled,
    SampleRequest,
    ScoreRequest,
)
from quantization.service.render import Rendering, render
from quantization.service.sample import sample

SAMPLE_SIZE, MAX_PIXELS = 2048, 120_000_000
"""The defaults of a stack's parameters SampleSize and MaxMegapixels."""

_MOST_KEPT = 2**24
"""Pixels that are kept for Render from when Sample decodes them: 50 MB, or 67 with transparency."""

_FEW_PIXELS = 2**17
"""Images of fewer are done before another process has started."""

# Reading a type for the first time, msgspec crashes if another thread does so, too, and loses an
# interrupt.
with interrupts.held():
    for _request in (SampleRequest, ScoreRequest, RenderRequest):
        msgspec.json.Decoder(_request)

Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes] | NDArray[np.uint8]
Option: TypeAlias = str | os.PathLike[str] | float | np.number[Any] | Iterable[str] | None
Message: TypeAlias = Sampled | FittedScore | RenderRequest


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized image.

    Attributes
    ----------
    indices : uint8 array of shape (height, width)
        Index of each pixel's entry in `entries`; upright.
    entries : uint8 array of shape (k, 3) or (n, 4)
        The palette itself or, where there is transparency, RGBA levels that pair its colors with
        opacities.
    palette : uint8 array of shape (k, 3)
        RGB levels, most used first.
    shares : float64 array of shape (k,)
        Share of the visible pixels that each color has; they sum to 1.
    file : bytes
        The image, in the format that was asked for.
    result : Result
        All that is known of it: what a stack writes as ``<name>.json``.
    """

    indices: NDArray[np.uint8]
    entries: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    shares: NDArray[np.float64]
    file: bytes
    result: Result
    _rendering: Rendering

    @property
    def k(self) -> int:
        """The number of colors."""
        return self.result.k

    @property
    def picks(self) -> dict[Criterion, int]:
        """What each criterion would choose."""
        return self.result.picks

    @property
    def silhouette_at(self) -> SilhouetteAt | None:
        """Whether the best silhouette is a "peak", or on the "edge" of the window, or neither."""
        return self.result.silhouette_at

    @property
    def scores(self) -> list[Score]:
        """How well each K fits, with its palette."""
        return self.result.scores

    def pixels(self) -> NDArray[np.uint8]:
        """Return the image as levels, uint8 of shape (height, width, 3 or 4)."""
        return self.entries[self.indices]

    def report(self) -> str:
        """Return what a stack writes as ``<name>.html``."""
        return self._rendering.report(self.result)

    def write(self, stem: str | os.PathLike[str]) -> dict[str, Path]:
        """Write image, report, result and the palettes that were asked for, as a stack would.

        Parameters
        ----------
        stem : path
            Of the files, without extension. Its folder is made if it is missing.

        Returns
        -------
        files : dict of str to Path
            By what they are: "image", "report", "result", and palettes by their formats.
        """
        options = self.result.options
        contents: dict[str, tuple[str, bytes]] = {
            "image": (options.format, self.file),
            "report": ("html", self.report().encode()),
            "result": ("json", msgspec.json.format(msgspec.json.encode(self.result), indent=2)),
        } | {name: (name, palette_file(self.result, name)) for name in options.palettes}
        base = os.fspath(stem)
        files = {what: Path(f"{base}.{extension}") for what, (extension, _) in contents.items()}
        with replacing(files) as partial:
            for what, (_, content) in contents.items():
                partial[what].write_bytes(content)
        return files


def quantize(
    source: Source,
    /,
    *,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
    cores: int | None = None,
    tell: Callable[[Message], None] = lambda message: None,
    **options: Option,
) -> Quantized:
    """Reduce an image to its best few colors.

    It may be called in several threads at once, and in processes, unless these are forked from one
    that has called it: libvips does not work in such a fork. Use the start method "spawn" or
    "forkserver" there.

    Parameters
    ----------
    source : path, bytes, binary file or array
        An image file of any kind that a stack reads, or pixels: uint8 levels of shape
        (height, width), (height, width, 3) or (height, width, 4), in the order R, G, B, A.
    name : str, optional
        Of the image, for the report and palettes; that of the file, unless given.
    max_pixels : int
        Larger images are refused before they are decoded.
    cores : int, optional
        How many K to fit at the same time; all processors that there are, unless given.
    tell : callable, optional
        Told how far it is, from any thread: with a `Sampled` when the K to try are known, a
        `FittedScore` for each, and a `RenderRequest` when one is chosen.
    **options
        As a stack's (`quantization.options.Options`), with underscores for hyphens: ``k=16``,
        ``criterion="guarded"``, ``palettes=["gpl", "css"]``. A `palette` may be a file.

    Returns
    -------
    quantized : Quantized

    Raises
    ------
    InvalidOptions
        If there is no such option, or it does not take such a value.
    UnreadablePalette
        If the file that is given as a palette is none.
    UnsupportedImage, ImageTooLarge, EmptyImage
        If the image cannot be quantized.
    AllScoresFailed
        If no K could be fitted.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from quantization import quantize
    >>> flag = np.zeros((20, 30, 3), np.uint8)
    >>> flag[:, 10:20] = 255
    >>> flag[:, 20:] = [239, 65, 53]
    >>> quantized = quantize(flag)
    >>> quantized.k
    3
    >>> quantized.palette.tolist()
    [[0, 0, 0], [239, 65, 53], [255, 255, 255]]
    >>> bool((quantized.pixels() == flag).all())
    True

    Of a photo, as many colors as its error needs, at most 16:

    >>> temple = quantize("docs/gallery/temple.jpg", criterion="guarded", k_max=16)
    >>> temple.k, temple.indices.shape
    (15, (240, 360))
    >>> sorted(temple.picks)
    ['guarded', 'silhouette']

    It writes what a stack writes:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = temple.write(f"{folder}/temple")
    ...     sorted(path.name for path in files.values())
    ['temple.html', 'temple.json', 'temple.png']
    """
    given = _as_text(options)
    refuse_unknown(given)
    if "palette" in given:
        given["palette"] = palette_at_hand(given["palette"])
    asked = Options().updated(given)
    return quantize_with(source, asked, name=name, max_pixels=max_pixels, cores=cores, tell=tell)


def quantize_with(
    source: Source,
    options: Options,
    *,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
    cores: int | None = None,
    tell: Callable[[Message], None] = lambda message: None,
) -> Quantized:
    """Do what `quantize` does, with options that are read already."""
    # What is no UTF-8 in a file's name has no place in the result.
    key = (name or _name(source)).encode(errors="replace").decode()
    upload = Upload(bucket="", key=key, version_id="", etag="", sequencer="")
    with _opened(source, max_pixels) as (image, size):
        return _execute(ObjectCreated.of(upload), image, size, options, cores, tell)


def recolor_again(
    source: Source,
    result: Result,
    k: int,
    *,
    max_pixels: int = MAX_PIXELS,
    tell: Callable[[Message], None] = lambda message: None,
) -> Quantized:
    """Recolor the image of a result in another palette of it, without fitting any.

    Parameters
    ----------
    source, max_pixels, tell
        As of `quantize`.
    result : Result
        Of the same image, from here or from a stack.
    k : int
        Number of colors of the palette.

    Raises
    ------
    InvalidOptions
        If the result has no palette of `k` colors, or is of another image.
    """
    with _opened(source, max_pixels) as (image, size):
        there = (result.source.width, result.source.height, result.source_file.bytes)
        here = (image.width, image.height, size)
        if here != there:
            raise InvalidOptions(
                "the result is of another image: {} x {} pixels in {:,} bytes, and this one has"
                " {} x {} in {:,}".format(*there, *here)
            )
        return _execute(RecolorRequest(result, k), image, size, result.options, 1, tell)


def _execute(
    given: ObjectCreated | RecolorRequest,
    image: Image,
    size: int,
    options: Options,
    cores: int | None,
    tell: Callable[[Message], None],
) -> Quantized:
    """Run the machine, of this input, on an image whose file has so many bytes."""
    cores = cores or loky.cpu_count()
    small = image.width * image.height < _FEW_PIXELS
    # A process of a pool of multiprocessing's may start none.
    alone = options.palette or small or current_process().daemon
    fits = 1 if alone else options.k_max - options.k_min + 1
    with _one_thread, Processes(min(cores, fits) - 1) as processes:
        functions = _Functions(image, size, options, processes, tell)
        machine = Machine(load(cores), functions.by_name())
        try:
            machine.run(msgspec.to_builtins(given), "")
        except ExecutionFailed as failed:
            raise REFUSALS[failed.error](failed.cause) from None
        rendering = functions.rendering
    recolored = rendering.recolored
    return Quantized(
        indices=recolored.indices,
        entries=recolored.entries,
        palette=recolored.palette,
        shares=recolored.shares,
        file=rendering.file,
        result=rendering.result(""),
        _rendering=rendering,
    )


class _OneThread:
    """Keeps the libraries to one thread while any image is quantized.

    How many threads they take is a matter of the whole process: the first of several images at once
    limits it, and the last one restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits = ExitStack()
        self._images = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._images:
                self._limits.enter_context(threadpool_limits(1))
            self._images += 1

    def extend(self) -> None:
        """Limit those libraries, too, that were loaded meanwhile."""
        with self._lock:
            self._limits.enter_context(threadpool_limits(1))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._images -= 1
            if not self._images:
                self._limits.close()


_one_thread = _OneThread()


@contextmanager
def _importing_scikit_learn() -> Iterator[None]:
    """Import it meanwhile: that takes as long as decoding, which leaves a processor idle."""
    if SCORE in sys.modules:
        yield
        return
    importing = threading.Thread(target=import_module, args=[SCORE])
    importing.start()
    try:
        yield
    finally:
        importing.join()
        _one_thread.extend()


class _Functions:
    """What the machine calls, on one image.

    Libraries add up with one thread in the meantime, as on Lambda: sums of several come out
    differently each time.
    """

    rendering: Rendering

    def __init__(
        self,
        image: Image,
        size: int,
        options: Options,
        processes: Processes,
        tell: Callable[[Message], None],
    ) -> None:
        self._image = image
        self._size = size
        self._options = options
        self._tell = tell
        self._processes = processes
        self._openmp = threading.local()

    def by_name(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "SampleFunction": self._sample,
            "ScoreKFunction": self._score,
            "RenderFunction": self._render,
            "RecordFailureFunction": lambda failed: {
                "error": failed["detail"]["error"],
                "cause": failed["detail"]["cause"],
            },
        }

    def _sample(self, payload: Any) -> Any:
        request = msgspec.convert(payload, SampleRequest)
        claim = ObjectKey("", "summary")
        with nullcontext() if self._options.palette else _importing_scikit_learn():
            summary, sampled = sample(
                self._image,
                request.upload,
                self._options,
                claim,
                given=given_palette(self._options),
                sample_size=SAMPLE_SIZE,
                whole_image=True,
                metadata={},
            )
            self._processes.take(summary)
            self._tell(sampled)
        return msgspec.to_builtins(sampled)

    def _score(self, payload: Any) -> Any:
        # OpenMP has a number of threads for each thread that calls it.
        if not hasattr(self._openmp, "limit"):
            self._openmp.limit = threadpool_limits(1, user_api="openmp")
        request = msgspec.convert(payload, ScoreRequest)
        scored = self._processes.score(request)
        self._tell(scored)
        return msgspec.to_builtins(scored)

    def _render(self, payload: Any) -> Any:
        request = msgspec.convert(payload, RenderRequest)
        self._tell(request)
        self.rendering = render(self._image, self._size, request)
        return {}


def _as_text(options: dict[str, Option]) -> dict[str, str]:
    """Return options as an upload has them."""
    return {
        name.replace("_", "-"): str(value)
        if isinstance(value, str | os.PathLike | int | float | np.number)
        else " ".join(value)
        for name, value in options.items()
        if value is not None
    }


def given_palette(options: Options) -> HexColors:
    """Return the palette that is given, or none.

    Raises
    ------
    UnreadablePalette
        If it is a file that is not there.
    """
    if isinstance(options.palette, str):
        raise UnreadablePalette(f"{options.palette}: no such file")
    return options.palette


def _name(source: Source) -> str:
    """Return what an image is called that is given no name."""
    return Path(source).name if isinstance(source, str | os.PathLike) else "image"


@contextmanager
def _opened(source: Source, max_pixels: int) -> Iterator[tuple[Image, int]]:
    """Yield the image, and of how many bytes it is."""
    if isinstance(source, np.ndarray):
        yield _of_pixels(source), source.nbytes
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        yield _decoded_once(open_image(path, max_pixels=max_pixels)), path.stat().st_size
    else:
        # A decoder that still holds the file keeps Windows from removing it.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder, "image")
            with path.open("wb") as file:
                if isinstance(source, bytes):
                    file.write(source)
                else:
                    shutil.copyfileobj(source, file)
            yield _decoded_once(open_image(path, max_pixels=max_pixels)), path.stat().st_size


def _decoded_once(image: Image) -> Image:
    """Return the image with its pixels kept for the second time, unless they are many."""
    stored = image.stored
    if stored.width * stored.height > _MOST_KEPT:
        return image
    kept: list[NDArray[np.uint8]] = []

    def decode() -> Rows:
        if kept:
            pixels = kept.pop()
            return lambda top, bottom: pixels[top:bottom]
        rows = stored.decode()
        pixels = np.empty((*image.stored_shape, 4 if stored.has_alpha else 3), dtype=np.uint8)

        def decoded(top: int, bottom: int) -> NDArray[np.uint8]:
            pixels[top:bottom] = rows(top, bottom)
            if bottom == stored.height:
                kept.append(pixels)
            return pixels[top:bottom]

        return decoded

    return replace(image, stored=stored._replace(decode=decode))


def _of_pixels(pixels: NDArray[np.uint8]) -> Image:
    """Return an image of levels that are decoded already."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise UnsupportedImage(
            f"an array of shape {pixels.shape} and type {pixels.dtype} is not read; give levels as"
            " uint8 of shape (height, width), (height, width, 3) or (height, width, 4)"
        )
    height, width, channels = pixels.shape
    if not pixels.size:
        raise EmptyImage("an array without pixels has no palette")
    levels = np.ascontiguousarray(pixels)
    stored = Stored(width, height, channels == 4, lambda: lambda top, bottom: levels[top:bottom])
    return Image("array", stored)
