"""What Sample does with an image, wherever its file comes from."""

from collections.abc import Mapping

import msgspec

from quantization.color import from_hex, to_hex
from quantization.contract import Score, Source, Upload
from quantization.decoding import Image
from quantization.measures import measure_palette, most_used_first
from quantization.options import HexColors, Options, Space, ignored_metadata, refuse_sides
from quantization.sampling import SUMMARY_STRIP_PIXELS, summarize
from quantization.service.messages import ObjectKey, Sampled
from quantization.summary import Summary


def sample(
    image: Image,
    upload: Upload,
    options: Options,
    claim: ObjectKey,
    *,
    given: HexColors,
    sample_size: int,
    whole_image: bool,
    metadata: Mapping[str, str],
) -> tuple[Summary, Sampled]:
    """Summarize an image's colors, and say so.

    Parameters
    ----------
    image : Image
        With its header read.
    upload : Upload
    options : Options
    claim : ObjectKey
        Where the summary is going to lie.
    given : tuple of str
        The palette that the options name, or none.
    sample_size, whole_image
        See `quantization.sampling.summarize`.
    metadata : mapping
        Of the upload.

    Raises
    ------
    ImageTooLarge
        If the format that is asked for has no room for the image.
    InvalidOptions, UnsupportedImage, EmptyImage
    """
    refuse_sides(options.format, image.width, image.height)
    summary, ks = summarize(
        image.strips(SUMMARY_STRIP_PIXELS),
        pixels=image.width * image.height,
        k_min=options.k_min,
        k_max=options.k_max,
        keep=from_hex(options.keep),
        sample_size=sample_size,
        whole_image=whole_image,
    )
    source = Source(
        **msgspec.structs.asdict(upload),
        width=image.width,
        height=image.height,
        colors=summary.distinct() if whole_image else None,
        ignored_metadata=ignored_metadata(metadata),
    )
    if given:
        scored = _score(summary, given, options.space)
        return summary, Sampled(source, claim, sample_size=0, ks=[], options=options, given=scored)
    drawn = int(summary.sample.counts.sum())
    return summary, Sampled(source, claim, sample_size=drawn, ks=ks, options=options)


def _score(summary: Summary, given: HexColors, space: Space) -> Score:
    """Measure a palette that nothing was fitted for: without clusters it has no silhouette."""
    palette = most_used_first(from_hex(given), summary.pooled, space)
    measures = measure_palette(summary, palette, space)
    return Score(k=len(palette), silhouette=None, **measures._asdict(), palette=to_hex(palette))
