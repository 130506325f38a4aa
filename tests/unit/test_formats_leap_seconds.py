"""Leap second tables: the hash over the figures, expiry, both signs, and every way a line can be wrong."""

import hashlib
from pathlib import Path

import pytest

from timeball.formats import (
    FormatError,
    parse,
    parse_leap_seconds_list,
    parse_leap_table,
    parse_tzdata_leapseconds,
    recognise,
)
from timeball.instants import DAY_S, Instant, day_number
from timeball.station.hosttime.leaps import describe_expiry, load_leap_table

NTP_1970 = 25_567


def ntp(year: int, month: int, day: int) -> int:
    return (day_number(year, month, day) + NTP_1970) * DAY_S


def leap_list(rows: list[tuple[int, int]], updated: int = 100, expires: int = ntp(2030, 1, 1)) -> str:
    covered = f"{updated}{expires}" + "".join(f"{when}{offset}" for when, offset in rows)
    digest = hashlib.sha1(covered.encode()).hexdigest()
    groups = " ".join(digest[start : start + 8].lstrip("0") or "0" for start in range(0, 40, 8))
    lines = [f"#$ {updated}", f"#@\t{expires}", "# words that no hash covers"]
    lines += [f"{when}\t{offset}\t# remark" for when, offset in rows]
    return "\n".join([*lines, f"#h {groups}", ""])


ROWS = [(ntp(1972, 1, 1), 10), (ntp(1972, 7, 1), 11), (ntp(1973, 1, 1), 10)]


def test_a_table_with_leaps_of_both_signs() -> None:
    leaps = parse_leap_seconds_list(leap_list(ROWS).encode(), "made")
    assert [entry.step_s for entry in leaps.entries] == [0, 1, -1]
    assert leaps.entries[1].utc_day == day_number(1972, 7, 1)
    assert leaps.expires == Instant(day_number(2030, 1, 1) * DAY_S + 10)
    assert leaps.source == "made"


def test_remarks_may_change_and_figures_may_not() -> None:
    text = leap_list(ROWS)
    parse_leap_seconds_list(text.replace("words", "other words").encode(), "made")
    for old, new in (("\t11\t", "\t12\t"), ("#$ 100", "#$ 101"), (str(ntp(1972, 7, 1)), str(ntp(1972, 7, 2)))):
        with pytest.raises(FormatError, match="altered") as caught:
            parse_leap_seconds_list(text.replace(old, new).encode(), "made")
        assert caught.value.defect.field == "#h"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("#h ", "# ", "#h"),
        ("#h ", "#h zz ", "#h"),
        ("#@\t", "# ", "#@"),
        ("#$ 100", "#$ today", "#$"),
        ("\t11\t", "\televen\t", "line"),
        ("\t11\t", "\t11 11\t", "line"),
    ],
)
def test_a_bad_line_refuses_the_table_and_is_named(old: str, new: str, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_leap_seconds_list(leap_list(ROWS).replace(old, new).encode(), "made")
    assert caught.value.defect.field == field


@pytest.mark.parametrize(
    "rows", [[], [(ntp(1972, 1, 1) + 1, 10)], [ROWS[1], ROWS[0]], [ROWS[0], (ntp(1980, 1, 1), 12)]]
)
def test_well_hashed_nonsense_is_still_refused(rows: list[tuple[int, int]]) -> None:
    with pytest.raises(FormatError):
        parse_leap_seconds_list(leap_list(rows).encode(), "made")


def test_tzdata_lines_of_both_signs_and_the_expiry() -> None:
    text = "# x\nLeap\t1972\tJun\t30\t23:59:60\t+\tS\nLeap 1972 Dec 31 23:59:59 - S\n#expires 63072000 (1972)\n"
    leaps = parse_tzdata_leapseconds(text.encode(), "tz")
    assert [(entry.utc_day, entry.tai_minus_utc_s) for entry in leaps.entries] == [
        (day_number(1972, 1, 1), 10),
        (day_number(1972, 7, 1), 11),
        (day_number(1973, 1, 1), 10),
    ]
    assert leaps.expires == Instant(63_072_000 + 10)


@pytest.mark.parametrize(
    "line",
    [
        "Leap 1972 Jun 30 23:59:60 - S",
        "Leap 1972 Jun 30 23:59:59 + S",
        "Leap 1972 Jun 30 23:59:60 + R",
        "Leap 1972 Jun 31 23:59:60 + S",
        "Leap 1972 Juni 30 23:59:60 + S",
        "Leap 1972 Jun 30 23:59:60 +",
        "Leap 1971 Jun 30 23:59:60 + S",
        "Rule 1972",
    ],
)
def test_a_bad_tzdata_line_refuses_the_table(line: str) -> None:
    with pytest.raises(FormatError):
        parse_tzdata_leapseconds(f"Leap 1972 Jun 30 23:59:60 + S\n{line}\n".encode(), "tz")


def test_a_table_without_leaps_is_no_tzdata_table() -> None:
    with pytest.raises(FormatError, match="no Leap line"):
        parse_tzdata_leapseconds(b"# nothing\n", "tz")


def test_the_real_list_of_iers_verifies_and_equals_that_of_tzdata(shared) -> None:
    data = shared("leap-seconds/leap-seconds.list").read_bytes()
    leaps = parse_leap_table(data, "leap-seconds.list")
    assert recognise(data) == "leap-seconds"
    assert (len(leaps.entries), leaps.entries[-1].tai_minus_utc_s) == (28, 37)
    assert leaps.entries == load_leap_table().entries
    with pytest.raises(FormatError, match="altered"):
        parse_leap_table(data.replace(b"3692217600", b"3692304000"), "altered")
    with pytest.raises(FormatError, match="no readings"):
        parse(data, "leap-seconds.list")


def test_a_table_is_loaded_from_a_path_and_its_expiry_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "leap-seconds.list"
    path.write_text(leap_list(ROWS))
    leaps = load_leap_table(path)
    before, after = Instant(day_number(2029, 12, 22) * DAY_S + 10), Instant(day_number(2030, 1, 11) * DAY_S + 10)
    assert describe_expiry(leaps, before).endswith("is valid until 2030-01-01, 10 days from now")
    assert "expired on 2030-01-01, 10 days ago" in describe_expiry(leaps, after)
    with pytest.raises(FormatError, match="cannot be read"):
        load_leap_table(tmp_path / "absent")
    path.write_text("Leap 1972 Jun 30 23:59:60 + S\n")
    assert describe_expiry(load_leap_table(path), before).endswith("states no expiry")
