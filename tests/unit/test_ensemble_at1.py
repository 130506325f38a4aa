"""AT1 seen from outside: who carries the scale, who is left out, and what is said about it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from timeball.ensemble.at1 import AT1Parameters, AT1State, advance
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

TAU_S = 300
RULES = AT1Parameters(memory_s=200 * TAU_S, cap=0.5, min_epochs=20, tau_min_s=50 * TAU_S, interval_s=TAU_S)


def simulate(seed: int, n: int = 5, m: int = 200, sigma_s: float = 1e-11) -> np.ndarray:
    """Phases [m, n] of clocks with white frequency noise and different rates."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, sigma_s, (m, n)), axis=0) + np.outer(np.arange(m), rng.normal(0, 5e-11, n))


def table_of(phases: np.ndarray, names: tuple[str, ...] | None = None, start: int = 0) -> PhaseTable:
    m, n = phases.shape
    pivot = np.argmax(np.isfinite(phases), axis=1)
    epochs = (start + np.arange(m, dtype=np.int64)) * TAU_S * 10**9
    x = phases - phases[np.arange(m), pivot][:, None]
    return PhaseTable(epochs, names or tuple("ABCDEFGH"[:n]), x, pivot.astype(np.int32), "A")


def run(phases: np.ndarray, rules: AT1Parameters = RULES) -> tuple[AT1State, Steps, np.ndarray]:
    """State, steps, and the scale itself [m] (minus truth), from a clock that is there."""
    state, steps = advance(AT1State.empty(), rules, table_of(phases))
    difference = phases - steps.x
    first = np.argmax(np.isfinite(difference), axis=1)
    return state, steps, difference[np.arange(len(difference)), first]


def test_the_first_epoch_sets_the_scale_to_the_middle_of_the_clocks_that_may_carry_it() -> None:
    phases = np.array([[1e-6, 3e-6, 8e-6, 100.0]])
    _, steps = advance(AT1State.empty(), AT1Parameters(zero_weight=("D",)), table_of(phases))
    np.testing.assert_allclose(steps.x[0, :3], [-2e-6, 0.0, 5e-6], atol=1e-20)
    assert steps.weight[0].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert steps.reason(0, 0) == "starting: no clock has learned yet (0 of 30 epochs learned), weight 0.000 for now"
    assert steps.reason(0, 3) == "no weight by configuration"


def test_clocks_share_until_they_have_learned_and_then_the_better_ones_carry_more() -> None:
    rng = np.random.default_rng(3)
    phases = np.cumsum(rng.normal(0, [1e-11, 1e-11, 4e-11, 4e-11], (400, 4)), axis=0)
    _, steps, _ = run(phases)
    assert sorted(steps.weight[5].tolist()) == [0.0, 0.0, 0.5, 0.5]
    assert steps.reason(15, 0).startswith("starting")
    assert steps.weight[-1, :2].min() > 4 * steps.weight[-1, 2:].max()
    assert steps.reason(399, 2) == f"weight {steps.weight[399, 2]:.3f} from its prediction errors"


def test_wild_clocks_among_many_good_ones_do_not_capture_the_scale() -> None:
    # a mean at the start would follow the wild ones, teach everybody their noise, and never find back
    rng = np.random.default_rng(22)
    sigma = np.array([1e-11] * 6 + [1e-7, 3e-7, 1e-6, 1e-8])
    phases = np.cumsum(rng.normal(0, sigma, (300, 10)), axis=0)
    _, steps, scale = run(phases[:, :8])
    assert steps.weight[40:, 6:].max() < 1e-4
    assert np.std(np.diff(scale)) < 8e-12


def test_weights_add_up_to_one_at_every_epoch() -> None:
    phases = simulate(4)
    phases[np.random.default_rng(5).random(phases.shape) < 0.2] = np.nan
    phases[:, 0] = simulate(4)[:, 0]
    _, steps, _ = run(phases)
    np.testing.assert_allclose(steps.weight.sum(axis=1), 1.0, rtol=1e-14)


def test_a_clock_at_the_cap_says_so() -> None:
    rng = np.random.default_rng(6)
    phases = np.cumsum(rng.normal(0, [1e-12, 1e-11, 1e-11, 1e-11], (200, 4)), axis=0)
    _, steps, _ = run(phases)
    assert steps.weight[-1, 0] == 0.5
    assert steps.reason(199, 0) == "weight at the cap of 0.50"


def test_one_wild_reading_is_left_out_and_does_not_move_the_scale() -> None:
    clean = simulate(7)
    wild = clean.copy()
    wild[100, 2] += 5e-9
    _, _, quiet = run(clean)
    _, steps, scale = run(wild)
    assert steps.weight[100, 2] == 0.0
    assert steps.weight[101, 2] == 0.0
    assert "sigma: left out this epoch" in steps.reason(100, 2)
    assert re.match(r"prediction error (4.99|5|5.01) ns is \d{3} sigma: ", steps.reason(100, 2))
    assert "back from an outlier" in steps.reason(101, 2)
    assert steps.state_word(102, 2) in {"ok", "at cap"}
    # the others take over what little the clock had to say; nothing of the 5 ns is in the scale
    assert np.abs(scale - quiet).max() < 3e-11


def test_an_error_between_the_limits_counts_in_part_and_the_words_give_the_deciding_ratio() -> None:
    phases = simulate(21, m=2000)
    _, steps, _ = run(phases)
    reduced = np.argwhere(np.vectorize(steps.state_word)(*np.indices(steps.x.shape)) == "reduced")
    assert len(reduced) >= 5
    for i, j in reduced.tolist():
        assert 3 < steps.figure[i, j] <= 4
        assert steps.figure[i, j] < 3.3 or steps.weight[i, j] < steps.weight[i - 1, j]
        assert f"is {steps.figure[i, j]:.1f} sigma: weight reduced to {steps.weight[i, j]:.3f}" in steps.reason(i, j)


def test_a_phase_step_is_absorbed_by_its_clock_and_rate_and_scale_go_on() -> None:
    clean = simulate(8)
    stepped = clean.copy()
    stepped[100:, 2] += 50e-9
    _, before, quiet = run(clean)
    _, steps, scale = run(stepped)
    assert "left out this epoch" in steps.reason(100, 2)
    assert steps.reason(101, 2).startswith("phase step of 50 ns: absorbed")
    assert steps.weight[101, 2] > 0.05
    assert np.abs(scale - quiet).max() < 3e-11
    assert steps.y[101, 2] == pytest.approx(before.y[101, 2], abs=2e-14)


@pytest.mark.parametrize("step", [+4e-12, -4e-12])
def test_a_rate_step_is_seen_by_its_repeated_sign_and_the_rate_learned_anew(step: float) -> None:
    clean = simulate(9)
    stepped = clean.copy()
    stepped[100:, 2] += step * TAU_S * np.arange(1, 101)
    _, before, quiet = run(clean)
    _, steps, scale = run(stepped)
    assert [steps.state_word(i, 2) for i in (100, 101, 102)] == ["left out", "left out", "rate step"]
    assert steps.reason(102, 2).startswith(f"rate step of {steps.figure[102, 2]:.2g}: rate learned anew")
    assert steps.figure[102, 2] == pytest.approx(step, rel=0.05)
    assert steps.reason(103, 2) == "learning: 1 of 20 epochs"
    assert (steps.weight[100:122, 2] == 0).all()
    assert steps.weight[125, 2] > 0.05
    assert np.abs(scale - quiet).max() < 1e-10
    assert steps.y[-1, 2] - before.y[-1, 2] == pytest.approx(step, abs=5e-14)


def test_a_clock_whose_noise_has_grown_is_judged_anew_and_not_shut_out_for_ever() -> None:
    phases = simulate(10, m=300)
    phases[100:, 2] += 5e-9 * (-1.0) ** np.arange(200)
    _, steps, _ = run(phases)
    assert "noise changed" in {steps.state_word(i, 2) for i in range(100, 115)}
    assert steps.state_word(299, 2) == "ok"
    assert 0 < steps.weight[-1, 2] < 1e-3


def test_who_is_left_when_a_maser_is_missing_carries_what_the_cap_leaves_them() -> None:
    """The published rule: weights of the clocks that are there, none above the cap, the surplus to the others."""
    rng = np.random.default_rng(31)
    phases = np.cumsum(rng.normal(0, [1e-13] * 4 + [3e-11] * 6, (300, 10)), axis=0)
    read = phases.copy()
    read[250:262, 0] = np.nan
    names = tuple("ABCDEFGHIJ")
    for cap, handed_on in ((0.3, 0.1), (0.34, 0.0)):
        rules = AT1Parameters(memory_s=200 * TAU_S, cap=cap, min_epochs=20, tau_min_s=50 * TAU_S, interval_s=TAU_S)
        _, steps = advance(AT1State.empty(), rules, table_of(read, names))
        _, unbroken = advance(AT1State.empty(), rules, table_of(phases, names))
        assert steps.weight[249, 4:].sum() < 0.01
        np.testing.assert_allclose(steps.weight[250:262, 4:].sum(axis=1), handed_on, atol=0.01)
        assert steps.weight[266, 4:].sum() < 0.01
        moved = np.abs((read - steps.x) - (read - unbroken.x))[:, 1]
        assert moved[264] < 0.25 * 3e-11, "the masers take the scale back to where they foretell it"


def test_a_missing_clock_is_said_to_be_missing_and_takes_its_old_rate_back_with_it() -> None:
    phases = simulate(11, m=300)
    absent = phases.copy()
    absent[100:150, 1] = np.nan
    _, _, quiet = run(phases)
    state, steps, scale = run(absent)
    assert steps.reason(120, 1) == "missing"
    assert np.isnan(steps.x[120, 1])
    assert steps.weight[120, 1] == 0
    # after 50 intervals the prediction is known far less well: it returns with little weight, at once
    assert 0 < steps.weight[150, 1] < 0.2 * steps.weight[99, 1]
    assert steps.weight[151, 1] > 0.5 * steps.weight[99, 1]
    assert np.abs(scale - quiet).max() < 3e-10
    assert state.eps2[1] == pytest.approx(1e-22, rel=0.5)


def test_a_new_clock_joins_without_moving_the_scale_and_gets_weight_when_it_has_learned() -> None:
    phases = simulate(12)
    late = phases.copy()
    late[:100, 4] = np.nan
    without = phases.copy()
    without[:, 4] = np.nan
    _, steps, scale = run(late)
    _, _, alone = run(without)
    assert steps.reason(100, 4) == "joined: first reading, phase taken"
    assert steps.reason(102, 4) == "learning: 1 of 20 epochs"
    assert (scale[:121] == alone[:121]).all()
    first = int(np.argmax(steps.weight[:, 4] > 0))
    assert 120 <= first <= 123
    jump = np.diff(scale - alone)[first - 1]
    assert abs(jump) < 1e-11


def test_a_clock_that_leaves_takes_neither_phase_nor_rate_of_the_scale_with_it() -> None:
    phases = simulate(13, n=6, m=200, sigma_s=1e-13)
    phases += np.outer(np.arange(200), [0, 0, 0, 0, 0, 1e-8])  # the leaver is far off in rate
    leaver = phases.copy()
    leaver[120:, 5] = np.nan
    _, _, stays = run(phases)
    _, _, leaves = run(leaver)
    assert np.abs(leaves - stays).max() < 3e-12
    slope = np.polyfit(np.arange(80) * TAU_S, (leaves - stays)[120:], 1)[0]
    assert abs(slope) < 1e-16


def test_a_long_gap_of_the_whole_station_does_not_poison_the_memory() -> None:
    phases = simulate(14, m=1400)
    whole = table_of(phases)
    kept = np.r_[0:200, 1200:1400]
    gapped = PhaseTable(whole.epochs[kept], whole.clocks, whole.x[kept], whole.pivot[kept], "A")
    before, _ = advance(AT1State.empty(), RULES, table_of(phases[:200]))
    after, _ = advance(AT1State.empty(), RULES, gapped)
    assert (after.eps2 < 2 * before.eps2).all()
    assert (after.eps2 > before.eps2 / 2).all()


def test_a_drift_given_is_predicted_with() -> None:
    m, drift = 300, 3e-17
    t = np.arange(m) * TAU_S
    phases = np.column_stack([0.5 * drift * t**2, np.zeros(m), np.zeros(m)])
    phases[:, 1:] += np.random.default_rng(15).normal(0, 1e-14, (m, 2))
    known = AT1Parameters(
        memory_s=1e5, cap=1.0, interval_s=TAU_S, tau_min_s=1e5, zero_weight=("A",), drift_by_clock={"A": drift}
    )
    _, steps, _ = run(phases, known)
    _, ignorant, _ = run(
        phases, AT1Parameters(memory_s=1e5, cap=1.0, interval_s=TAU_S, tau_min_s=1e5, zero_weight=("A",))
    )
    assert np.abs(steps.error[100:, 0]).mean() < np.abs(ignorant.error[100:, 0]).mean() / 5
    assert steps.y[-1, 0] - steps.y[-1, 1] == pytest.approx(drift * t[-1], abs=1e-16)


def test_without_any_clock_that_carries_there_is_no_scale_and_it_comes_back_where_it_was() -> None:
    phases = simulate(16, n=4, m=120, sigma_s=1e-13)
    names = ("A", "B", "C", "Z")
    rules = AT1Parameters(memory_s=1e5, min_epochs=20, interval_s=TAU_S, tau_min_s=15000, zero_weight=("Z",))
    dark = phases.copy()
    dark[60:70, :3] = np.nan
    _, whole = advance(AT1State.empty(), rules, table_of(phases, names))
    _, steps = advance(AT1State.empty(), rules, table_of(dark, names))
    assert np.isnan(steps.x[60:70]).all()
    assert steps.reason(65, 3) == "no scale: no clock that carries it was measured"
    assert steps.reason(65, 0) == "missing"
    assert (steps.weight[60:70] == 0).all()
    np.testing.assert_allclose(steps.x[70:], whole.x[70:], atol=1e-11)


def test_a_scale_cannot_start_on_clocks_without_weight() -> None:
    _, steps = advance(AT1State.empty(), AT1Parameters(zero_weight=("A", "B")), table_of(simulate(17, n=2, m=3)))
    assert np.isnan(steps.x).all()
    assert steps.state_word(2, 0) == "no scale"


def test_a_single_clock_is_its_own_scale() -> None:
    _, steps = advance(AT1State.empty(), RULES, table_of(np.zeros((50, 1))))
    assert (steps.weight == 1).all()
    assert (steps.x == 0).all()


def test_perfect_clocks_give_finite_numbers() -> None:
    _, steps, _ = run(np.outer(np.arange(100), [1e-9, 2e-9, 3e-9]))
    assert np.isfinite(steps.x).all()
    assert np.isfinite(steps.weight).all()


def test_the_given_state_is_left_as_it_was() -> None:
    state, _ = advance(AT1State.empty(), RULES, table_of(simulate(18)))
    payload = state.to_payload()
    advance(state, RULES, table_of(simulate(19), start=500))
    assert state.to_payload() == payload


def test_epochs_out_of_order_are_refused() -> None:
    state, _ = advance(AT1State.empty(), RULES, table_of(simulate(20)))
    with pytest.raises(EnsembleError, match="is done already"):
        advance(state, RULES, table_of(simulate(20), start=10))
    backward = table_of(simulate(20))
    wrong = PhaseTable(backward.epochs[::-1], backward.clocks, backward.x, backward.pivot, "A")
    with pytest.raises(EnsembleError, match="stands after"):
        advance(AT1State.empty(), RULES, wrong)
    with pytest.raises(EnsembleError, match="two columns"):
        advance(AT1State.empty(), RULES, table_of(simulate(20, n=2), names=("A", "A")))


def test_a_quiet_clock_is_not_left_out_because_the_scale_got_noisier() -> None:
    """Two quiet clocks carry the scale; when one has gone, the other is judged against what noisy clocks make of it."""
    rng = np.random.default_rng(5)
    noise_s = np.array([5e-12, 5e-12, 8e-11, 8e-11, 8e-11, 8e-11])
    phases = np.cumsum(rng.normal(size=(600, 6)) * noise_s, axis=0)
    phases[300:, 0] = np.nan
    table = PhaseTable(
        np.arange(1, 601, dtype=np.int64) * 60 * 10**9,
        tuple("ABCDEF"),
        phases - phases[:, 1:2],
        np.ones(600, np.int32),
        "B",
    )
    rules = AT1Parameters(memory_s=86400.0, cap=0.4, interval_s=60.0, tau_min_s=86400.0)
    _, steps = advance(AT1State.empty(), rules, table)
    left_out = [epoch for epoch in range(300, 600) if steps.state_word(epoch, 1) == "left out"]
    assert len(left_out) <= 3, left_out
