"""From the counter's readings to the page: boots and anchors, what is served, and each reason against a lease."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import BRISK, GENESIS, HOUR, Fold, without_clocks

from timeball.instants import LeapTable
from timeball.integrity.host_counter import CounterUnknown
from timeball.station.configuration.settings import Config, Lease, LineInstrument, ReplayInstrument, Station
from timeball.station.fold.batches import Batch, parse_batch
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.page.clockpage import tai_minus_utc_at
from timeball.station.page.pagemaker import (
    HOST_MAX_AGE_S,
    HOST_WINDOW_S,
    HostCounter,
    Moment,
    Statement,
    make_statement,
)

S = 10**9
BOOT = "11111111-2222-3333-4444-555555555555"
OTHER_BOOT = "99999999-2222-3333-4444-555555555555"
ANCHOR = GENESIS - 12345 * S
NOW = GENESIS + 25 * HOUR
BEHIND_S = 1e-3  # the counter shows a millisecond less than the output when it is read at NOW
Y = 2e-6


AHEAD = 7 * S  # BOOTTIME − RAW: the host has slept for seven seconds since it was started


def host_batch(
    epochs: list[int], x_s: list[float | None], boot: str = BOOT, anchor: int = ANCHOR, ahead: int | None = AHEAD
) -> Batch:
    return parse_batch(
        {
            "kind": "host",
            "epochs": [str(epoch) for epoch in epochs],
            "pairs": [["HOST", "OUT"]],
            "x_fs": [[None if x is None else str(round(x * 1e15))] for x in x_s],
            "u_fs": ["1000000"],
            "boot_id": boot,
            "anchor_ns": str(anchor),
            "boottime_minus_raw_ns": None if ahead is None else str(ahead),
        }
    )


def replace_struct(struct: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(struct, **changes)


def seconds_before(now: int, count: int) -> list[int]:
    return [now - second * S for second in reversed(range(count))]


def x_at(epoch: int) -> float:
    return -BEHIND_S + Y * (epoch - NOW) / S


@pytest.fixture
def counter() -> HostCounter:
    counter = HostCounter()
    epochs = seconds_before(NOW, 60)
    counter.take(host_batch(epochs, [x_at(epoch) for epoch in epochs]))
    return counter


@pytest.fixture(scope="module")
def leaps() -> LeapTable:
    return load_leap_table()


@pytest.fixture(scope="module")
def fold() -> Fold:
    """A day and an hour of the laboratory: UTC(k) has been compared with UTC for long enough."""
    fold = Fold(Config(steering=BRISK))
    fold.live(25)
    return fold


def moment(after_s: float = 1.0) -> Moment:
    """So many seconds after the last reading of the counter."""
    raw_ns = NOW - ANCHOR + round(x_at(NOW) * S) + round(after_s * S)
    return Moment(raw_ns, raw_ns + AHEAD, (1, 2), BOOT)


def state(fold: Fold, counter: HostCounter, leaps: LeapTable, **changes: Any) -> Statement:
    given: dict[str, Any] = {
        "keeper": fold.keeper,
        "residual_s": 1e-9,
        "counter": counter,
        "now": moment(),
        "config": fold.config,
        "leaps": leaps,
    }
    return make_statement(**{**given, **changes})


# -- the counter


def test_the_readings_of_two_minutes_are_kept() -> None:
    counter = HostCounter()
    for start in range(0, 600, 5):
        epochs = [GENESIS + (start + second) * S for second in range(5)]
        counter.take(host_batch(epochs, [0.0] * 5))
    assert counter.samples[-1][0] - counter.samples[0][0] == HOST_WINDOW_S * S
    assert len(counter.samples) == HOST_WINDOW_S + 1


@pytest.mark.parametrize(("boot", "anchor"), [(OTHER_BOOT, ANCHOR), (BOOT, ANCHOR + 1)])
def test_another_boot_or_anchor_begins_anew(counter: HostCounter, boot: str, anchor: int) -> None:
    counter.take(host_batch([NOW + S], [5.0], boot, anchor))
    assert list(counter.samples) == [(NOW + S, 5.0)]
    assert (counter.boot_id, counter.anchor_ns) == (boot, anchor)
    with pytest.raises(CounterUnknown, match="1 readings"):
        counter.line()


def test_what_comes_again_or_out_of_order_is_left_out(counter: HostCounter) -> None:
    before = list(counter.samples)
    counter.take(host_batch([NOW - 5 * S, NOW], [9.0, 9.0]))
    counter.take(host_batch([NOW + S], [None]))
    counter.take(replace_struct(host_batch([NOW + S], [9.0]), pairs=[], x_fs=[[]], u_fs=[]))
    counter.take(host_batch([], []))
    counter.take(host_batch([NOW + S], [9.0], ahead=None))
    assert list(counter.samples) == before


def test_without_a_reading_there_is_no_line(counter: HostCounter) -> None:
    with pytest.raises(CounterUnknown, match="has not been read against the output"):
        HostCounter().line()
    counter.forget()
    with pytest.raises(CounterUnknown):
        counter.line()


# -- what is served


def tai_of(page: Any, raw_ns: int) -> Fraction:
    """Served TAI (s) at a reading of RAW, from the page's numbers, in rational arithmetic."""
    reference = Fraction(page.tai_ns, S) + Fraction(page.tai_frac_fs, 10**15)
    return reference + Fraction(raw_ns - page.raw_ns, S) * (1 + Fraction(page.rate))


@given(residual_s=st.floats(-4.9e-9, 4.9e-9))
def test_served_is_the_output_without_its_residual(residual_s: float, fold: Fold, leaps: LeapTable) -> None:
    counter = HostCounter()
    epochs = seconds_before(NOW, 60)
    counter.take(host_batch(epochs, [x_at(epoch) for epoch in epochs]))
    statement = state(fold, counter, leaps, residual_s=residual_s)
    page = statement.page
    assert statement.against == ""
    assert 0 <= page.tai_frac_fs < 1_000_000
    # RAW + anchor − output = x at NOW, so RAW = NOW − anchor + x when the output shows NOW
    raw = Fraction(NOW - ANCHOR, S) + Fraction(x_at(NOW))
    served = tai_of(page, 0) + raw * (1 + Fraction(page.rate))
    assert abs(served - (Fraction(NOW, S) - Fraction(residual_s))) < Fraction(2, 10**12)
    assert abs(page.rate + Y / (1 + Y)) < 1e-12


def test_the_page_says_who_and_what_stands_behind_it(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    page = state(fold, counter, leaps).page
    assert (page.stratum, page.refid, page.simulated) == (10, 0x7F7F0101, 1)
    assert page.boot_id == (1, 2)
    assert page.boottime_ns - page.raw_ns == AHEAD
    assert page.tai_minus_utc_s == leaps.tai_minus_utc(NOW)
    assert (page.lease_raw_ns, page.lease_boottime_ns) == (0, 0), "a statement is no lease"
    real = replace_struct(fold.config, instrument=(LineInstrument(port="/dev/null", a="OUT", b="H1"),))
    page = state(fold, counter, leaps, config=real).page
    assert (page.stratum, page.refid, page.simulated) == (1, int.from_bytes(b"TB\0\0"), 0)
    longer = replace_struct(real, station=Station(name="PTB-1"))
    assert state(fold, counter, leaps, config=longer).page.refid == int.from_bytes(b"PTB-")


def test_a_leap_second_that_is_announced_stands_in_the_page(fold: Fold, counter: HostCounter) -> None:
    day = NOW // (86400 * S) + 1
    announced = LeapTable.from_offsets([(0, 37), (day, 38)], None, "announced")
    page = state(fold, counter, announced).page
    assert (page.tai_minus_utc_s, page.leap_sign) == (37, 1)
    assert page.leap_tai_ns == (day * 86400 + 38) * S


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("days", [0, 1])
def test_a_leap_second_that_has_passed_stands_in_the_page_while_it_may_be_smeared(
    sign: int, days: int, fold: Fold, counter: HostCounter
) -> None:
    # the reference is nine hours into its UTC day
    day = NOW // (86400 * S) - days
    leaps = LeapTable.from_offsets([(0, 37), (day, 37 + sign)], None, "passed")
    page = state(fold, counter, leaps).page
    if days == 0:
        assert (page.tai_minus_utc_s, page.leap_sign) == (37, sign)
        assert page.leap_tai_ns == leaps.entries[1].tai_ns < page.tai_ns
    else:
        assert (page.tai_minus_utc_s, page.leap_sign, page.leap_tai_ns) == (37 + sign, 0, 0)
    assert tai_minus_utc_at(page, page.tai_ns) == 37 + sign


def test_the_bound_holds_what_is_known_of_utc_and_of_the_counter(
    fold: Fold, counter: HostCounter, leaps: LeapTable
) -> None:
    statement = state(fold, counter, leaps, residual_s=-3e-9)
    assert statement.utck_minus_utc_s == fold.keeper.utck_minus_utc(fold.keeper.epoch)[0]
    least = abs(statement.utck_minus_utc_s) + 3 * statement.u_utc_s + 3e-9
    assert least < statement.bound.at_reference_s < least + 10e-9
    assert statement.page.bound_s == statement.bound.at_reference_s
    assert statement.page.bound_growth == statement.bound.growth


# -- reasons against


def test_nothing_stands_against_a_lease_when_all_agree(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    assert state(fold, counter, leaps).against == ""


def test_no_scale_yet(counter: HostCounter, leaps: LeapTable) -> None:
    assert state(Fold(), counter, leaps).against == "there is no scale yet"


def test_a_scale_that_is_old(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    assert state(fold, counter, leaps, now=moment(599.0)).against != "the newest scale epoch is 599 s old"
    assert state(fold, counter, leaps, now=moment(602.0)).against == "the newest scale epoch is 602 s old"


def test_a_scale_that_is_ahead(fold: Fold, leaps: LeapTable) -> None:
    counter = HostCounter()
    epochs = seconds_before(NOW - 100 * S, 60)
    counter.take(host_batch(epochs, [x_at(epoch) for epoch in epochs]))
    early = replace(moment(), raw_ns=moment().raw_ns - 100 * S)
    against = state(fold, counter, leaps, now=early).against
    assert against == "the newest scale epoch lies 99 s ahead of the host's counter"


def test_an_output_that_was_not_read(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    statement = state(fold, counter, leaps, residual_s=float("nan"))
    assert statement.against == "the output was not read at the newest scale epoch"
    assert statement.page.bound_s == float("inf")
    assert abs(tai_of(statement.page, statement.page.raw_ns) - Fraction(NOW, S)) < 1e-9


def test_an_output_beyond_its_limit(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    against = state(fold, counter, leaps, residual_s=20e-9).against
    assert against == "the output is 20.00 ns from TA(k) + steers, more than the limit of 5.00 ns"


def test_a_counter_that_has_not_been_read_lately(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    assert state(fold, counter, leaps, now=moment(HOST_MAX_AGE_S - 1)).against == ""
    assert (
        state(fold, counter, leaps, now=moment(HOST_MAX_AGE_S + 2)).against
        == "the host's counter was last read 47 s ago"
    )


def test_utc_that_is_not_known(counter: HostCounter, leaps: LeapTable) -> None:
    unlinked = Fold()
    unlinked.live(25, without_clocks("UTC"))
    against = state(unlinked, counter, leaps).against
    assert against == "UTC(k) has been compared with UTC fewer than 24 times: the bound is unknown"


def test_a_bound_that_is_too_wide(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    tight = replace_struct(fold.config, lease=Lease(max_bound_s=1e-9))
    against = state(fold, counter, leaps, config=tight).against
    assert against.startswith("the bound is ")
    assert against.endswith(" s, more than 1.00e-09 s")


def test_readings_of_another_boot_are_none(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    with pytest.raises(CounterUnknown, match="has not been read since this boot"):
        state(fold, counter, leaps, now=replace(moment(), boot_name=OTHER_BOOT))


# -- suspension


SLEEPS = [
    (0.0, 1.0, False),
    (3600.0, 1.0, True),
    (0.2, 1.0, True),
    (1e-4, 1.0, False),
    (0.05, 1.0, False),
    (5.0, 100.0, False),
]


@pytest.mark.parametrize(("slept_s", "elapsed_s", "asleep"), SLEEPS)
def test_boottime_tells_a_suspension_from_a_slew(slept_s: float, elapsed_s: float, asleep: bool) -> None:
    before = moment()
    after = replace(
        before,
        raw_ns=before.raw_ns + round(elapsed_s * S),
        boottime_ns=before.boottime_ns + round((elapsed_s + slept_s) * S),
    )
    assert after.slept_since(before) == asleep


def test_after_an_hours_sleep_the_counter_begins_anew(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    """RAW stood still for an hour: not one reading from before has a say, and the page holds the new BOOTTIME."""
    after = [NOW + 3600 * S + second * S for second in range(1, 4)]
    x_s = [x_at(NOW + second * S) - 3600.0 for second in range(1, 4)]
    counter.take(host_batch(after[:1], x_s[:1], ahead=AHEAD + 3600 * S))
    with pytest.raises(CounterUnknown, match="1 readings"):
        state(fold, counter, leaps)
    counter.take(host_batch(after[1:], x_s[1:], ahead=AHEAD + 3600 * S))
    page = state(fold, counter, leaps).page
    assert abs(tai_of(page, page.raw_ns) - Fraction(after[-1], S)) < 1e-8
    assert page.boottime_ns - page.raw_ns == AHEAD + 3600 * S


def test_a_jump_that_boottime_does_not_explain_is_not_served(
    fold: Fold, counter: HostCounter, leaps: LeapTable
) -> None:
    for second in range(1, 4):
        counter.take(host_batch([NOW + second * S], [x_at(NOW) + 1e-3]))
    with pytest.raises(CounterUnknown, match="do not lie in line"):
        state(fold, counter, leaps)


def test_a_replay_serves_no_time(fold: Fold, counter: HostCounter, leaps: LeapTable) -> None:
    replayed = replace_struct(fold.config, instrument=(ReplayInstrument(files=("x",)),))
    with pytest.raises(CounterUnknown):
        state(fold, counter, leaps, config=replayed)
