"""What Sample does with an image, wherever its file comes from."""

from collections.abc import Mapping

import msgspec

from quantization.contract import Source, Upload
from quantization.decoding import Image
from quantization.options import Options, ignored_metadata, refuse_sides
from quantization.sampling import STRIP_PIXELS, summarize
from quantization.service.messages import ObjectKey, Sampled
from quantization.summary import Summary


def sample(
    image: Image,
    upload: Upload,
    options: Options,
    claim: ObjectKey,
    *,
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
        image.strips(STRIP_PIXELS),
        pixels=image.width * image.height,
        k_min=options.k_min,
        k_max=options.k_max,
        sample_size=sample_size,
        whole_image=whole_image,
    )
    source = Source(
        **msgspec.structs.asdict(upload),
        width=image.width,
        height=image.height,
        ignored_metadata=ignored_metadata(metadata),
    )
    drawn = int(summary.sample.counts.sum())
    return summary, Sampled(source=source, summary=claim, sample_size=drawn, ks=ks, options=options)
