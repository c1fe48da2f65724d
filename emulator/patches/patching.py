"""How a patch takes the place of a function of ministack."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any


def patch[F: Callable[..., Any]](module: ModuleType, name: str) -> Callable[[F], F]:
    """Put the decorated function in place of `module.name`.

    It is called with the stock function first, then with that one's arguments.
    """
    stock = getattr(module, name)

    def install(replacement: F) -> F:
        setattr(module, name, functools.partial(replacement, stock))
        return replacement

    return install
