"""Round trips of instants at the last attosecond, for any instant and any consistent leap table."""

from hypothesis import given
from hypothesis import strategies as st

from timeball.instants import (
    GNSS,
    Instant,
    Interval,
    LeapTable,
    day_number,
    format_utc,
    from_gnss,
    from_mjd,
    from_utc_parts,
    parse_utc,
    to_gnss,
    to_mjd,
    utc_parts,
)

ATTOSECONDS = st.one_of(st.sampled_from([0, 1, 10**18 - 1]), st.integers(0, 10**18 - 1))
INSTANTS = st.builds(Instant, st.integers(-(10**11), 10**11), ATTOSECONDS)
FIRST_DAY = day_number(1972, 1, 1)


@st.composite
def leap_tables(draw: st.DrawFn) -> LeapTable:
    gaps = draw(st.lists(st.integers(1, 4000), max_size=12))
    steps = draw(st.lists(st.sampled_from([-1, 1]), min_size=len(gaps), max_size=len(gaps)))
    day, offset, offsets = FIRST_DAY, 10, [(FIRST_DAY, 10)]
    for gap, step in zip(gaps, steps, strict=True):
        day, offset = day + gap, offset + step
        offsets.append((day, offset))
    return LeapTable.from_offsets(offsets, None, "drawn")


@given(INSTANTS, st.integers(-(10**40), 10**40))
def test_adding_and_taking_away_is_exact(instant: Instant, attoseconds: int) -> None:
    moved = instant + Interval(attoseconds)
    assert moved - Interval(attoseconds) == instant
    assert moved.since(instant) == Interval(attoseconds)


@given(INSTANTS, st.sampled_from(list(GNSS)))
def test_weeks_and_days_come_back(instant: Instant, system: GNSS) -> None:
    assert from_gnss(system, *to_gnss(system, instant)) == instant
    assert from_mjd(*to_mjd(instant)) == instant


@given(leap_tables(), st.data())
def test_utc_text_comes_back_near_every_leap(leaps: LeapTable, data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(leaps.entries))
    instant = Instant(entry.tai_ns // 10**9 + data.draw(st.integers(0, 3)), data.draw(ATTOSECONDS))
    if entry is not leaps.entries[0]:
        instant -= Interval.from_seconds(data.draw(st.integers(0, 3)))
    assert from_utc_parts(*utc_parts(instant, leaps), leaps) == instant
    assert parse_utc(format_utc(instant, leaps, 18), leaps) == instant


@given(leap_tables(), st.integers(0, 10**10), ATTOSECONDS, ATTOSECONDS)
def test_utc_text_sorts_like_the_instants(leaps: LeapTable, second: int, first: int, other: int) -> None:
    begin = leaps.entries[0].tai_ns // 10**9 + second
    early, late = sorted([Instant(begin, first), Instant(begin + 1, other)])
    assert format_utc(early, leaps, 18) < format_utc(late, leaps, 18)
