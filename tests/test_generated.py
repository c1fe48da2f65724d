"""Files that follow from others are as `make generate` makes them."""

from types import ModuleType

import pytest

from tools.generate import GENERATORS


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda module: module.__name__)
def test_nothing_generated_is_stale(generator: ModuleType) -> None:
    for path, text in generator.generated().items():
        assert path.read_text() == text, "run make generate"
