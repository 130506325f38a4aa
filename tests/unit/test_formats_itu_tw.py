"""Two-way files of ITU-R TF.1153: header, sessions, signs and units, what is not measured, and what is written back."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from timeball.formats import FormatError, WriteError
from timeball.formats.itu_tw import TwoWay, is_itu_tw, read_itu_tw
from timeball.formats.itu_tw.header import SatelliteLink
from timeball.formats.itu_tw.writer import write_itu_tw
from timeball.instants import NS_PER_SECOND, LeapTable, day_number, parse_utc

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
HEADER = """* TWTBL61.140
* FORMAT    01
* LAB       TBL
* REV DATE  2026-04-10
* ES TBL01  LA: N 36 27 51.530       LO: W 006 12 22.333   HT: +0074.67 m
* REF-FRAME WGS-84
* LINK   23 SAT: TELSTAR 11N         NLO: E 322 27 00.000  XPNDR: 999999999 ns
*           SAT-NTX: 10953.9500 MHz  SAT-NRX: 14253.9500 MHz  BW:   4.1 MHz
* CAL   618 TYPE: PORT ES REL        MJD: 60583 EST. UNCERT.:    0.800 ns
* CAL   999 bridged by GPS
* LOC-MON   NO
* MODEM     SATRE, 448
* COMMENTS  chip rate 2.5 Mchip/s
*
* EARTH-STAT  LI  MJD  STTIME NTL        TW        DRMS SMP ATL     REFDELAY     RSIG  CI S    CALR     ESDVAR   ESIG
* LOC    REM           hhmmss  s         s          ns       s         s          ns            ns        ns      ns
"""
CALIBRATED = " TBL01  PTB05 23 61140 001600 119 +0.262383672844 0.512 119 118 +0.000000964858 0.050 618 1"
CALIBRATED += "    16.900     0.000 0.300  21  45 1013\n"
BARE = " TBL01  TBL01 23 61140 235900 119 +0.265000000001 0.333 999 999 999999999999999 99999 999 9"
BARE += " 999999999 999999999 99999 +99 999 9999\n"
FILE = HEADER + CALIBRATED + BARE


def read(text: str) -> TwoWay:
    return read_itu_tw(text.encode(), "tw", LEAPS)


def test_a_session_keeps_its_signs_and_comes_in_si() -> None:
    two_way = read(FILE)
    assert (two_way.local[0], two_way.remote[0], two_way.link[0], two_way.calibration[0]) == (
        "TBL01",
        "PTB05",
        "23",
        "618",
    )
    assert two_way.epoch[0] == parse_utc("2026-04-10T00:16:00Z", LEAPS).ns
    assert two_way.midpoint[0] - two_way.epoch[0] == 59.5 * NS_PER_SECOND
    first = {key: getattr(two_way, key)[0] for key in ("tw_s", "refdelay_s", "calr_s", "esdvar_s", "drms_s")}
    assert first == {
        "tw_s": 0.262383672844,
        "refdelay_s": 9.64858e-07,
        "calr_s": 1.69e-8,
        "esdvar_s": 0.0,
        "drms_s": 5.12e-10,
    }
    assert (two_way.samples[0], two_way.actual_s[0], two_way.switch[0]) == (119, 118, 1)
    assert (two_way.esdvar_sd_s[0], two_way.refdelay_sd_s[0]) == (3e-10, 5e-11)
    assert (two_way.temperature_c[0], two_way.humidity[0], two_way.pressure_hpa[0]) == (21, 45, 1013)
    assert two_way.defects == ()


def test_nines_are_not_measured_and_a_station_may_hear_itself() -> None:
    two_way = read(FILE)
    assert two_way.local[1] == two_way.remote[1]
    missing = ("refdelay_s", "refdelay_sd_s", "calr_s", "esdvar_s", "esdvar_sd_s", "temperature_c", "humidity")
    assert all(math.isnan(getattr(two_way, key)[1]) for key in missing)
    assert (two_way.samples[1], two_way.actual_s[1], two_way.switch[1]) == (-1, -1, -1)


def test_the_header_by_its_labels() -> None:
    header = read(FILE).header
    assert (header.name, header.format, header.lab, header.revised) == ("TWTBL61.140", "01", "TBL", "2026-04-10")
    assert (header.frame, header.local_monitor, header.modems) == ("WGS-84", "NO", ("SATRE, 448",))
    (station,) = header.stations
    assert (station.code, station.longitude, station.height) == ("TBL01", "W 006 12 22.333", "+0074.67 m")
    assert header.links[0].parts == (
        ("SAT", "TELSTAR 11N"),
        ("NLO", "E 322 27 00.000"),
        ("XPNDR", "999999999 ns"),
        ("SAT-NTX", "10953.9500 MHz"),
        ("SAT-NRX", "14253.9500 MHz"),
        ("BW", "4.1 MHz"),
    )
    first, second = header.calibrations
    assert (first.code, first.kind, first.mjd, first.u_s) == ("618", "PORT ES REL", 60583, 8e-10)
    assert (second.code, second.text, second.mjd) == ("999", "bridged by GPS", None)


def test_an_older_header_has_its_link_on_one_line_and_a_reference() -> None:
    old = FILE.replace("XPNDR: 999999999 ns\n*          ", "XLO: E 322 27 00.000").replace(
        "REF-FRAME WGS-84", "REF-TIME UTC(TBL)"
    )
    header = read(old).header
    assert header.reference == "UTC(TBL)"
    assert [label for label, _ in header.links[0].parts] == ["SAT", "NLO", "XLO", "SAT-NTX", "SAT-NRX", "BW"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (" 001600 ", " 006000 ", "STTIME"),
        (" 001600 ", " 235960 ", "STTIME"),
        (" 61140 ", " 99999 ", "MJD"),
        (" 119 +0.2", " 999 +0.2", "NTL"),
        ("+0.262383672844", "999999999999999", "TW"),
        ("+0.262383672844", "+26.2383672844", "TW"),
        (" 0.512 ", " -0.512 ", "DRMS"),
        (" 1    16.900", " x    16.900", "S"),
        (" 1013", "", "line"),
        (" PTB05 ", " PTB05:01 ", "REM"),
        (" 618 1", " 61a 1", "CI"),
    ],
)
def test_a_bad_line_is_told_and_costs_no_other(old: str, new: str, field: str) -> None:
    two_way = read(HEADER + CALIBRATED.replace(old, new, 1) + BARE)
    assert two_way.remote == ("TBL01",)
    assert [(defect.line, defect.field) for defect in two_way.defects] == [(17, field)]


def test_a_session_given_twice_stands_once() -> None:
    two_way = read(FILE + CALIBRATED.replace("0.262", "0.263"))
    assert len(two_way) == 2
    assert two_way.tw_s[0] == 0.262383672844
    assert "line 17" in two_way.defects[0].reason


@pytest.mark.parametrize(("text", "said"), [
    (HEADER, "no line of a two-way session"), ("", "no line of a two-way session"),
    ("1 2 3\n", "no line of a two-way session"),
    ("GGTTS GPS DATA FORMAT VERSION = 01\n", "no line of a two-way session"),
    (HEADER + CALIBRATED[:60] + "\n", "9 fields instead of 20"),
])  # fmt: skip
def test_a_file_without_a_session_is_refused(text: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read(text)


def test_what_is_written_reads_back_the_same() -> None:
    two_way = read(FILE)
    again = read_itu_tw(write_itu_tw(two_way), "again", LEAPS)
    assert again.header == dataclasses.replace(two_way.header, calibrations=again.header.calibrations)
    assert [each.code for each in again.header.calibrations] == ["618", "999"]
    for key in (each.name for each in dataclasses.fields(two_way) if each.name not in ("header", "defects", "line")):
        left, right = getattr(two_way, key), getattr(again, key)
        assert left == right if isinstance(left, tuple) else np.array_equal(left, right, equal_nan=left.dtype == float)
    assert write_itu_tw(again) == write_itu_tw(two_way)


def test_a_written_line_stands_in_the_columns_of_the_annex() -> None:
    line = write_itu_tw(read(FILE)).decode().splitlines()[-2]
    assert line == CALIBRATED.rstrip("\n")


def test_what_the_columns_cannot_hold_is_not_written() -> None:
    two_way = read(FILE)
    with pytest.raises(WriteError, match="CALR"):
        write_itu_tw(dataclasses.replace(two_way, calr_s=np.array([1.0, 0.0])))
    with pytest.raises(WriteError, match="station"):
        write_itu_tw(dataclasses.replace(two_way, local=("TBL 01", "TBL01")))
    bad = dataclasses.replace(two_way.header, links=(SatelliteLink("23", (("SAT", "one\ntwo"),)),))
    with pytest.raises(WriteError, match="printable"):
        write_itu_tw(dataclasses.replace(two_way, header=bad))


def test_it_is_known_by_its_header() -> None:
    assert is_itu_tw(FILE.encode())
    assert is_itu_tw(FILE.replace("* EARTH-STAT", "* x").encode())
    assert not is_itu_tw(CALIBRATED.encode())
    assert not is_itu_tw(b"* a comment\n1 2\n")
