"""What Render does with an image, wherever its file comes from and its results go."""

from datetime import UTC, datetime
from typing import NamedTuple

from quantization.color import from_hex
from quantization.contract import Result
from quantization.decoding import Image
from quantization.encoding import ENCODERS
from quantization.recolor import Recolored, recolor
from quantization.report.page import report
from quantization.report.previews import Preview
from quantization.service.build_result import build_result, seconds_in_states
from quantization.service.messages import RenderRequest


class Rendering(NamedTuple):
    """A recolored image.

    request : RenderRequest
    source : Image
    source_bytes : int
    recolored : Recolored
    preview : Preview
        Of the source.
    file : bytes
        The recolored image's.
    seconds : dict of str to float
        How long each state took.
    """

    request: RenderRequest
    source: Image
    source_bytes: int
    recolored: Recolored
    preview: Preview
    file: bytes
    seconds: dict[str, float]

    def result(self, version_id: str) -> Result:
        """Return the result, once it is known which version the file's object has."""
        return build_result(
            self.request,
            self.source,
            self.recolored,
            source_bytes=self.source_bytes,
            image_bytes=len(self.file),
            version_id=version_id,
        )

    def report(self, result: Result) -> str:
        """Return the report of the result."""
        began = min(self.request.state_entered_at.values())
        return report(result, self.preview, self.seconds, began)

    def describe(self, version_id: str) -> tuple[Result, str]:
        """Return both."""
        result = self.result(version_id)
        return result, self.report(result)


def render(image: Image, source_bytes: int, request: RenderRequest) -> Rendering:
    """Recolor an image, whose file has so many bytes, in the chosen palette.

    Raises
    ------
    UnsupportedImage, EmptyImage
        See `quantization.recolor.recolor`.
    """
    options = request.options
    preview = Preview(image)
    recolored = recolor(
        image,
        from_hex(request.chosen_palette()),
        space=options.space,
        dither=options.dither,
        watch=preview.add,
    )
    encode = ENCODERS[options.format]
    file = encode(recolored.indices, recolored.entries, image.dots_per_meter)
    seconds = seconds_in_states(request.state_entered_at, datetime.now(UTC))
    return Rendering(request, image, source_bytes, recolored, preview, file, seconds)
