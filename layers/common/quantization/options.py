"""What an uploader may ask for, as metadata of the object (``x-amz-meta-<name>``)."""

from collections.abc import Mapping

from quantization.errors import InvalidOptions

CRITERIA = ("silhouette",)
"""The rules that the state machine's ChooseK knows."""


def chosen_criterion(metadata: Mapping[str, str], *, default: str) -> str:
    """Return the criterion that the object's metadata names, or the default.

    Raises
    ------
    InvalidOptions
        If it names one that does not exist.
    """
    criterion = metadata.get("criterion", default)
    if criterion not in CRITERIA:
        raise InvalidOptions(
            f"criterion {criterion!r} does not exist; choose one of {', '.join(CRITERIA)}"
        )
    return criterion
