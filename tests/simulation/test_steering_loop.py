"""The closed loop with declared physics and limits: it converges, stays, and keeps the envelope and the hard limit.

Physics: a free scale with the noise of a good maser, an initial offset and rate against UTC, UTC read once an hour
through 1 ns of white noise. A steer a day from a line through the last five days, a time constant of ten days.
"""

import numpy as np
import pytest

from timeball.simulation.models import MODELS, ClockModel
from timeball.simulation.noise import simulate_phase
from timeball.steering.envelope import DAY_S, Envelope
from timeball.steering.hard_limit import HardLimit, admit
from timeball.steering.offset import fit_offset
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import propose_steer
from timeball.steering.stepper import StepperCommand, commanded_phase, commanded_phases

SEED = 457
DAYS = 150
HOUR = 3600 * 10**9
DAY = 24 * HOUR
GENESIS = 1_700_000_000 * 10**9
LAW = PolePlacement(DAY_S, 10 * DAY_S)
ENVELOPE = Envelope(max_rate_change=5e-15, max_rate=1e-12, max_phase_per_day_s=50e-9)
HARD = HardLimit(100e-9)


def run_loop(x_0: float, y_0: float, model: ClockModel, seed: int, link_noise_s: float = 1e-9):
    """Give UTC(k) − UTC each hour (s), the record of steers, and what was proposed."""
    rng = np.random.default_rng(seed)
    epochs = GENESIS + np.arange(DAYS * 24, dtype=np.int64) * HOUR
    free = x_0 + y_0 * 3600.0 * np.arange(epochs.size) + simulate_phase(model, epochs.size, 3600.0, rng)
    read = free + link_noise_s * rng.standard_normal(epochs.size)
    record, proposals = [StepperCommand(0, GENESIS, 0.0)], []
    for hour in range(5 * 24, epochs.size, 24):
        at, window = int(epochs[hour]), slice(hour - 120, hour + 1)
        # The line is that of the free scale, which no steer bends; the steers are added afterwards, exactly.
        offset = fit_offset(epochs[window], read[window], at)
        rate_now = record[-1].rate
        proposal = propose_steer(offset.x_s + commanded_phase(record, at), offset.y + rate_now, rate_now, LAW, ENVELOPE)
        command = StepperCommand(len(record), at, proposal.rate)
        admit(record, command, HARD, at)
        record.append(command)
        proposals.append(proposal)
    return free + commanded_phases(record, epochs), record, proposals


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_settles_within_five_nanoseconds_and_stays(seed):
    x, record, proposals = run_loop(100e-9, 3e-14, MODELS["active-maser"], seed)
    settled = np.abs(x[90 * 24 :])
    assert settled.max() < 5e-9, f"seed {seed}: {settled.max() * 1e9:.2f} ns"
    changes = np.diff([command.rate for command in record])
    assert np.max(np.abs(changes)) <= 5e-15 * (1 + 1e-9)
    assert all(command.phase_step_s == 0.0 for command in record)
    assert proposals[0].limited
    assert not any(proposal.limited for proposal in proposals[-30:])


def test_without_noise_it_goes_home_to_less_than_a_picosecond_without_overshoot():
    x, _, _ = run_loop(20e-9, 0.0, ClockModel("ideal"), SEED, link_noise_s=0.0)
    daily = x[5 * 24 :: 24]
    assert np.all(np.diff(daily) <= 1e-20)
    assert daily.min() > -1e-15
    assert abs(run_loop(1e-10, 0.0, ClockModel("ideal"), SEED, 0.0)[0][-1]) < 1e-12


def test_a_rate_is_taken_away_too():
    x, record, _ = run_loop(0.0, 5e-14, ClockModel("ideal"), SEED, link_noise_s=0.0)
    assert record[-1].rate == pytest.approx(-5e-14, rel=1e-2)
    assert abs(x[-1]) < 1e-9


def test_unsteered_the_same_scale_runs_away():
    """The physics are worth steering: without steers the same run ends far outside."""
    rng = np.random.default_rng(SEED)
    free = 100e-9 + 3e-14 * DAYS * DAY_S + simulate_phase(MODELS["active-maser"], DAYS * 24, 3600.0, rng)[-1]
    assert abs(free) > 100e-9
