"""Why an image is refused. One type per cause; the state machine never retries any of them.

The class name is what Step Functions reports as the error of the failed execution, so renaming
one of these changes the service's interface.
"""


class RefusedImage(Exception):  # noqa: N818 - a refusal, not a defect
    """The upload cannot be quantized, however often it is tried."""


class UnsupportedImage(RefusedImage):
    """The object's bytes are not an image that can be decoded."""


class ImageTooLarge(RefusedImage):
    """The image has more pixels than the service decodes."""


class EmptyImage(RefusedImage):
    """The image has no visible pixel, so it has no palette."""


class ObjectGone(RefusedImage):
    """The uploaded version was deleted before it could be read."""


class InvalidOptions(RefusedImage):
    """The object's metadata asks for something the service does not offer."""
