"""The stepper's record: the phase it adds up to."""

from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.steering.stepper import StepperCommand, commanded_phase, commanded_phases

SECOND = 10**9
DAY = 86_400 * SECOND
GENESIS = 1_700_000_000 * SECOND


def commands(draws) -> list[StepperCommand]:
    """Commands from (time since the last in ns, rate, step)."""
    record, epoch = [], GENESIS
    for number, (after, rate, step_s) in enumerate(draws, start=1):
        epoch += after
        record.append(StepperCommand(number, epoch, rate, step_s))
    return record


DRAWN = st.lists(
    st.tuples(
        st.integers(0, 3 * DAY), st.floats(-1e-11, 1e-11, allow_subnormal=False), st.sampled_from([0.0, 1e-9, -5e-9])
    ),
    max_size=12,
)


def exact_phase(record: list[StepperCommand], epoch: int) -> Fraction:
    """The same phase by the definition: for each command, what it adds from its epoch to the next one's."""
    phase = Fraction(0)
    for i, command in enumerate(record):
        if command.epoch <= epoch:
            until = min(record[i + 1].epoch if i + 1 < len(record) else epoch, epoch)
            phase += Fraction(command.phase_step_s) + Fraction(command.rate) * Fraction(until - command.epoch, SECOND)
    return phase


def test_nothing_commanded_nothing_moved():
    assert commanded_phase([], GENESIS) == 0.0
    assert commanded_phases([], np.array([GENESIS, GENESIS + DAY])).tolist() == [0.0, 0.0]


def test_a_rate_moves_from_its_epoch_on_and_a_step_at_once():
    record = [StepperCommand(1, GENESIS, 1e-12), StepperCommand(2, GENESIS + 100 * SECOND, -2e-12, 5e-9)]
    at = GENESIS + np.array([-1, 0, 50, 100, 200], dtype=np.int64) * SECOND
    expected = [0.0, 0.0, 50e-12, 5.1e-9, 5.1e-9 - 200e-12]
    assert commanded_phases(record, at) == pytest.approx(expected, rel=1e-12)


def test_of_two_commands_at_one_epoch_both_steps_and_the_last_rate_hold():
    record = [StepperCommand(1, GENESIS, 9e-12, 1e-9), StepperCommand(2, GENESIS, 1e-12, 2e-9)]
    assert commanded_phase(record, GENESIS) == pytest.approx(3e-9, rel=1e-12)
    assert commanded_phase(record, GENESIS + 1000 * SECOND) == pytest.approx(4e-9, rel=1e-12)


@given(DRAWN, st.lists(st.integers(-DAY, 40 * DAY), min_size=1, max_size=5))
def test_the_phase_is_the_sum_of_its_definition(draws, offsets):
    record = commands(draws)
    for offset in offsets:
        exact = exact_phase(record, GENESIS + offset)
        assert abs(Fraction(commanded_phase(record, GENESIS + offset)) - exact) < Fraction(1, 10**18)


@given(DRAWN, st.lists(st.integers(-DAY, 40 * DAY), min_size=1, max_size=20))
def test_many_epochs_at_once_give_the_same_bits_as_one_by_one(draws, offsets):
    record = commands(draws)
    at = GENESIS + np.array(offsets, dtype=np.int64)
    assert commanded_phases(record, at).tolist() == [commanded_phase(record, int(epoch)) for epoch in at]


@given(DRAWN, DRAWN)
def test_later_commands_do_not_change_the_past(draws, more):
    whole = commands(draws + more)
    early = whole[: len(draws)]
    until = whole[len(draws)].epoch - 1 if more else GENESIS + 40 * DAY
    assert commanded_phase(whole, until) == commanded_phase(early, until)


def test_a_command_is_read_back_as_it_was_written():
    command = StepperCommand(7, GENESIS, -1.2345678901234567e-13, 1e-9)
    assert msgspec.json.decode(msgspec.json.encode(command), type=StepperCommand) == command
