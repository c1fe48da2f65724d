"""A patch takes the place of the function that it was written for, and of no other."""

from types import ModuleType
from typing import Any

import pytest

from emulator.patches.patching import PatchError, patch


@pytest.fixture
def module() -> Any:
    stock = ModuleType("stock")
    stock.shout = lambda word, marks=1: word + "!" * marks  # type: ignore[attr-defined]
    return stock


def test_patch_gets_the_stock_function_and_its_arguments(module: Any) -> None:
    @patch(module, "shout", "word, marks")
    def shout_twice(stock: Any, word: str, marks: int = 1) -> Any:
        return stock(word, 2 * marks)

    assert module.shout("now") == "now!!"
    assert module.shout("now", marks=2) == "now!!!!"


def test_patches_of_one_function_add_up(module: Any) -> None:
    for _ in range(2):

        @patch(module, "shout", "word, marks")
        def shout_more(stock: Any, word: str, marks: int = 1) -> Any:
            return stock(word, marks + 1)

    assert module.shout("now") == "now!!!"


@pytest.mark.parametrize("parameters", ["word", "marks, word", "word, marks, tone"])
def test_patch_of_a_function_that_has_changed_is_refused(module: Any, parameters: str) -> None:
    with pytest.raises(PatchError, match=r"stock\.shout .* is \(word, marks\)"):
        patch(module, "shout", parameters)


def test_patch_of_a_function_that_is_gone_is_refused(module: Any) -> None:
    with pytest.raises(PatchError, match=r"whisper .* is gone"):
        patch(module, "whisper", "word")
