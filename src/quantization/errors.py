"""Why an image is refused. One type per cause; the state machine never retries any of them.

The class name is what Step Functions reports as the error of the failed execution, so renaming
one of these changes the service's interface.
"""

from typing import ClassVar


class RefusedImage(Exception):  # noqa: N818 - a refusal, not a defect
    """The upload cannot be quantized, however often it is tried."""

    advice: ClassVar[str]
    """What the uploader can do about it."""


class UnsupportedImage(RefusedImage):
    """The object's bytes are not an image that can be decoded."""

    advice = "Upload an ordinary JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC or BMP file that is intact."


class ImageTooLarge(RefusedImage):
    """The image has more pixels, or the object more bytes, than the service decodes."""

    advice = "Upload a smaller image."


class EmptyImage(RefusedImage):
    """The image has no visible pixel, so it has no palette."""

    advice = "Upload an image with at least one pixel that is not fully transparent."


class ObjectGone(RefusedImage):
    """The uploaded version was deleted before it could be read."""

    advice = "Upload the image again."


class ObjectArchived(RefusedImage):
    """The object lies in an archive, such as S3 Glacier, and cannot be read at once."""

    advice = "Upload the image in the storage class STANDARD, or one that is read as quickly."


class ObjectEncrypted(RefusedImage):
    """The object is encrypted with a key that the service has not, or may not use."""

    advice = "Upload the image without a key of your own: the bucket encrypts it with its key."


class ObjectUnversioned(RefusedImage):
    """The event names no version of the object, or not its place among the key's uploads."""

    advice = "Enable the versioning of the input bucket again, then upload the image again."


class InvalidOptions(RefusedImage):
    """The object's metadata asks for something the service does not offer."""

    advice = "Upload the image again with metadata that the service knows, or with none."


class UnreadablePalette(RefusedImage):
    """The palette that the upload names is not there, or is none that can be read."""

    advice = "Put the palette into the input bucket as a .gpl, .hex, .pal (JASC) or result's .json."


class KeyTooLong(RefusedImage):
    """The object's key leaves no room for the endings of the results' keys."""

    advice = "Upload the image under a shorter key."


class NameTaken(RefusedImage):
    """The result's name belongs to an image with another key, such as ``a.jpg`` for ``a.png``."""

    advice = "Upload the image under another name, or delete the other one's result JSON first."


class AllScoresFailed(RefusedImage):
    """No K could be fitted. Raised by the state machine, not by a function."""

    advice = "Upload the image again; if it fails again, report it with the execution's ARN."


REFUSALS = {cause.__name__: cause for cause in RefusedImage.__subclasses__()}
"""Every refusal by its name, which is the error of the execution."""
