"""How a patch takes the place of a function of ministack."""

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any


class PatchError(Exception):
    """A function of ministack is not the one that its patch was written for."""


def patch[F: Callable[..., Any]](
    module: ModuleType, name: str, parameters: str
) -> Callable[[F], F]:
    """Put the decorated function in place of `module.name`, which takes these parameters.

    It is called with the stock function first, then with that one's arguments.

    Raises
    ------
    PatchError
        If there is no such function, or it takes others.
    """
    stock = getattr(module, name, None)
    found = ", ".join(inspect.signature(stock).parameters) if callable(stock) else None
    if found != parameters:
        raise PatchError(
            f"{module.__name__}.{name} was ({parameters}) when its patch was written,"
            f" and is {'gone' if found is None else f'({found})'}: see whether the patch still fits"
        )

    def install(replacement: F) -> F:
        patched = functools.partial(replacement, stock)
        patched.__wrapped__ = stock  # type: ignore[attr-defined]  # Where inspect.signature looks.
        setattr(module, name, patched)
        return replacement

    return install
