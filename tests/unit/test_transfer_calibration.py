"""Calibrations: the table, which entry holds on a day, what it does to REFSYS, and what age does to its uncertainty."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from timeball.formats.cggtts import Cggtts, CodeDelay, Delays, Header, read_cggtts
from timeball.instants import LeapTable, day_number
from timeball.transfer import CalibrationError, calibration_at, read_calibrations, station_tracks
from timeball.transfer.calibrating import calibrated

LEAPS = LeapTable.from_offsets([(day_number(2017, 1, 1), 37)], None, "made up")
TABLE = """
[[calibration]]
lab = "TB"
from_mjd = 60300
id = "1015-2024"
u_ns = 1.0
ageing_ns_per_year = 0.5
internal_ns = {"GPS P1" = 30.0, "GPS P2" = 20.0, "Galileo E1" = 40.0, "GAL E5a" = 41.0}
reference_ns = 12.0

[[calibration]]
lab = "TB"
from_mjd = 60000
u_ns = 2.5
cable_ns = 150
"""
FILED = Delays(
    "INT",
    (CodeDelay("GPS P1", 32e-9), CodeDelay("GPS P2", 25e-9), CodeDelay("GAL E1", 40e-9), CodeDelay("GAL E5a", 41e-9)),
    155e-9,
    10e-9,
)


def test_the_newest_entry_that_has_begun_holds() -> None:
    table = read_calibrations(TABLE)
    assert calibration_at(table, "TB", 59999) is None
    assert calibration_at(table, "PTB", 60500) is None
    old, new = calibration_at(table, "TB", 60299), calibration_at(table, "TB", 60300)
    assert old is not None
    assert new is not None
    assert (old.from_mjd, new.id) == (60000, "1015-2024")
    assert new.u_at(60300) == pytest.approx(1e-9)
    assert new.u_at(60300 + 2 * 365.25) == pytest.approx(math.sqrt(2.0) * 1e-9)


def test_a_correction_is_the_headers_total_less_the_tables() -> None:
    old, new = (each for each in read_calibrations(TABLE))
    assert old.change_s(FILED, "G", "L1P") == pytest.approx((155 - 150) * 1e-9)
    # internal 32 → 30, reference 10 → 12: the file took out 2 ns too much of INT and 2 ns too little of REF
    assert new.change_s(FILED, "G", "L1P") == pytest.approx((32 - 30 + 12 - 10) * 1e-9)
    share = 154**2 / (154**2 - 120**2)  # 2.546: P3 = 2.546 P1 − 1.546 P2
    assert share == pytest.approx(2.5457, abs=1e-4)
    combined = share * (32 - 30) + (1 - share) * (25 - 20)
    assert new.change_s(FILED, "G", "L3P") == pytest.approx((combined + 2) * 1e-9)
    assert new.change_s(FILED, "E", "L3E") == pytest.approx(2e-9)  # Galileo and GAL are one


def test_delays_that_are_not_there_are_errors() -> None:
    new = read_calibrations(TABLE)[1]
    with pytest.raises(CalibrationError, match="has no internal delay of GPS C1"):
        new.change_s(FILED, "G", "L1C")
    with pytest.raises(CalibrationError, match="the header gives no REF DLY"):
        new.change_s(dataclasses.replace(FILED, ref_s=math.nan), "G", "L1P")
    with pytest.raises(CalibrationError, match="has no internal delay of GLO P1"):
        new.change_s(FILED, "R", "L3P")  # the same three letters, another system


def test_delays_that_a_header_gives_as_one() -> None:
    old, new = read_calibrations(TABLE)
    whole = dataclasses.replace(FILED, kind="SYS", cable_s=math.nan)
    with pytest.raises(CalibrationError, match="SYS DLY"):
        new.change_s(whole, "G", "L1P")
    with pytest.raises(CalibrationError, match="SYS DLY"):
        old.change_s(whole, "G", "L1P")
    both = dataclasses.replace(new, cable_s=150e-9)
    assert both.change_s(whole, "G", "L1P") == pytest.approx((32 - (30 + 150) + 12 - 10) * 1e-9)
    with pytest.raises(CalibrationError, match="TOT DLY"):
        both.change_s(dataclasses.replace(whole, kind="TOT", ref_s=math.nan), "G", "L1P")
    glonass = dataclasses.replace(new, internal_s={"GLO P1": 10e-9, "GLO P2": 20e-9}, reference_s=None)
    filed = Delays("INT", (CodeDelay("GLONASS P1", 11e-9), CodeDelay("GLONASS P2", 20e-9)), 0.0, 0.0)
    assert glonass.change_s(filed, "R", "L3P") == pytest.approx(81 / 32 * 1e-9)


@pytest.mark.parametrize(("text", "words"), [
    ("", "holds .* entries"),
    ("[[calibration]", "not TOML"),
    ("a = 1", "holds .* entries"),
    ("calibration = [1]", "calibration 1: not a table"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1", "u_ns must be given"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1\nu_ns = -1", "no uncertainty is negative"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1.5\nu_ns = 1", "a whole day"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 100001\nu_ns = 1", "a whole day"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1\nu_ns = 1" + "0" * 400, "u_ns is a number"),
    ("a = " + "9" * 5000, "not TOML"),
    ("a = " + "[" * 5000, "not TOML"),
    ("[[calibration]]\nlab = ''\nfrom_mjd = 1\nu_ns = 1", "lab is a name"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1\nu_ns = nan", "u_ns is a number"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1\nu_ns = true", "u_ns is a number"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1\nu_ns = 1\ncable = 3", "no such key: cable"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1\nu_ns = 1\ninternal_ns = 3", "a delay for each code"),
    ("[[calibration]]\nlab = 'TB'\nfrom_mjd = 1\nu_ns = 1\ninternal_ns = {C1 = 'x'}", "C1 is a number"),
])  # fmt: skip
def test_a_table_that_makes_no_sense_is_an_error_that_says_where(text: str, words: str) -> None:
    with pytest.raises(CalibrationError, match=words):
        read_calibrations(text)


def file_with(*codes: str) -> Cggtts:
    """Two days of one satellite, a track a day and code, with the delays above."""
    head = "CGGTTS     GENERIC DATA FORMAT VERSION = 2E\nREV DATE = 2020-01-01\nRCVR = R\nCH = 1\nIMS = 99999\n"
    head += "LAB = TB\nX = +1.000 m\nY = +1.000 m\nZ = +1.000 m\nFRAME = ITRF\nCOMMENTS = NO COMMENTS\n"
    head += (
        "INT DLY =   32.0 ns (GPS P1),  25.0 ns (GPS P2)     CAL_ID = NA\nCAB DLY =  155.0 ns\nREF DLY =   10.0 ns\n"
    )
    head += "REF = UTC(TB)\nCKSUM = "
    text = f"{head}{sum(head.replace(chr(10), '').encode()) % 256:02X}\n\n"
    text += "SAT CL  MJD  STTIME TRKL ELV AZTH   REFSV      SRSV     REFSYS    SRSYS  DSG IOE MDTR SMDT MDIO SMDI"
    text += " FR HC FRC CK\n"
    text += "             hhmmss  s  .1dg .1dg    .1ns     .1ps/s     .1ns    .1ps/s .1ns     .1ns.1ps/s.1ns.1ps/s\n"
    for day in (60299, 60300):
        for code in codes:
            line = f"G05 FF {day} 001000  780 450 1000       +1000     +0        +100     +0   20 001   80   +0"
            line += f"   30   +0  0  0 {code} "
            text += f"{line}{sum(line.encode()) % 256:02X}\n"
    return read_cggtts(text.encode(), "file", LEAPS)


def test_each_track_has_the_delays_of_its_day_and_code() -> None:
    cggtts = file_with("L1P", "L3P", "L1C")
    assert not cggtts.defects
    done = calibrated(station_tracks(cggtts, "file"), cggtts, read_calibrations(TABLE))
    share = 154**2 / (154**2 - 120**2)
    expected = [5.0, 5.0, 5.0, 4.0, 2.0 + share * 2 + (1 - share) * 5]  # the newer table has no delay of C1
    assert done.tracks.refsys_s - 1e-8 == pytest.approx([each * 1e-9 for each in expected])
    assert [(each.reason, each.value) for each in done.rejected] == [("without a calibration of its code", "L1C")]
    assert done.u_s == pytest.approx(2.5 * 1e-9)
    assert done.used["TB 60300"] == "TB: calibration 1015-2024 of MJD 60300, 0 days old, u 1.00 ns"
    assert done.tracks.refsv_s - done.tracks.refsys_s == pytest.approx(9e-8)  # both are moved


def test_u_is_not_known_when_some_days_have_no_calibration() -> None:
    cggtts = file_with("L1P")
    table = [each for each in read_calibrations(TABLE) if each.from_mjd == 60300]
    done = calibrated(station_tracks(cggtts, "file"), cggtts, table)
    assert math.isnan(done.u_s)
    assert done.tracks.refsys_s[0] == cggtts.tracks.refsys_s[0]
    assert list(done.used) == ["TB before", "TB 60300"]
    assert done.used["TB before"] == "TB: up to MJD 60299 delays of the header, uncertainty not known"


def test_without_an_entry_the_header_holds_and_u_is_not_known() -> None:
    cggtts = file_with("L1P")
    done = calibrated(station_tracks(cggtts, "file"), cggtts, [])
    assert np.array_equal(done.tracks.refsys_s, cggtts.tracks.refsys_s)
    assert math.isnan(done.u_s)
    none = Cggtts(Header(lab="TB", delays=Delays()), cggtts.tracks.take(cggtts.tracks.mjd == 60300))
    with pytest.raises(CalibrationError, match="file: the header has no internal delay"):
        calibrated(station_tracks(none, "file", "A"), none, read_calibrations(TABLE))
