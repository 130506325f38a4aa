"""The Kalman scale seen from outside: who carries it, what is rejected, who comes and goes, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from timeball.ensemble import codes
from timeball.ensemble.errors import EnsembleError, StateError
from timeball.ensemble.kalman import FIELDS, KalmanParameters, KalmanState, advance
from timeball.ensemble.kalman.layout import with_pivot
from timeball.ensemble.noise import ClockNoise
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

TAU_S = 3600
CAESIUM = ClockNoise(wpm=5e-12, wfm=8.5e-12, ffm=1e-14, rwfm=3e-18)
MASER = ClockNoise(wpm=5e-12, wfm=4e-14, ffm=7e-16, rwfm=5e-19, drifts=True)
NAMES = tuple("ABCDEFG")
NOISE = dict(zip(NAMES, [CAESIUM] * 4 + [MASER] * 3, strict=True))
RULES = KalmanParameters(noise_by_clock=NOISE, interval_s=TAU_S)


def simulate(seed: int, m: int = 300, names: tuple[str, ...] = NAMES) -> np.ndarray:
    """Phases [m, n] as read: white and random-walk FM, offsets in phase and rate, channel noise."""
    rng = np.random.default_rng(seed)
    noise = [NOISE[name] for name in names]
    n = len(names)
    wfm, rwfm = np.array([each.wfm for each in noise]), np.array([each.rwfm for each in noise])
    rate = rng.normal(size=n) * wfm / 100 + np.cumsum(rng.normal(size=(m, n)) * rwfm * np.sqrt(3 * TAU_S), axis=0)
    phase = np.cumsum(rng.normal(size=(m, n)) * wfm * np.sqrt(TAU_S) + rate * TAU_S, axis=0)
    return phase + rng.normal(size=n) * 1e-7 + rng.normal(size=(m, n)) * 5e-12 / np.sqrt(3)


def table_of(phases: np.ndarray, names: tuple[str, ...] = NAMES, pivot: int = 0) -> PhaseTable:
    m = len(phases)
    present = np.isfinite(phases)
    hub = np.where(present[:, pivot], pivot, np.argmax(present, axis=1))
    epochs = np.arange(m, dtype=np.int64) * TAU_S * 10**9
    return PhaseTable(epochs, names, phases - phases[np.arange(m), hub][:, None], hub.astype(np.int32), names[pivot])


def part(table: PhaseTable, rows: slice) -> PhaseTable:
    return PhaseTable(table.epochs[rows], table.clocks, table.x[rows], table.pivot[rows], table.reference)


def run(phases: np.ndarray, rules: KalmanParameters = RULES) -> tuple[KalmanState, Steps]:
    return advance(KalmanState.empty(), rules, table_of(phases))


def raw(steps: Steps) -> bytes:
    return b"".join(getattr(steps, f).tobytes() for f in ("x", "y", "weight", "error", "sigma", "figure", "code"))


def test_the_conditions_follow_the_noise() -> None:
    _, steps = run(simulate(1))
    mean = steps.weight[100:].mean(axis=0)
    assert steps.weight[5:].sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert (mean[4:] > 0.3).all()
    assert (mean[:4] < 1e-3).all()


def test_errors_are_as_large_as_expected() -> None:
    rules = KalmanParameters(noise_by_clock={name: msgspec.structs.replace(NOISE[name], ffm=0.0) for name in NAMES})
    _, steps = run(simulate(2, m=1500), rules)
    ratio = (steps.error / steps.sigma)[100:]
    assert np.nanmean(ratio**2, axis=0) == pytest.approx(1.0, abs=0.25)


def test_a_rejected_reading_does_not_move_the_scale() -> None:
    phases = simulate(3)
    wild = phases.copy()
    wild[200, 4] += 1e-6
    gone = phases.copy()
    gone[200, 4] = np.nan
    _, with_it = run(wild)
    _, without_it = run(gone)
    assert with_it.code[200, 4] == codes.LEFT_OUT
    assert with_it.code[201, 4] == codes.BACK
    rest = [0, 1, 2, 3, 5, 6]
    np.testing.assert_allclose(with_it.x[200][rest], without_it.x[200][rest], rtol=0, atol=1e-17)
    np.testing.assert_allclose(with_it.x[250:], without_it.x[250:], rtol=0, atol=2e-12)
    assert with_it.error[200, 4] == pytest.approx(1e-6, rel=1e-3)
    assert "left out this epoch" in with_it.reason(200, 4)
    assert "outlier" in with_it.reason(201, 4)


def test_a_phase_step_is_absorbed() -> None:
    phases = simulate(4)
    stepped = phases.copy()
    stepped[200:, 5] += 5e-9
    _, plain = run(phases)
    _, steps = run(stepped)
    assert [int(c) for c in steps.code[200:202, 5]] == [codes.LEFT_OUT, codes.PHASE_STEP]
    assert steps.figure[201, 5] == pytest.approx(5e-9, rel=0.02)
    others = [0, 1, 2, 3, 4, 6]
    assert np.abs((steps.x - plain.x)[205:, others]).max() < 3e-11
    assert np.median((steps.x - plain.x)[205:, 5]) == pytest.approx(5e-9, rel=0.01)


def test_a_rate_step_is_learned() -> None:
    phases = simulate(5)
    slower = phases.copy()
    slower[200:, 4] += 1e-12 * TAU_S * np.arange(1, 101)
    _, steps = run(slower)
    where = np.flatnonzero(steps.code[:, 4] == codes.RATE_STEP)
    assert where.size == 1
    assert 200 < where[0] <= 204
    assert steps.figure[where[0], 4] == pytest.approx(1e-12, rel=0.05)
    assert steps.weight[where[0] + 1, 4] == 0.0
    assert steps.code[where[0] + 1, 4] == codes.LEARNING
    assert steps.weight[-1, 4] > 0.2
    assert (steps.y[-1] - steps.y[190])[4] == pytest.approx(1e-12, rel=0.05)


def test_a_clock_that_turns_noisy_counts_less() -> None:
    phases = simulate(6, m=500)
    rng = np.random.default_rng(6)
    phases[200:, 6] += np.cumsum(rng.normal(size=300) * 4e-11)
    _, steps = run(phases)
    assert (steps.code[200:230, 6] == codes.LEFT_OUT).sum() >= 3
    assert steps.weight[-50:, 6].max() < 0.1
    assert (steps.code[-50:, 6] == codes.LEFT_OUT).sum() <= 3


def test_a_clock_out_of_its_mind_is_learned_anew() -> None:
    phases = simulate(16)
    phases[200:, 6] += 1e-8 * np.where(np.arange(100) % 2 == 0, 1.0, -1.0)
    _, steps = run(phases)
    assert (steps.code[200:209, 6] == codes.LEFT_OUT).all()
    assert steps.code[209, 6] == codes.NOISE_STEP
    assert "learned anew" in steps.reason(209, 6)
    assert steps.weight[210:240, 6].max() == 0.0


def test_joining_and_leaving_keep_phase_and_rate() -> None:
    """The scale against a clock that is always there, with and without a coming and a going."""
    phases = simulate(7, m=400)
    moving = phases.copy()
    moving[:150, 5] = np.nan
    moving[280:, 4] = np.nan
    _, steps = run(moving)
    assert steps.code[150, 5] == codes.JOINED
    assert steps.x[150, 5] == pytest.approx(moving[150, 5] - (moving - steps.x)[150, 6], abs=3e-11)
    assert (steps.weight[150:181, 5] == 0.0).all()
    assert steps.weight[190, 5] > 0.2
    scale = (moving - steps.x)[:, 6]
    second = np.abs(np.diff(scale, n=2))
    for event in (150, 181, 280, 284):
        assert second[event - 3 : event + 2].max() < 6 * np.median(second[50:])


def test_a_clock_away_for_long_is_forgotten() -> None:
    phases = simulate(8, m=400)
    phases[50:, 0] = np.nan
    rules = msgspec.structs.replace(RULES, forget_s=100.0 * TAU_S, pivot_epochs=200)
    state, steps = run(phases, rules)
    assert state.carrying == tuple("BCDEFG")
    whole, others = run(phases)
    assert whole.carrying == NAMES
    assert whole.pivot != "A"
    np.testing.assert_allclose(steps.x[149:], others.x[149:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cut", [1, 2, 57, 149])
def test_one_call_or_many_give_the_same_bits(cut: int) -> None:
    phases = simulate(9, m=150)
    phases[np.random.default_rng(9).random(phases.shape) < 0.1] = np.nan
    phases[:40, 2] = np.nan
    phases[100:, 0] = np.nan
    table = table_of(phases)
    whole, steps = advance(KalmanState.empty(), RULES, table)
    first, before = advance(KalmanState.empty(), RULES, part(table, slice(0, cut)))
    first = KalmanState.from_payload(msgspec.json.decode(msgspec.json.encode(first.to_payload())))
    second, after = advance(first, RULES, part(table, slice(cut, None)))
    assert second.to_payload() == whole.to_payload()
    joined = {name: np.full(steps.x.shape, np.nan) for name in ("x", "error")}
    for name, target in joined.items():
        for rows, piece in ((slice(0, cut), before), (slice(cut, None), after)):
            target[rows][:, [NAMES.index(clock) for clock in piece.clocks]] = getattr(piece, name)
        np.testing.assert_array_equal(target, getattr(steps, name))


def test_the_reference_of_the_readings_does_not_matter() -> None:
    phases = simulate(10, m=200)
    phases[np.random.default_rng(10).random(phases.shape) < 0.1] = np.nan
    results = [advance(KalmanState.empty(), RULES, table_of(phases, pivot=p))[1] for p in range(len(NAMES))]
    for other in results[1:]:
        np.testing.assert_array_equal(other.code, results[0].code)
        assert np.nanmax(np.abs(other.x - results[0].x)) < 1e-15


def test_the_pivot_of_the_filter_does_not_matter() -> None:
    """Another pivot is another set of coordinates for the same thing."""
    phases = simulate(11, m=240)
    table = table_of(phases)
    state, _ = advance(KalmanState.empty(), RULES, part(table, slice(0, 120)))
    _, plain = advance(state, RULES, part(table, slice(120, None)))
    for name in NAMES:
        _, seen = advance(with_pivot(state, name), RULES, part(table, slice(120, None)))
        assert np.abs(seen.x - plain.x).max() < 1e-15


def test_what_the_pivot_does_is_seen_from_any_other() -> None:
    """A step of phase, later one of rate, of the clock that all others are held against."""
    phases = simulate(11)
    phases[150:, 0] += 2e-8
    phases[220:, 0] += 2e-12 * TAU_S * np.arange(80)
    state, _ = advance(KalmanState.empty(), RULES, part(table_of(phases), slice(0, 100)))
    assert state.pivot == "A"
    rest = part(table_of(phases), slice(100, 300))
    _, seen = advance(state, RULES, rest)
    _, other = advance(with_pivot(state, "F"), RULES, rest)
    assert codes.PHASE_STEP in seen.code[:70, 0]
    assert codes.RATE_STEP in seen.code[120:, 0]
    np.testing.assert_array_equal(seen.code, other.code)
    np.testing.assert_allclose(seen.x, other.x, rtol=0, atol=1e-15)
    _, plain = advance(state, RULES, part(table_of(simulate(11)), slice(100, 300)))
    assert np.abs((seen.x - plain.x)[:, 4:]).max() < 3e-11


def test_a_clock_without_weight_does_not_move_the_scale() -> None:
    phases = simulate(12)
    phases[:, 6] += 1e-7 * np.sin(np.arange(300) / 10)
    rules = msgspec.structs.replace(RULES, zero_weight=("G",))
    _, steps = run(phases, rules)
    _, without_it = advance(KalmanState.empty(), rules, table_of(phases[:, :6], NAMES[:6]))
    np.testing.assert_array_equal(steps.x[:, :6], without_it.x)
    assert (steps.code[:, 6] == codes.NO_WEIGHT).all()
    assert steps.x[:, 6] - steps.x[:, 5] == pytest.approx(phases[:, 6] - phases[:, 5], abs=3e-11)


def test_only_drifting_clocks_make_a_scale() -> None:
    names = tuple("EFG")
    phases = simulate(13, m=600, names=names)
    _, steps = advance(KalmanState.empty(), RULES, table_of(phases, names))
    assert np.isfinite(steps.x).all()
    assert steps.weight[-1] == pytest.approx(1 / 3, abs=0.01)
    joined = np.column_stack([simulate(14, m=600)[:, :1], phases])
    joined[:300, 0] = np.nan
    state, later = advance(KalmanState.empty(), RULES, table_of(joined, ("A", *names), pivot=1))
    np.testing.assert_array_equal(later.x[:300, 1:], steps.x[:300])
    assert np.abs(later.x[300, 1:] - steps.x[300]).max() < 1e-12
    assert (
        np.linalg.eigvalsh(state.P / np.sqrt(np.outer(np.diag(state.P) + 1e-60, np.diag(state.P) + 1e-60))).min()
        > -1e-9
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 2}, "version"),
        ({"clocks": ["B", "A"]}, "clocks"),
        ({"pivot": "Z"}, "pivot"),
        ({"drifts": [1, 2]}, "drifts"),
        ({"state": ["nan"]}, "state"),
        ({"covariance": []}, "covariance"),
        ({"seen": None}, "seen"),
        ({"stages": -1}, "stages"),
        ({"age_s": ["x"] * 7}, "age_s"),
    ],
)
def test_a_payload_that_is_no_state_is_refused(change: dict[str, Any], field: str) -> None:
    state, _ = run(simulate(15, m=5))
    with pytest.raises(StateError, match=field):
        KalmanState.from_payload(state.to_payload() | change)


@pytest.mark.parametrize(
    "wrong",
    [{"interval_s": 0.0}, {"cap": 1.5}, {"outlier_reduce": 6.0}, {"min_epochs": 0}, {"flicker_stages": 9}],
)
def test_rules_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(EnsembleError):
        KalmanParameters(**wrong)


def test_the_last_clock_without_a_drift_is_given_one() -> None:
    """Rules may change under a running scale: it goes on, and the other drifts are what they were."""
    names = tuple("DEF")
    table = table_of(simulate(15)[:, 3:6], names)
    state, _ = advance(KalmanState.empty(), RULES, part(table, slice(0, 200)))
    assert (state.pivot, state.drifts) == ("D", (False, True, True))
    noise = {name: msgspec.structs.replace(NOISE[name], drifts=True) for name in names}
    drifting = msgspec.structs.replace(RULES, noise_by_clock=noise)
    later = part(table, slice(200, 300))
    _, plain = advance(state, RULES, later)
    _, changed = advance(state, drifting, later)
    assert np.abs(changed.x - plain.x).max() < 1e-9


def test_a_state_taken_while_nobody_was_read_goes_on_bit_for_bit() -> None:
    """What a snapshot holds is one triangle of the covariance, so the other must be its mirror at every epoch."""
    phases = simulate(16, m=80)
    phases[50:60] = np.nan
    table = table_of(phases)
    _, whole = advance(KalmanState.empty(), RULES, table)
    state, _ = advance(KalmanState.empty(), RULES, part(table, slice(0, 55)))
    np.testing.assert_array_equal(state.P, state.P.T)
    again = KalmanState.from_payload(state.to_payload())
    _, rest = advance(again, RULES, part(table, slice(55, 80)))
    assert raw(rest) == raw(steps_of(whole, slice(55, 80)))


def steps_of(steps: Steps, rows: slice) -> Steps:
    return replace(steps, **{f: getattr(steps, f)[rows] for f in (*FIELDS, "code")})
