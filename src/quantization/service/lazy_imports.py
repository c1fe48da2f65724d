"""Importing only what is used of a package, for imports are most of what a cold start takes.

The ``__init__.py`` of a package usually imports all the package; those of scikit-learn and scipy
import nearly all of both. Once this module is imported, that of each of `PACKAGES` waits: ``from
package import name`` imports the one module that it would take the name from. A name that it
defines itself makes it run. So nothing is left out, it only comes when it is asked for, as with the
lazy imports of Python 3.15 (PEP 810).
"""

import ast
import importlib
import sys
import threading
from collections.abc import Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, resolve_name
from types import ModuleType
from typing import Any

PACKAGES = {
    "asyncio",
    "narwhals.stable",
    "numpy.f2py",
    "numpy.ma",
    "numpy.testing",
    "scipy.sparse.csgraph",
    "scipy.spatial",
    "scipy.stats",
    "sklearn.callback",
    "sklearn.cluster",
    "sklearn.metrics",
    "sklearn.preprocessing",
    "sklearn.utils",
}
"""Those whose ``__init__.py`` take longest for what is used of them."""


_one_at_a_time = threading.RLock()
_begun: set[str] = set()


class _Deferred(ModuleType):
    """A package whose ``__init__.py`` has not run to its end."""

    def __getattr__(self, name: str) -> Any:
        with _one_at_a_time:
            if name in vars(self):  # Another thread was quicker.
                return vars(self)[name]
            return self._find(name)

    def _find(self, name: str) -> Any:
        package = self.__name__
        if package in _begun:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if origin := _origins(package).get(name):
            value = getattr(importlib.import_module(origin), name)
            setattr(self, name, value)
            return value
        if find_spec(f"{package}.{name}"):
            return importlib.import_module(f"{package}.{name}")
        _begun.add(package)
        SourceFileLoader.exec_module(self.__loader__, self)  # type: ignore[arg-type]
        self.__class__ = ModuleType  # type: ignore[assignment]
        return getattr(self, name)


@cache
def _origins(package: str) -> dict[str, str]:
    """Return from which module the package's ``__init__.py`` imports each name, if it does."""
    loader: SourceFileLoader = sys.modules[package].__loader__  # type: ignore[assignment]
    source = loader.get_source(package)
    return {
        alias.name: origin
        for statement in ast.parse(source or "").body
        if isinstance(statement, ast.ImportFrom) and statement.module
        if (origin := resolve_name("." * statement.level + statement.module, package)) != package
        for alias in statement.names
        if alias.asname is None
    }


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _Deferred


class _Finder:
    """Finds `PACKAGES` where they are, and has them wait."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in PACKAGES else None
        if spec and spec.origin:
            spec.loader = _Loader(name, spec.origin)
        return spec


sys.meta_path.insert(0, _Finder)
