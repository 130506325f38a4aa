"""What must hold for every ensemble, whatever the clocks do: hypothesis looks for the one that breaks it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from clock_ensembles import TAU_S, ensembles, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timeball.ensemble import algos, at1
from timeball.ensemble.algos import ALGOSParameters, ALGOSState
from timeball.ensemble.at1 import AT1Parameters, AT1State
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

FEW = settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Algorithm(NamedTuple):
    """One algorithm of the ensemble, and its rules for epochs of minutes."""

    state: Any
    rules: Any
    advance: Callable[..., tuple[Any, Steps]]

    def run(self, table: PhaseTable, **changes: object) -> tuple[Any, Steps]:
        """From nothing through the whole table, by rules with these changes."""
        return self.advance(self.state.empty(), msgspec.structs.replace(self.rules, **changes), table)


AT1 = Algorithm(
    AT1State,
    AT1Parameters(memory_s=60 * TAU_S, cap=0.4, min_epochs=15, tau_min_s=30 * TAU_S, interval_s=TAU_S),
    at1.advance,
)
ALGOS = Algorithm(
    ALGOSState,
    ALGOSParameters(window_s=6.0 * TAU_S, interval_s=TAU_S, min_windows=3, least_drift_windows=3, drift_windows=4),
    algos.advance,
)
EACH = pytest.mark.parametrize("algorithm", [AT1, ALGOS], ids=["at1", "algos"])


@EACH
@FEW
@given(ensembles(), st.lists(st.integers(1, 89), max_size=6))
def test_one_call_or_many_give_the_same_bits(algorithm: Algorithm, table: PhaseTable, cuts: list[int]) -> None:
    whole_state, whole = algorithm.run(table)
    state, parts = algorithm.state.empty(), []
    edges = [0, *sorted({cut for cut in cuts if cut < len(table.epochs)}), len(table.epochs)]
    for start, stop in itertools.pairwise(edges):
        # through the ledger's form and back, as a restart would
        state, steps = algorithm.advance(
            algorithm.state.from_payload(state.to_payload()), algorithm.rules, rows(table, slice(start, stop))
        )
        parts.append(steps)
    assert state.to_payload() == whole_state.to_payload()
    for name in ("x", "y", "weight", "error", "sigma", "figure", "code"):
        assert np.concatenate([getattr(part, name) for part in parts]).tobytes() == getattr(whole, name).tobytes(), name


@EACH
@FEW
@given(ensembles(), st.data())
def test_the_choice_of_the_reference_changes_nothing(
    algorithm: Algorithm, table: PhaseTable, data: st.DataObject
) -> None:
    reference = data.draw(st.integers(0, len(table.clocks) - 1))
    there = np.isfinite(table.x[:, reference])
    shift = np.where(there, table.x[:, reference], 0.0)
    moved = PhaseTable(table.epochs, table.clocks, table.x - shift[:, None], table.pivot, table.clocks[reference])
    _, before = algorithm.run(table)
    _, after = algorithm.run(moved)
    assert (before.code == after.code).all()
    np.testing.assert_allclose(after.x, before.x, rtol=0, atol=1e-15)
    # a weight follows the noise, and rounding (1e-19 s) is far below any: the cap and the clips see the same
    np.testing.assert_allclose(after.weight, before.weight, rtol=0, atol=1e-6)


@EACH
@FEW
@given(ensembles(), st.permutations(range(6)))
def test_the_order_of_the_columns_changes_not_one_bit(
    algorithm: Algorithm, table: PhaseTable, order: list[int]
) -> None:
    order = [j for j in order if j < len(table.clocks)]
    names = tuple(table.clocks[j] for j in order)
    shuffled = PhaseTable(table.epochs, names, table.x[:, order], table.pivot, table.reference)
    assert algorithm.run(shuffled)[0].to_payload() == algorithm.run(table)[0].to_payload()
    assert algorithm.run(shuffled)[1].to_payload() == algorithm.run(table)[1].to_payload()


@EACH
@FEW
@given(ensembles(), st.integers(0, 2**32 - 1), st.sampled_from(["AA", "BB", "ZZ"]))
def test_a_clock_without_weight_moves_nothing_not_one_bit(
    algorithm: Algorithm, table: PhaseTable, seed: int, name: str
) -> None:
    rng = np.random.default_rng(seed)
    wild = rng.normal(0, 1e-3, len(table.epochs))
    wild[rng.random(len(wild)) < 0.2] = np.nan
    columns = np.column_stack([table.x, wild])
    joined = PhaseTable(table.epochs, (*table.clocks, name), columns, table.pivot, table.reference)
    _, alone = algorithm.run(table)
    _, steps = algorithm.run(joined, zero_weight=(name,))
    kept = [j for j, clock in enumerate(steps.clocks) if clock != name]
    for field in ("x", "y", "weight", "error", "code"):
        assert getattr(steps, field)[:, kept].tobytes() == getattr(alone, field).tobytes(), field
    assert (steps.weight[:, steps.clocks.index(name)] == 0).all()


@EACH
@FEW
@given(ensembles())
def test_weights_are_shares_and_every_clock_has_a_reason(algorithm: Algorithm, table: PhaseTable) -> None:
    _, steps = algorithm.run(table)
    carried = np.isfinite(steps.x).any(axis=1)
    np.testing.assert_allclose(steps.weight.sum(axis=1)[carried], 1.0, rtol=1e-12)
    assert (steps.weight[~carried] == 0).all()
    assert (steps.weight >= 0).all()
    assert (steps.weight[np.isnan(steps.x)] == 0).all()
    for i, j in np.ndindex(*steps.code.shape):
        assert steps.reason(i, j)
        assert "nan" not in steps.reason(i, j)


@FEW
@given(ensembles())
def test_the_scale_is_the_weighted_mean_of_predictions_so_weighted_errors_add_up_to_nothing(table: PhaseTable) -> None:
    _, steps = AT1.run(table)
    told = np.isfinite(steps.error)
    complete = ((steps.weight == 0) | told).all(axis=1)
    total = np.where(told, steps.weight * np.nan_to_num(steps.error), 0.0).sum(axis=1)
    size = np.abs(np.nan_to_num(steps.x)).max(initial=1e-9)
    assert np.abs(total[complete]).max(initial=0.0) < 1e-14 * size + 1e-18
