"""UTC(k) on paper: whatever is steered, in whatever order, its phase is one unbroken line."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from timeball.steering.paper import PaperOffset

S = 10**9
GENESIS = 1_800_000_000 * S
rates = st.floats(-1e-9, 1e-9)
# seconds after genesis at which a new rate shall hold, in any order: also before a change that is still pending
steers = st.lists(st.tuples(st.integers(0, 10**6), rates), max_size=12)
STILL_S = 1e-18


def steered(phase_s: float, rate: float, changes: list[tuple[int, float]]) -> list[PaperOffset]:
    """The line before any steer, and after each; a steer is never ordered for a time before the one in force."""
    lines = [PaperOffset(GENESIS, phase_s, rate)]
    for second, wanted in changes:
        lines.append(lines[-1].steered(max(GENESIS + second * S, lines[-1].epoch), wanted))
    return lines


@given(st.floats(-1e-3, 1e-3), rates, steers)
def test_a_steer_never_moves_the_phase(phase_s: float, rate: float, changes: list[tuple[int, float]]) -> None:
    lines = steered(phase_s, rate, changes)
    for before, after in itertools.pairwise(lines):
        assert after.change is not None
        upto = [after.change] if before.change is None else [after.change, min(before.change, after.change)]
        for epoch in upto:
            assert abs(after.at(epoch) - before.at(epoch)) < STILL_S
        # nothing that was before the change becomes another past
        for epoch in range(max(before.epoch, after.epoch), after.change, max(1, (after.change - before.epoch) // 7)):
            assert abs(after.at(epoch) - before.at(epoch)) < STILL_S


@given(st.floats(-1e-3, 1e-3), rates, steers, st.integers(1, 3600))
def test_the_phase_moves_by_the_rate_that_is_said(
    phase_s: float, rate: float, changes: list[tuple[int, float]], step_s: int
) -> None:
    line = steered(phase_s, rate, changes)[-1]
    kink = line.change if line.change is not None else line.epoch
    for start in (line.epoch, kink - step_s * S, kink, kink + step_s * S):
        if start < line.epoch or (line.change is not None and start < line.change < start + step_s * S):
            continue
        moved = Fraction(line.at(start + step_s * S)) - Fraction(line.at(start))
        assert abs(moved - Fraction(line.rate_at(start)) * step_s) < 1e-18


def test_the_new_rate_holds_from_its_epoch_on_and_not_before() -> None:
    line = PaperOffset(GENESIS, 1e-9, 1e-12).steered(GENESIS + 100 * S, -1e-12)
    assert line.rate_at(GENESIS + 100 * S - 1) == 1e-12
    assert line.rate_at(GENESIS + 100 * S) == -1e-12
    assert line.at(GENESIS + 100 * S) == 1e-9 + 1e-12 * 100
    assert abs(line.at(GENESIS + 200 * S) - 1e-9) < 1e-24


def test_a_change_that_is_still_to_come_gives_way_to_one_before_it() -> None:
    """A shorter interval by a new configuration: the second steer takes effect before the first would have."""
    pending = PaperOffset(GENESIS, 0.0, 1e-12).steered(GENESIS + 3600 * S, 5e-12)
    sooner = pending.steered(GENESIS + 60 * S, -1e-12)
    assert sooner == PaperOffset(GENESIS, 0.0, 1e-12, GENESIS + 60 * S, -1e-12)
    assert sooner.at(GENESIS + 60 * S) == pending.at(GENESIS + 60 * S)
    assert pending.steered(GENESIS + 3600 * S, -1e-12).at(GENESIS + 1800 * S) == pending.at(GENESIS + 1800 * S)


def test_a_change_that_has_come_is_kept() -> None:
    past = PaperOffset(GENESIS, 0.0, 1e-12).steered(GENESIS + 60 * S, 2e-12)
    later = past.steered(GENESIS + 120 * S, 3e-12)
    assert later == PaperOffset(GENESIS + 60 * S, past.at(GENESIS + 60 * S), 2e-12, GENESIS + 120 * S, 3e-12)
