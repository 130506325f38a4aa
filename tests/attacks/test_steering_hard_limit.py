"""Ways to move the time by more than the hard limit, each by its name, and how it ends."""

import math

import pytest

from timeball.steering.hard_limit import (
    DAY_NS,
    CommandRefused,
    HardLimit,
    HardLimitExceeded,
    admit,
    taking_effect,
)
from timeball.steering.stepper import StepperCommand, commanded_phase

GENESIS = 1_700_000_000 * 10**9
HOUR = 3600 * 10**9
LIMIT = HardLimit(20e-9)
A_DAY = 20e-9 / 86_400.0
QUIET = [StepperCommand(1, GENESIS, 0.0)]


def command(number: int, hours: float, rate: float, step_s: float = 0.0) -> StepperCommand:
    return StepperCommand(number, GENESIS + round(hours * HOUR), rate, step_s)


def test_one_great_step():
    with pytest.raises(HardLimitExceeded, match=r"25\.000 ns within 24 h .*the hard limit is 20\.000 ns"):
        admit(QUIET, command(2, 1, 0.0, 25e-9), LIMIT, GENESIS + HOUR)


def test_one_great_rate():
    with pytest.raises(HardLimitExceeded, match=r"its rate alone 30\.000 ns a day"):
        admit(QUIET, command(2, 1, 1.5 * A_DAY), LIMIT, GENESIS + HOUR)


def test_salami_many_small_steps_in_one_day():
    record, obeyed = list(QUIET), 0
    for number in range(2, 40):
        try:
            admit(record, small := command(number, number / 10, 0.0, 1e-9), LIMIT, GENESIS)
        except HardLimitExceeded:
            continue
        record.append(small)
        obeyed += 1
    assert obeyed == 20
    assert commanded_phase(record, GENESIS + 5 * HOUR) == pytest.approx(20e-9)


def test_full_step_just_before_midnight_and_just_after():
    """The window slides: there is no day boundary to hide behind."""
    record = [*QUIET, command(2, 23.9, 0.0, 20e-9)]
    admit(QUIET, record[-1], LIMIT, GENESIS + HOUR)
    with pytest.raises(HardLimitExceeded):
        admit(record, command(3, 24.1, 0.0, 20e-9), LIMIT, GENESIS + 24 * HOUR)
    admit(record, command(3, 47.91, 0.0, 20e-9), LIMIT, GENESIS + 47 * HOUR)


def test_forth_and_back_is_movement_too():
    """A swing whose ends meet still carried the output through more than the limit."""
    record = [*QUIET, command(2, 1, 0.0, 15e-9)]
    with pytest.raises(HardLimitExceeded):
        admit(record, command(3, 1, 0.0, -36e-9), LIMIT, GENESIS + HOUR)


def test_step_buried_under_harmless_commands():
    record = [*QUIET, command(2, 1, 0.0, 15e-9), *(command(number, number, 0.0) for number in range(3, 24))]
    with pytest.raises(HardLimitExceeded):
        admit(record, command(30, 24, 0.0, 15e-9), LIMIT, GENESIS + 24 * HOUR)
    admit(record, command(30, 25.01, 0.0, 15e-9), LIMIT, GENESIS + 25 * HOUR)


def test_rate_and_step_that_are_each_allowed():
    with pytest.raises(HardLimitExceeded):
        admit(QUIET, command(2, 1, 0.9 * A_DAY, 10e-9), LIMIT, GENESIS + HOUR)


def test_reversal_of_a_rate_hides_no_step():
    record = [*QUIET, command(2, 0, A_DAY), command(3, 12, -A_DAY)]
    with pytest.raises(HardLimitExceeded):
        admit(record, command(4, 12, 0.0, 11e-9), LIMIT, GENESIS + 12 * HOUR)


def test_command_entered_into_the_past():
    """Dated a day back, a rate would look slow in the record and be a jump in the hardware."""
    with pytest.raises(CommandRefused, match=r"lies 82800\.000 s in the past"):
        admit(QUIET, command(2, 1, A_DAY), LIMIT, GENESIS + 24 * HOUR)


def test_late_command_is_obeyed_from_now_and_recorded_so():
    now = GENESIS + 2 * HOUR
    late = taking_effect(command(2, 1, A_DAY), now)
    assert (late.epoch, late.rate, late.id) == (now, A_DAY, 2)
    admit(QUIET, late, LIMIT, now)
    early = command(2, 3, A_DAY)
    assert taking_effect(early, now) is early


def test_far_future_command_cannot_lock_the_stepper():
    with pytest.raises(CommandRefused, match="locks others out"):
        admit(QUIET, command(2, 25, 0.0), LIMIT, GENESIS)


def test_replay_of_an_old_command():
    record = [*QUIET, command(2, 1, A_DAY / 2)]
    with pytest.raises(CommandRefused, match="command 2 does not follow command 2"):
        admit(record, command(2, 2, A_DAY / 2), LIMIT, GENESIS)
    with pytest.raises(CommandRefused, match="command 1 does not follow"):
        admit(record, command(1, 2, A_DAY / 2), LIMIT, GENESIS)


def test_new_number_with_an_older_epoch():
    record = [*QUIET, command(2, 3, 0.0)]
    with pytest.raises(CommandRefused, match=r"older than command 2: its epoch lies 3600\.000 s before"):
        admit(record, command(3, 2, 0.0), LIMIT, GENESIS)


@pytest.mark.parametrize("figures", [(math.nan, 0.0), (0.0, math.nan), (math.inf, 0.0), (0.0, -math.inf)])
def test_figures_that_compare_with_nothing(figures):
    with pytest.raises(CommandRefused, match="not a finite number"):
        admit(QUIET, command(2, 1, *figures), LIMIT, GENESIS)


@pytest.mark.parametrize("limit_s", [0.0, -1e-9, float("nan"), float("inf")])
def test_limit_that_is_none(limit_s):
    with pytest.raises(ValueError, match="hard limit"):
        HardLimit(limit_s)


def test_first_command_has_no_free_step():
    with pytest.raises(HardLimitExceeded):
        admit([], command(1, 0, 0.0, 21e-9), LIMIT, GENESIS)
    admit([], command(1, 0, 0.0, 19e-9), LIMIT, GENESIS)


def test_steady_rate_at_the_limit_may_go_on_for_ever():
    record = []
    for day in range(10):
        again = command(day + 1, 24 * day, A_DAY)
        admit(record, again, LIMIT, again.epoch)
        record.append(again)


def test_lowered_limit_leaves_a_way_to_order():
    """The rate in force already breaks the new limit: it may be stopped, but not kept, stepped or reversed."""
    record = [command(1, 0, A_DAY)]
    lower, now = HardLimit(5e-9), GENESIS + 30 * HOUR
    admit(record, command(2, 30, 0.0), lower, now)
    for refused in (command(2, 30, A_DAY), command(2, 30, 0.0, 1e-9), command(2, 30, 0.5 * A_DAY)):
        with pytest.raises(HardLimitExceeded):
            admit(record, refused, lower, now)


def test_only_the_last_day_counts():
    record = [*QUIET, command(2, 1, 0.0, 20e-9), command(3, 2, 0.0)]
    later = StepperCommand(4, GENESIS + 2 * DAY_NS, 0.0, -20e-9)
    admit(record, later, LIMIT, later.epoch)
