"""What must hold for every ensemble, whatever the clocks do: hypothesis looks for the one that breaks it."""

from __future__ import annotations

import itertools

import numpy as np
from clock_ensembles import TAU_S, ensembles, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timeball.ensemble.at1 import AT1Parameters, AT1State, advance
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
RULES = AT1Parameters(memory_s=60 * TAU_S, cap=0.4, min_epochs=15, tau_min_s=30 * TAU_S, interval_s=TAU_S)


def run(table: PhaseTable, rules: AT1Parameters = RULES) -> tuple[AT1State, Steps]:
    return advance(AT1State.empty(), rules, table)


@FEW
@given(ensembles(), st.lists(st.integers(1, 89), max_size=6))
def test_one_call_or_many_give_the_same_bits(table: PhaseTable, cuts: list[int]) -> None:
    whole_state, whole = run(table)
    state, parts = AT1State.empty(), []
    edges = [0, *sorted({cut for cut in cuts if cut < len(table.epochs)}), len(table.epochs)]
    for start, stop in itertools.pairwise(edges):
        # through the ledger's form and back, as a restart would
        state, steps = advance(AT1State.from_payload(state.to_payload()), RULES, rows(table, slice(start, stop)))
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
    # a weight follows the noise, and rounding (1e-19 s) is far below any: the cap and the clips see the same
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
    joined = PhaseTable(
        table.epochs, (*table.clocks, name), np.column_stack([table.x, wild]), table.pivot, table.reference
    )
    rules = AT1Parameters(
        memory_s=RULES.memory_s,
        cap=RULES.cap,
        min_epochs=RULES.min_epochs,
        tau_min_s=RULES.tau_min_s,
        interval_s=RULES.interval_s,
        zero_weight=(name,),
    )
    _, alone = run(table)
    _, steps = run(joined, rules)
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
    for i in range(len(steps.epochs)):
        for j in range(len(steps.clocks)):
            assert steps.reason(i, j)
            assert "nan" not in steps.reason(i, j)


@FEW
@given(ensembles())
def test_the_scale_is_the_weighted_mean_of_predictions_so_weighted_errors_add_up_to_nothing(table: PhaseTable) -> None:
    _, steps = run(table)
    told = np.isfinite(steps.error)
    complete = ((steps.weight == 0) | told).all(axis=1)
    total = np.where(told, steps.weight * np.nan_to_num(steps.error), 0.0).sum(axis=1)
    size = np.abs(np.nan_to_num(steps.x)).max(initial=1e-9)
    assert np.abs(total[complete]).max(initial=0.0) < 1e-14 * size + 1e-18
