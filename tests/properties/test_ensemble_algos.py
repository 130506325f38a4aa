"""What must hold for ALGOS, whatever the clocks do: the ensembles of the AT1 tests, windows of a few epochs."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
from clock_ensembles import TAU_S, ensembles, rows
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from timeball.ensemble.algos import ALGOSParameters, ALGOSState, advance
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

RULES = ALGOSParameters(window_s=6.0 * TAU_S, interval_s=TAU_S, min_windows=3, least_drift_windows=3, drift_windows=4)
FEW = hypothesis_settings(max_examples=30, deadline=None)


def run(table: PhaseTable, rules: ALGOSParameters = RULES) -> tuple[ALGOSState, Steps]:
    return advance(ALGOSState.empty(), rules, table)


@FEW
@given(ensembles(), st.lists(st.integers(1, 89), max_size=6))
def test_one_call_or_many_give_the_same_bits(table: PhaseTable, cuts: list[int]) -> None:
    whole_state, whole = run(table)
    state, parts = ALGOSState.empty(), []
    edges = [0, *sorted({cut for cut in cuts if cut < len(table.epochs)}), len(table.epochs)]
    for start, stop in itertools.pairwise(edges):
        # through the ledger's form and back, as a restart would
        state, steps = advance(ALGOSState.from_payload(state.to_payload()), RULES, rows(table, slice(start, stop)))
        parts.append(steps)
    assert state.to_payload() == whole_state.to_payload()
    for name in ("x", "y", "weight", "error", "sigma", "figure", "code"):
        assert np.concatenate([getattr(part, name) for part in parts]).tobytes() == getattr(whole, name).tobytes(), name


@FEW
@given(ensembles(), st.data())
def test_the_choice_of_the_reference_changes_nothing(table: PhaseTable, data: st.DataObject) -> None:
    reference = data.draw(st.integers(0, len(table.clocks) - 1))
    there = np.isfinite(table.x[:, reference])
    shift = np.where(there, table.x[:, reference], 0.0)
    moved = PhaseTable(table.epochs, table.clocks, table.x - shift[:, None], table.pivot, table.clocks[reference])
    _, before = run(table)
    _, after = run(moved)
    assert (before.code == after.code).all()
    np.testing.assert_allclose(after.x, before.x, rtol=0, atol=1e-15)
    np.testing.assert_allclose(after.weight, before.weight, rtol=0, atol=1e-6)


@FEW
@given(ensembles(), st.permutations(range(6)))
def test_the_order_of_the_columns_changes_not_one_bit(table: PhaseTable, order: list[int]) -> None:
    order = [j for j in order if j < len(table.clocks)]
    names = tuple(table.clocks[j] for j in order)
    shuffled = PhaseTable(table.epochs, names, table.x[:, order], table.pivot, table.reference)
    assert run(shuffled)[0].to_payload() == run(table)[0].to_payload()
    assert run(shuffled)[1].to_payload() == run(table)[1].to_payload()


@FEW
@given(ensembles(), st.integers(0, 2**32 - 1), st.sampled_from(["AA", "BB", "ZZ"]))
def test_a_clock_without_weight_moves_nothing_not_one_bit(table: PhaseTable, seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    wild = rng.normal(0, 1e-3, len(table.epochs))
    wild[rng.random(len(wild)) < 0.2] = np.nan
    columns = np.column_stack([table.x, wild])
    joined = PhaseTable(table.epochs, (*table.clocks, name), columns, table.pivot, table.reference)
    _, alone = run(table)
    _, steps = run(joined, msgspec.structs.replace(RULES, zero_weight=(name,)))
    kept = [j for j, clock in enumerate(steps.clocks) if clock != name]
    for field in ("x", "y", "weight", "error", "code"):
        assert getattr(steps, field)[:, kept].tobytes() == getattr(alone, field).tobytes(), field
    assert (steps.weight[:, steps.clocks.index(name)] == 0).all()


@FEW
@given(ensembles())
def test_weights_are_shares_and_every_clock_has_a_reason(table: PhaseTable) -> None:
    _, steps = run(table)
    carried = np.isfinite(steps.x).any(axis=1)
    np.testing.assert_allclose(steps.weight.sum(axis=1)[carried], 1.0, rtol=1e-12)
    assert (steps.weight[~carried] == 0).all()
    assert (steps.weight >= 0).all()
    assert (steps.weight[np.isnan(steps.x)] == 0).all()
    for i, j in np.ndindex(*steps.code.shape):
        assert steps.reason(i, j)
        assert "nan" not in steps.reason(i, j)
