from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from emulator import deploy, engine
from tests.support import built
from tests.support.sandbox import Sandbox


@pytest.fixture(scope="session")
def build() -> Callable[[str], Path]:
    """Build for an architecture, once."""
    return cache(deploy.build)


@pytest.fixture(scope="session")
def functions(build: Callable[[str], Path]) -> dict[str, built.BuiltFunction]:
    """The functions built for this machine."""
    return {function.name: function for function in built.functions(build(deploy.ARCHITECTURE))}


@pytest.fixture
def sandbox(
    functions: dict[str, built.BuiltFunction], engine_port: int, tmp_path: Path
) -> Callable[[str], Sandbox]:
    """Lay a function out as in Lambda, with the local engine in AWS's place."""
    endpoint = {"AWS_ENDPOINT_URL": engine.endpoint(engine_port)}

    def lay_out(name: str) -> Sandbox:
        root = tmp_path / name
        root.mkdir()
        return Sandbox(functions[name], root, endpoint)

    return lay_out
