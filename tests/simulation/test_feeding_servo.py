"""The servo of a PTP clock on simulated oscillators: declared physics, and the limits it must stay within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.station.feeding.servo import S, Servo

MAX_RATE = 1e-5
STEP_S = 1e-3
LANDS_BESIDE_S = 2e-6
"""How far from where it should a card lands when it is stepped."""


@dataclass
class Clock:
    """A clock that is `x_s` behind true time and loses `drift` a second more by itself."""

    x_s: float
    drift: float
    rate: float = 0.0
    steps: int = 0
    now_ns: int = 10**12

    def run(self, seconds: float) -> None:
        self.x_s += (self.drift - self.rate) * seconds
        self.now_ns += round(seconds * S)

    def obey(self, servo: Servo, noise_s: float = 0.0) -> None:
        correction = servo.correct(self.x_s + noise_s, self.now_ns)
        self.steps += correction.step_s != 0
        self.x_s -= correction.step_s + LANDS_BESIDE_S * (correction.step_s != 0)
        self.rate = correction.rate


def followed(clock: Clock, servo: Servo, turns: int, interval_s: float = 1.0, noise_s: float = 0.0) -> list[float]:
    rng = np.random.default_rng(1)
    errors = []
    for noise in noise_s * rng.standard_normal(turns):
        clock.obey(servo, float(noise))
        clock.run(interval_s)
        errors.append(clock.x_s)
    return errors


def test_a_card_that_was_just_switched_on_is_stepped_once_and_settles() -> None:
    clock = Clock(x_s=1.8e9, drift=4e-6)
    servo = Servo(STEP_S, MAX_RATE, 1.0)
    errors = followed(clock, servo, 60, noise_s=20e-9)
    assert clock.steps == 1
    assert servo.settled
    assert abs(clock.rate - clock.drift) < 5e-8
    assert max(abs(x) for x in errors[40:]) < 100e-9
    assert max(abs(x) for x in errors) < 10e-6  # the first two seconds run by a rate that nobody knew


def test_an_offset_below_the_limit_is_slewed_from_the_beginning() -> None:
    clock = Clock(x_s=0.9e-3, drift=0.0)
    errors = followed(clock, Servo(STEP_S, MAX_RATE, 1.0), 200)
    assert clock.steps == 0
    assert np.all(np.diff([0.9e-3, *errors]) >= -MAX_RATE - 1e-12)
    assert abs(errors[-1]) < 1e-9
    assert min(errors) > -4e-6  # a loop with an integral must pay its area back, after 90 s at the limit


def test_a_later_offset_is_never_stepped() -> None:
    clock = Clock(x_s=0.0, drift=1e-6)
    servo = Servo(STEP_S, MAX_RATE, 1.0)
    followed(clock, servo, 10)
    clock.x_s += 0.5
    errors = followed(clock, servo, 1000)
    assert clock.steps == 0
    assert np.all(np.diff(errors) >= -2 * MAX_RATE)
    assert errors[-1] == pytest.approx(0.5 - 1000 * (MAX_RATE - 1e-6), rel=1e-2)


def test_while_time_is_withdrawn_it_runs_on_by_what_was_learned() -> None:
    clock = Clock(x_s=1.0, drift=-3e-6)
    servo = Servo(STEP_S, MAX_RATE, 1.0)
    followed(clock, servo, 100, noise_s=20e-9)
    clock.x_s += 5e-6  # the proportional part would go on pulling by 2e-6
    clock.obey(servo)
    assert abs(clock.rate - clock.drift) > 1.5e-6
    clock.rate = servo.hold()
    before_s = clock.x_s
    clock.run(1000)
    assert abs(clock.x_s - before_s) < 300e-6
    assert servo.hold() == clock.rate


def test_a_started_again_servo_begins_with_the_rate_in_force() -> None:
    clock = Clock(x_s=2e-6, drift=4e-6, rate=4e-6)
    errors = followed(clock, Servo(STEP_S, MAX_RATE, 1.0, rate=clock.rate), 50)
    assert clock.steps == 0
    assert max(abs(x) for x in errors) <= 2e-6
    assert abs(errors[-1]) < 10e-9


def test_two_readings_at_once_teach_no_rate() -> None:
    servo = Servo(STEP_S, MAX_RATE, 1.0)
    servo.correct(0.0, 5)
    assert servo.correct(1e-9, 5).rate == pytest.approx(0.4e-9)
    assert not servo.settled


@settings(max_examples=40)
@given(st.floats(-1e10, 1e10), st.floats(-9e-6, 9e-6), st.sampled_from((0.1, 1.0, 16.0)))
def test_whatever_it_finds_it_stays_within_its_limits(x_s: float, drift: float, interval_s: float) -> None:
    clock = Clock(x_s, drift)
    servo = Servo(STEP_S, MAX_RATE, interval_s)
    for _ in range(300):
        clock.obey(servo)
        assert abs(clock.rate) <= MAX_RATE
        assert clock.steps <= 1
        clock.run(interval_s)
    # at the most what a first offset below the step began with, or what the clock ran away before its rate was known
    assert abs(clock.x_s) <= min(abs(x_s), STEP_S) + 4 * abs(drift) * interval_s + 2 * LANDS_BESIDE_S
