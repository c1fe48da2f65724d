"""The reduction of ChooseK, held against its description in Python."""

import re
from collections.abc import Collection
from typing import Any, NamedTuple, get_args

import jsonata
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from emulator.engine import ROOT
from quantization.options import MAX_SIZES, Criterion, Options
from quantization.report.reasons import ACCENTS_COUNT, CLOSE

DEEPEST_EVALUATION = 100
"""https://github.com/floci-io/floci/issues/2737, measured on AWS."""


class Row(NamedTuple):
    """One K that could be fitted."""

    k: int
    silhouette: float | None
    error: float
    silhouette_beyond: float | None = None
    accent_error: float = 0.0

    @property
    def drift(self) -> float:
        """Return what the budget is for."""
        return max(self.error, self.accent_error / 3)


def test_report_gives_reasons_by_the_numbers_that_choose() -> None:
    definition = yaml.safe_load((ROOT / "statemachine/quantize.asl.yaml").read_text())
    expression = definition["States"]["ChooseK"]["Output"]
    assert [float(n) for n in re.findall(r"([\d.]+) \* \$min\(", expression)] == [CLOSE]
    assert [float(n) for n in re.findall(r"accent_error / (\d+)", expression)] == [ACCENTS_COUNT]


def choose_k(rows: list[Row], failed: Collection[int] = (), **options: Any) -> dict[str, Any]:
    """Evaluate the expression of the state machine's own file, as deep as AWS lets it go."""
    definition = yaml.safe_load((ROOT / "statemachine/quantize.asl.yaml").read_text())
    expression = definition["States"]["ChooseK"]["Output"].strip()
    text = expression.removeprefix("{%").removesuffix("%}")
    program = jsonata.Jsonata.jsonata(text, stack=DEEPEST_EVALUATION)
    scores = [row._asdict() | {"inertia": 1.0, "palette": ["#000000"] * row.k} for row in rows]
    nothing = dict.fromkeys(["silhouette", "inertia", "error", "accent_error"])
    scores += [{"k": k, **nothing, "failure": "MemoryError"} for k in sorted(failed)]
    program.assign("states", {"input": {"scores": scores}})
    sampled = {"options": msgspec.to_builtins(Options()) | options}
    program.assign("sampled", sampled)
    choice: dict[str, Any] = program.evaluate(None)
    return choice


def silhouette_pick(rows: list[Row]) -> Row:
    """Return the best mean silhouette; on a tie the smaller K; unmeasured ones last."""
    return max(rows, key=lambda r: (-2 if r.silhouette is None else r.silhouette, -r.k))


def is_peak(rows: list[Row], k_min: int, k_max: int) -> bool:
    """Whether the best silhouette is high and the next sizes on both sides are not better."""
    best = silhouette_pick(rows)
    if best.silhouette is None or best.silhouette < 0.65:
        return False
    if best.k == 2:
        three = next((row.silhouette for row in rows if row.k == 3), None)
        return three is not None and best.silhouette - three >= 0.3
    if best.k == k_min:
        return best.silhouette_beyond is not None and best.silhouette > best.silhouette_beyond
    if best.k == k_max:
        return best.silhouette_beyond is None or best.silhouette >= best.silhouette_beyond
    return True


def silhouette_at(rows: list[Row], k_min: int, k_max: int) -> str | None:
    best = silhouette_pick(rows)
    if best.silhouette is None or k_min == k_max:
        return None
    if is_peak(rows, k_min, k_max):
        return "peak"
    return "edge" if best.k in (2, k_min, k_max) else None


def guarded_pick(rows: list[Row], budget: float, k_min: int, k_max: int) -> Row:
    """Return the clusters if there are any, otherwise the fewest colors within the budget."""
    limit = max(budget, 1.05 * min(row.drift for row in rows))
    best = silhouette_pick(rows)
    high = best.silhouette is not None and best.silhouette >= 0.65
    if is_peak(rows, k_min, k_max) or (high and best.drift <= limit):
        return best
    return min((row for row in rows if row.drift <= limit), key=lambda row: row.k)


def test_the_widest_window_can_be_reduced() -> None:
    """AWS counts an array of several elements as one level that never ends."""
    rows = [Row(k, 0.5, 3.0 - k / 100) for k in range(1, MAX_SIZES + 1)]
    choice = choose_k(rows, criterion="guarded", k_min=1, k_max=MAX_SIZES)
    assert choice["k"] == guarded_pick(rows, Options().error_budget, 1, MAX_SIZES).k


silhouettes = st.none() | st.sampled_from([-0.2, 0.0, 0.3, 0.3001, 0.65, 0.9]) | st.floats(-1, 1)
errors = st.sampled_from([0.0, 1.0, 2.0, 2.1]) | st.floats(0, 30)
tables = st.lists(
    st.builds(Row, st.integers(1, 40), silhouettes, errors, silhouettes, errors),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row.k,
)


@given(
    tables,
    st.sets(st.integers(41, 50), max_size=3),
    st.sampled_from(get_args(Criterion)),
    errors,
    st.tuples(st.integers(1, 40), st.integers(1, 40)).map(sorted),
)
def test_reduction_is_what_it_is_described_to_be(
    rows: list[Row], failed: set[int], criterion: Criterion, budget: float, ends: list[int]
) -> None:
    k_min, k_max = ends
    choice = choose_k(
        rows, failed, criterion=criterion, error_budget=budget, k_min=k_min, k_max=k_max
    )

    picks = {
        "silhouette": silhouette_pick(rows).k,
        "guarded": guarded_pick(rows, budget, k_min, k_max).k,
    }
    assert choice["picks"] == picks
    assert choice["k"] == picks[criterion]
    assert choice["criterion"] == criterion
    (chosen,) = (score for score in choice["scores"] if score["k"] == choice["k"])
    assert len(chosen["palette"]) == choice["k"]
    assert len(choice["scores"]) == len(rows) + len(failed)
    assert choice["silhouette_at"] == silhouette_at(rows, k_min, k_max)


@pytest.mark.parametrize(
    ("rows", "guarded"),
    [
        ([Row(8, 0.5, 1.9), Row(9, 0.4, 1.5)], 8),
        ([Row(8, 0.5, 2.1), Row(9, 0.4, 1.9)], 9),
        ([Row(8, 0.5, 9.0), Row(9, 0.4, 4.1), Row(10, 0.3, 4.0)], 9),
        ([Row(8, 0.5, 1.0), Row(9, 0.7, 0.9)], 9),
        ([Row(8, 0.7, 4.0), Row(9, 0.4, 1.9)], 9),
        ([Row(8, 0.7, 1.0), Row(9, 0.4, 0.9)], 8),
        ([Row(8, 0.87, 4.0, 0.8), Row(9, 0.4, 1.9)], 8),
        ([Row(8, 0.7, 4.0, 0.75), Row(9, 0.4, 1.9)], 9),
        ([Row(31, 0.7, 1.9), Row(32, 0.75, 2.1, 0.8)], 31),
        ([Row(31, 0.7, 1.9), Row(32, 0.75, 2.1, 0.75)], 32),
        ([Row(31, 0.7, 1.9), Row(32, 1.0, 0.0)], 32),
        ([Row(2, 0.87, 2.1), Row(3, 0.5, 1.9)], 2),
        ([Row(2, 0.9, 3.6), Row(3, 0.85, 1.9)], 3),
        ([Row(3, None, 0.0)], 3),
        ([Row(8, 0.5, 1.0, None, 7.0), Row(9, 0.4, 0.9, None, 5.0)], 9),
        ([Row(8, 0.9, 1.0, 0.9, 7.0), Row(9, 0.9, 0.9)], 9),
    ],
    ids=[
        "least K is good enough",
        "budget decides",
        "budget out of reach",
        "clusters",
        "no clusters, the window cuts the curve",
        "within the budget at the least K",
        "clusters at the least K",
        "better below the window",
        "better above the window",
        "clusters at the largest K",
        "as many colors as the window has",
        "two clusters",
        "the window begins where the silhouette does",
        "nothing to choose",
        "an accent loses its hue",
        "the sample of clusters has no pixel of an accent",
    ],
)
def test_guarded_by_example(rows: list[Row], guarded: int) -> None:
    assert choose_k(rows)["picks"]["guarded"] == guarded
