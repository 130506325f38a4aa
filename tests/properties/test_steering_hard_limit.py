"""No admissible sequence of commands moves the phase by more than the limit between instants at most 24 h apart.

The oracle is exact: commands fall on whole hours, so the phase moves most between whole hours, and all pairs of them
are tried in whole numbers by a walk that shares nothing with the code.
"""

from fractions import Fraction

from hypothesis import event, given, settings
from hypothesis import strategies as st

from timeball.steering.hard_limit import CommandRefused, HardLimit, HardLimitExceeded, admit
from timeball.steering.stepper import StepperCommand

HOUR = 3600 * 10**9
GENESIS = 1_700_000_000 * 10**9
LIMIT_S = 20e-9
LIMIT = HardLimit(LIMIT_S)
UNITS = 10**27
FEMTOSECOND = Fraction(1, 10**15)
A_DAY = LIMIT_S / 86_400.0

RATES = st.one_of(
    st.sampled_from([0.0, A_DAY, -A_DAY, A_DAY / 2, 2 * A_DAY, -24 * A_DAY]),
    st.floats(-1.5 * A_DAY, 1.5 * A_DAY, allow_subnormal=False),
)
STEPS = st.one_of(st.just(0.0), st.floats(-1.2 * LIMIT_S, 1.2 * LIMIT_S, allow_subnormal=False))
# Hours: crowded commands, and pauses around and beyond the window.
PAUSES = st.one_of(st.integers(0, 5), st.integers(0, 30))
ORDERS = st.lists(st.tuples(PAUSES, RATES, STEPS, st.integers(0, 10)), min_size=1, max_size=14)


def greatest_movement(record: list[StepperCommand], hours_after: int = 30) -> Fraction:
    """All pairs of instants on whole hours at most 24 h apart, both sides of a step counted; in whole 1e-27 s."""
    by_hour: dict[int, list[StepperCommand]] = {}
    for command in record:
        by_hour.setdefault((command.epoch - GENESIS) // HOUR, []).append(command)
    values: list[tuple[int, int]] = []
    phase = hourly = 0
    for hour in range(max(by_hour, default=0) + hours_after + 1):
        values.append((hour, phase))
        for command in by_hour.get(hour, []):
            phase += round(Fraction(command.phase_step_s) * UNITS)
            hourly = round(Fraction(command.rate) * 3600 * UNITS)
        if hour in by_hour:
            values.append((hour, phase))
        phase += hourly
    greatest = 0
    for i, (early, before) in enumerate(values):
        for late, after in values[i + 1 :]:
            if late - early > 24:
                break
            greatest = max(greatest, abs(after - before))
    return Fraction(greatest, UNITS)


def play(orders, limit: HardLimit = LIMIT) -> tuple[list[StepperCommand], list[StepperCommand]]:
    """Send orders one after the other; give back what was obeyed, and what was refused for the limit."""
    record, refused = [], []
    epoch = GENESIS
    for number, (after, rate, step_s, early) in enumerate(orders, start=1):
        epoch += after * HOUR
        command = StepperCommand(number, epoch, rate, step_s)
        try:
            admit(record, command, limit, epoch - early * HOUR)
        except HardLimitExceeded:
            refused.append((list(record), command))
        else:
            record.append(command)
    return record, refused


@settings(max_examples=150, deadline=None)
@given(ORDERS)
def test_what_was_admitted_never_moves_more_than_the_limit(orders):
    record, _ = play(orders)
    event(f"{len(record)} of {len(orders)} admitted")
    assert greatest_movement(record) <= Fraction(LIMIT_S) + FEMTOSECOND


@settings(max_examples=100, deadline=None)
@given(ORDERS)
def test_what_was_refused_would_have_moved_more(orders):
    _, refused = play(orders)
    for record, command in refused:
        assert greatest_movement([*record, command]) > Fraction(LIMIT_S)


@settings(max_examples=100, deadline=None)
@given(ORDERS, st.floats(1e-9, 19e-9))
def test_after_the_limit_is_lowered_nothing_moves_more_than_it_would_have(orders, lower_s):
    record, _ = play(orders)
    if not record:
        return
    before = greatest_movement(record)
    last = record[-1]
    stop = StepperCommand(last.id + 1, last.epoch, 0.0)
    try:
        admit(record, stop, HardLimit(lower_s), last.epoch)
    except CommandRefused:
        assert greatest_movement([*record, stop]) > Fraction(lower_s)
    else:
        assert greatest_movement([*record, stop]) <= max(before, Fraction(lower_s)) + FEMTOSECOND
