"""Logs of chronyd and ntpd, line by line: the examples of their manuals, signs, and what is no line of theirs."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.formats import FormatError, parse, read_chrony, read_ntpd, recognise
from timeball.instants import LeapTable, day_number, parse_utc

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
# the examples of chrony.conf(5)
MEASUREMENT = (
    "2016-11-09 05:40:50 203.0.113.15    N  2 111 111 1111  10 10 1.0 "
    "-4.966e-03  2.296e-01  1.577e-05  1.615e-01  7.446e-03 CB00717B 4B D K"
)
STATISTIC = (
    "2016-08-10 05:40:50 203.0.113.15     6.261e-03 -3.247e-03 "
    "2.220e-03  1.874e-06  1.080e-06 7.8e-02  16   0   8  0.00"
)
TRACK = (
    "2017-08-22 13:22:36 203.0.113.15     2     -3.541      0.075 -8.621e-06 N "
    "2  2.940e-03 -2.084e-04  1.534e-02  3.472e-04  8.304e-03"
)
REFCLOCK = "2009-11-30 14:33:27.000000 PPS2    7 N 1  4.900000e-07 -6.741777e-07  1.000e-06"
# the examples of ntpd's Monitoring Options
LOOP = "50935 75440.031 0.000006019 13.778190 0.000351733 0.013380 6"
PEER = "48773 10847.650 127.127.4.1 9714 -0.001605376 0.000000000 0.001424877 0.000958674"
RAW = (
    "56285 54575.160 128.4.1.1 192.168.1.5 3565350574.400229473 3565350574.442385200 "
    "3565350574.442436000 3565350574.454505763 0 4 4 1 8 -21 0.000000 0.000320 .PPS."
)


@pytest.mark.parametrize(
    ("line", "kind", "x", "u", "source", "utc"),
    [
        (MEASUREMENT, "chrony-measurements", 4.966e-3, None, "203.0.113.15", "2016-11-09T05:40:50Z"),
        (STATISTIC, "chrony-statistics", -3.247e-3, 2.22e-3, "203.0.113.15", "2016-08-10T05:40:50Z"),
        (TRACK, "chrony-tracking", -8.621e-6, 2.94e-3, "UTC(chronyd)", "2017-08-22T13:22:36Z"),
        (REFCLOCK, "chrony-refclocks", 6.741777e-7, 1e-6, "PPS2", "2009-11-30T14:33:27Z"),
        (LOOP, "ntpd-loopstats", -6.019e-6, None, "UTC(ntpd)", "1998-05-02T20:57:20.031Z"),
        (PEER, "ntpd-peerstats", 1.605376e-3, None, "127.127.4.1", "1992-05-31T03:00:47.65Z"),
        (RAW, "ntpd-rawstats", -0.015042982, None, "128.4.1.1", "2012-12-24T15:09:35.16Z"),
    ],
)
def test_the_manuals_own_lines(line: str, kind: str, x: float, u: float | None, source: str, utc: str) -> None:
    data = f"{line}\n".encode()
    assert recognise(data) == kind
    parsed = parse(data, "log", leaps=LEAPS)
    readings = parsed.readings
    assert (parsed.kind, readings.clocks, parsed.defects) == (kind, ("local", source), [])
    assert readings.x[0] == pytest.approx(x, rel=1e-15)
    assert np.isnan(readings.u[0]) if u is None else readings.u[0] == u
    assert readings.epoch[0] == parse_utc(utc, LEAPS).ns


def test_columns_keep_the_files_own_figures() -> None:
    table = read_chrony(TRACK.encode(), "tracking", LEAPS)
    assert (table.numbers["frequency_ppm"][0], table.numbers["offset_s"][0]) == (-3.541, -8.621e-6)
    assert table.texts == {"source": ("203.0.113.15",), "leap": ("N",)}
    raw = read_ntpd(RAW.encode(), "rawstats", LEAPS)
    assert raw.numbers["delay_s"][0] == pytest.approx(0.05422549, rel=1e-9)
    assert raw.texts["own_address"] == ("192.168.1.5",)


@pytest.mark.parametrize(
    ("good", "bad", "field"),
    [
        (MEASUREMENT, MEASUREMENT.replace("111 111 1111", "111 011 1111"), "tests"),
        (MEASUREMENT, MEASUREMENT[:60], "line"),
        (TRACK, TRACK.replace(" N ", " ? "), "leap"),
        (STATISTIC, STATISTIC.replace("-3.247e-03", "-3.2x7e-03"), "offset_s"),
        (STATISTIC, STATISTIC.replace("203.0.113.15", "local"), "source"),
        (REFCLOCK, REFCLOCK.replace("14:33:27", "14:33:77"), "time"),
        (LOOP, LOOP.replace("75440", "86401"), "time"),
        (PEER, PEER.replace("48773", "4877x"), "time"),
        (RAW, RAW.replace("3565350574.442385200", "0.000000000"), "stamps"),
        (RAW, RAW.replace("3565350574.442385200", "1e9"), "stamps"),
    ],
)
def test_a_bad_line_is_told_and_the_good_ones_survive(good: str, bad: str, field: str) -> None:
    parsed = parse(f"{good}\n{bad}\r\n\n{good}\n".encode(), "log", leaps=LEAPS)
    assert len(parsed.readings) == 2
    assert [(defect.line, defect.field) for defect in parsed.defects] == [(2, field)]


def test_stamps_across_the_turn_of_an_era() -> None:
    line = "64731 23296.500 192.0.2.1 192.0.2.2 4294967295.900000000 0.100000000 0.200000000 4294967296.000000000"
    old = line.replace("4294967296.000000000", "0.000000000")
    assert parse(f"{old}\n{line}\n".encode(), "rawstats", leaps=LEAPS, kind="ntpd-rawstats").readings.x[0] == -0.2
    zero = old.replace(" 0.000000000", " 0.000000001")
    table = read_ntpd(f"{zero}\n".encode(), "rawstats", LEAPS)
    assert table.numbers["offset_s"][0] == pytest.approx(0.2, abs=1e-8)  # ((0.2) + (0.2)) / 2
    assert table.numbers["delay_s"][0] == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize(
    ("address", "kind"),
    [("2001:db8::1", "ntpd-peerstats"), ("SHM(0)", "ntpd-peerstats"), ("17", "columns")],
)
def test_what_stands_for_an_address(address: str, kind: str) -> None:
    assert recognise(PEER.replace("127.127.4.1", address).encode() + b"\n") == kind


def test_a_loop_is_told_from_plain_columns_by_its_form() -> None:
    assert recognise(f"{LOOP}\n{LOOP}\n".encode()) == "ntpd-loopstats"
    assert recognise(b"50935 75440.031 0.000006019\n50936 75440.031 0.000006019\n") == "columns"
    assert recognise(b"50935.25 1.0 2.0 3 4 5 6\n50936.25 1.0 2.0 3 4 5 6\n") == "columns"


@pytest.mark.parametrize("data", [b"", b"2016-11-09 05:40:50 nothing\n", b"=====\n"])
def test_nothing_usable_is_a_typed_error(data: bytes) -> None:
    for read in (read_chrony, read_ntpd):
        with pytest.raises(FormatError, match=r"chronyd|ntpd"):
            read(data, "log", LEAPS)
    with pytest.raises(FormatError, match=r"no line of chronyd's tracking"):
        read_chrony(data, "log", LEAPS, "chrony-tracking")


def test_utc_needs_a_table() -> None:
    with pytest.raises(FormatError, match="leap second table"):
        parse(TRACK.encode(), "log")
