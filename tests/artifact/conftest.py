from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from emulator import deploy, engine
from tests.support import arm64, built
from tests.support.sandbox import PYTHON, Command, Sandbox


@pytest.fixture(scope="session")
def build() -> Callable[[str], Path]:
    """Build for an architecture, once."""
    return cache(deploy.build)


@pytest.fixture(scope="session")
def interpreter() -> Callable[[str], Command]:
    """Find the runtime's Python of an architecture, emulated where this machine is of another."""

    @cache
    def find(architecture: str) -> Command | str:
        if architecture == deploy.ARCHITECTURE:
            engine.sync(engine.RUNTIME_ENVIRONMENT, "runtime")
            return [PYTHON]
        if architecture != "arm64":
            return f"{architecture} is not emulated"
        try:
            return arm64.interpreter()
        except arm64.UnavailableError as error:
            return f"no arm64 Python: {error}"

    def find_or_skip(architecture: str) -> Command:
        found = find(architecture)
        if isinstance(found, str):
            pytest.skip(found)
        return found

    return find_or_skip


@pytest.fixture(scope="session")
def architecture(request: pytest.FixtureRequest) -> str:
    """This machine's, or what a test is parametrized with."""
    return str(getattr(request, "param", deploy.ARCHITECTURE))


@pytest.fixture(scope="session")
def functions(build: Callable[[str], Path], architecture: str) -> dict[str, built.BuiltFunction]:
    """The functions built for the architecture."""
    return {function.name: function for function in built.functions(build(architecture))}


@pytest.fixture(scope="session")
def sandbox(
    functions: dict[str, built.BuiltFunction],
    interpreter: Callable[[str], Command],
    architecture: str,
    engine_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Sandbox]:
    """Lay a function out as in Lambda, with the local engine in AWS's place."""
    endpoint = {"AWS_ENDPOINT_URL": engine.endpoint(engine_port)}

    def lay_out(name: str) -> Sandbox:
        root = tmp_path_factory.mktemp(name)
        return Sandbox(functions[name], root, endpoint, interpreter(architecture))

    return lay_out
