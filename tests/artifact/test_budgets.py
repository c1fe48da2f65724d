"""Every function with its layers fits into Lambda with room to spare, and imports little."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import budgets
from tests.support.built import ARCHITECTURES, BuiltFunction
from tests.support.sandbox import Sandbox

# What importing the handler may take at most, as a multiple of importing numpy. Half as much again
# as it takes, for the sake of other machines.
IMPORT_BUDGETS = {"SampleFunction": 8, "ScoreKFunction": 15, "RenderFunction": 8}

# What the function has no use for, and would pay for at each cold start.
NEEDLESS = {
    "SampleFunction": {"scipy", "sklearn", "unittest", "asyncio", "pydantic", "aws_xray_sdk"},
    "ScoreKFunction": {
        *("cv2", "pyvips", "pandas", "matplotlib", "pydantic", "aws_xray_sdk", "unittest"),
        *("scipy.optimize", "scipy.stats._stats_py", "sklearn.linear_model"),
    },
    "RenderFunction": {"scipy", "sklearn", "unittest", "asyncio", "pydantic", "aws_xray_sdk"},
    "FindUploadFunction": {"numpy", "cv2", "pyvips", "sklearn", "pydantic", "aws_xray_sdk"},
    "RecordFailureFunction": {"numpy", "cv2", "pyvips", "sklearn", "pydantic", "aws_xray_sdk"},
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_functions_fit_with_a_twentieth_to_spare(
    build: Callable[[str], Path], architecture: str
) -> None:
    rows = budgets.sizes(build(architecture))
    assert {row.function for row in rows} == set(NEEDLESS)
    for row in rows:
        assert row.total <= budgets.LARGEST_SHARE * budgets.LIMIT, row


def test_imports_are_measured_where_there_is_numpy(functions: dict[str, BuiltFunction]) -> None:
    assert {name for name in functions if budgets.has_numpy(functions[name])} == {*IMPORT_BUDGETS}


@pytest.mark.parametrize("name", IMPORT_BUDGETS)
def test_handlers_import_within_their_budget(
    functions: dict[str, BuiltFunction], name: str
) -> None:
    function, budget = functions[name], IMPORT_BUDGETS[name]
    within = budgets.import_ratio(function, runs=1) <= budget  # mostly by far
    assert within or budgets.import_ratio(function) <= budget


@pytest.mark.parametrize("name", NEEDLESS)
def test_handlers_import_nothing_needless(
    sandbox: Callable[[str], Sandbox], functions: dict[str, BuiltFunction], name: str
) -> None:
    module = functions[name].handler.partition(".")[0]
    imported = sandbox(name).python("-c", f"import {module}, sys; print(*sys.modules)").split()
    assert NEEDLESS[name].isdisjoint(imported)
    assert "quantization" in imported


@pytest.mark.parametrize("name", NEEDLESS)
def test_garbage_is_collected_once_all_is_imported(
    sandbox: Callable[[str], Sandbox], functions: dict[str, BuiltFunction], name: str
) -> None:
    module = functions[name].handler.partition(".")[0]
    program = f"import {module}, gc; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    assert sandbox(name).python("-c", program).split() == ["True", "True"]
