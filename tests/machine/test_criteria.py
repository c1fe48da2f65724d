"""The reduction of ChooseK, held against its description in Python."""

from typing import Any, NamedTuple, get_args

import jsonata
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from emulator.engine import ROOT
from quantization.options import Criterion, Options


class Row(NamedTuple):
    """One K that could be fitted."""

    k: int
    silhouette: float | None
    error: float
    accent_error: float = 0.0

    @property
    def drift(self) -> float:
        """Return what the budget is for."""
        return max(self.error, self.accent_error / 3)


def choose_k(rows: list[Row], failed: set[int] = frozenset(), **options: Any) -> dict[str, Any]:
    """Evaluate the expression of the state machine's own file."""
    definition = yaml.safe_load((ROOT / "statemachine/quantize.asl.yaml").read_text())
    expression = definition["States"]["ChooseK"]["Output"]
    program = jsonata.Jsonata(expression.strip().removeprefix("{%").removesuffix("%}"))
    scores = [row._asdict() | {"inertia": 1.0, "palette": ["#000000"] * row.k} for row in rows]
    nothing = dict.fromkeys(["silhouette", "inertia", "error", "accent_error"])
    scores += [{"k": k, **nothing, "failure": "MemoryError"} for k in sorted(failed)]
    program.assign("states", {"input": {"scores": scores}})
    sampled = {"options": msgspec.to_builtins(Options()) | options}
    program.assign("sampled", sampled)
    return program.evaluate(None)


def silhouette_pick(rows: list[Row]) -> Row:
    """Return the best mean silhouette; on a tie the smaller K; unmeasured ones last."""
    return max(rows, key=lambda r: (-2 if r.silhouette is None else r.silhouette, -r.k))


def guarded_pick(rows: list[Row], budget: float, k_min: int) -> Row:
    """Return the clusters if there are any, otherwise the fewest colors within the budget."""
    limit = max(budget, 1.05 * min(row.drift for row in rows))
    best = silhouette_pick(rows)
    if (
        best.silhouette is not None
        and best.silhouette >= 0.6
        and (best.k > k_min or best.drift <= limit)
    ):
        return best
    return min((row for row in rows if row.drift <= limit), key=lambda row: row.k)


silhouettes = st.none() | st.sampled_from([-0.2, 0.0, 0.3, 0.3001, 0.6, 0.9]) | st.floats(-1, 1)
errors = st.sampled_from([0.0, 1.0, 2.0, 2.1]) | st.floats(0, 30)
tables = st.lists(
    st.builds(Row, st.integers(1, 40), silhouettes, errors, errors),
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
def test_reduction_is_what_it_is_described_to_be(rows, failed, criterion, budget, ends):
    k_min, k_max = ends
    choice = choose_k(
        rows, failed, criterion=criterion, error_budget=budget, k_min=k_min, k_max=k_max
    )

    picks = {
        "silhouette": silhouette_pick(rows).k,
        "guarded": guarded_pick(rows, budget, k_min).k,
    }
    assert choice["picks"] == picks
    assert choice["k"] == picks[criterion]
    assert choice["criterion"] == criterion
    assert len(choice["palette"]) == choice["k"]
    assert len(choice["scores"]) == len(rows) + len(failed)
    best = silhouette_pick(rows)
    assert choice["silhouette_on_edge"] is (
        best.silhouette is not None and k_min < k_max and best.k in (k_min, k_max)
    )


@pytest.mark.parametrize(
    ("rows", "guarded"),
    [
        ([Row(8, 0.5, 1.9), Row(9, 0.4, 1.5)], 8),
        ([Row(8, 0.5, 2.1), Row(9, 0.4, 1.9)], 9),
        ([Row(8, 0.5, 9.0), Row(9, 0.4, 4.1), Row(10, 0.3, 4.0)], 9),
        ([Row(8, 0.5, 1.0), Row(9, 0.7, 0.9)], 9),
        ([Row(8, 0.7, 4.0), Row(9, 0.4, 1.9)], 9),
        ([Row(8, 0.7, 1.0), Row(9, 0.4, 0.9)], 8),
        ([Row(3, None, 0.0)], 3),
        ([Row(8, 0.5, 1.0, 7.0), Row(9, 0.4, 0.9, 5.0)], 9),
        ([Row(8, 0.9, 1.0, 7.0), Row(9, 0.9, 0.9, 0.0)], 9),
    ],
    ids=[
        "least K is good enough",
        "budget decides",
        "budget out of reach",
        "clusters",
        "no clusters, the window cuts the curve",
        "clusters at the least K",
        "nothing to choose",
        "an accent loses its hue",
        "the sample of clusters has no pixel of an accent",
    ],
)
def test_guarded_by_example(rows, guarded):
    assert choose_k(rows)["picks"]["guarded"] == guarded
