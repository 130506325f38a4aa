"""CGGTTS written, turned from one version into another, and the schedule of its tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tracks import COMMON, LEAPS, a_file, track

from timeball.formats import WriteError
from timeball.formats.cggtts import Cggtts, CodeDelay, Delays, read_cggtts
from timeball.formats.cggtts.convert import convert_cggtts
from timeball.formats.cggtts.schedule import is_scheduled, schedule
from timeball.formats.cggtts.writer import write_cggtts

ONE = a_file("01", track(" 12"), track("  8", common=COMMON.replace("001000", "002600")))
MEASURED = "  79  -54  22 "
NEW = a_file("2E", track("E03", MEASURED + " 0  0 E5a"), track("G12", MEASURED + " 0  0 L1C"), ionosphere=True)
OLDER = a_file("02", track("105", "-7  3 L1C"), track(" 12", " 0  0 L1C"))


def read(data: bytes) -> Cggtts:
    return read_cggtts(data, "file", LEAPS)


@pytest.mark.parametrize("data", [ONE, ONE.replace(b"\n", b"\r\n"), NEW, OLDER])
def test_what_is_written_is_what_was_read(data: bytes) -> None:
    assert write_cggtts(read(data)) == data


def test_what_is_not_known_is_written_as_nines() -> None:
    nines = "99 60000 001000  780 999 9999 +9999999999 +99999 +9999999999 +99999 9999 999 9999 +999 9999 +999"
    data = a_file("01", track("  5", common=nines))
    assert write_cggtts(read(data)) == data


def test_figures_are_written_to_the_digit_that_the_field_has() -> None:
    found = read(ONE)
    tracks = replace(found.tracks, refsys_s=np.array([1.00004e-7, -0.4e-10]), elevation_deg=np.array([44.16, 9.94]))
    again = read(write_cggtts(Cggtts(found.header, tracks))).tracks
    assert again.refsys_s.tolist() == [1e-7, 0.0]
    assert np.signbit(again.refsys_s[1])
    assert again.elevation_deg.tolist() == [44.2, 9.9]


def test_a_delay_has_one_digit_or_those_it_needs() -> None:
    found = read(ONE)
    delays = Delays("TOT", (CodeDelay("GPS C1", 1.25e-9), CodeDelay("GPS P2", -2e-9)), ref_s=0.125e-9)
    text = write_cggtts(replace(found, header=replace(found.header, delays=delays))).decode()
    assert "\nTOT DLY = 1.25 ns (GPS C1), -2.0 ns (GPS P2)\nREF DLY = 0.125 ns\nREF = UTC(TB)\n" in text
    assert read(text.encode()).header.delays.codes == delays.codes


@pytest.mark.parametrize(
    ("data", "column", "values", "reason"),
    [
        (ONE, "refsv_s", np.array([0.0, 11.0]), "not possible|too few"),
        (ONE, "refsv_s", np.array([np.inf, 0.0]), "not possible"),
        (ONE, "srsv", np.array([0.0, 1e-8]), "too few"),
        (ONE, "dsg_s", np.array([0.0, 9999e-10]), "stands for 'not known'"),
        (ONE, "dsg_s", np.array([0.0, -1e-9]), "not possible"),
        (ONE, "smdt", np.array([0.0, 999e-13]), "stands for 'not known'"),
        (ONE, "ioe", np.array([1, 1023]), "too few"),
        (ONE, "ioe", np.array([1, 999]), "stands for 'not known'"),
        (ONE, "msio_s", np.array([1e-9, np.nan]), "measured ionosphere"),
        (ONE, "frc", ("L1C", "L1C"), "version 01 has no columns"),
        (ONE, "fr", np.array([0, 1]), "version 01 has no columns"),
        (ONE, "satellite", ("G01", "R02"), "version 1 has no satellite R02"),
        (OLDER, "satellite", ("G01", "E02"), "version 2 has no satellite E02"),
        (NEW, "frc", ("L1C", "L1CX"), "FRC has 3 characters"),
        (NEW, "satellite", ("G1", "G02"), "SAT has 3 characters"),
    ],
)
def test_what_has_no_room_is_refused(data: bytes, column: str, values: object, reason: str) -> None:
    found = read(data)
    with pytest.raises(WriteError, match=reason):
        write_cggtts(Cggtts(found.header, replace(found.tracks, **{column: values})))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "3"}, "none of 1, 01"),
        ({"lab": "two\nlines"}, "characters that are none"),
        ({"lab": "\u6642"}, "Latin letters only"),
        ({"delays": Delays(codes=(CodeDelay("", 2.0),))}, "a delay of 2.0 s is none"),
    ],
)
def test_headers_that_are_none_are_refused(change: dict[str, object], reason: str) -> None:
    found = read(ONE)
    with pytest.raises(WriteError, match=reason):
        write_cggtts(Cggtts(replace(found.header, **change), found.tracks))


def test_version_1_becomes_2e_and_comes_back() -> None:
    new = convert_cggtts(read(ONE), "2E", "L1C")
    assert (new.header.version, new.tracks.frc) == ("2E", ("L1C", "L1C"))
    assert new.header.delays.codes == (CodeDelay("GPS C1", 46.5e-9),)
    text = write_cggtts(new).decode()
    assert text.startswith("CGGTTS     GENERIC DATA FORMAT VERSION = 2E\n")
    assert "\nG12 FF 60000" in text
    again = read(text.encode())
    assert again.defects == []
    back = convert_cggtts(again, "01")
    unnamed = replace(back.header.delays, codes=(CodeDelay("", 46.5e-9),))
    assert write_cggtts(replace(back, header=replace(back.header, delays=unnamed))) == ONE


def test_version_2_keeps_glonass_and_codes() -> None:
    new = convert_cggtts(read(OLDER), "2E")
    assert (new.tracks.satellite, new.tracks.fr.tolist()) == (("R05", "G12"), [-7, 0])
    back = convert_cggtts(read(write_cggtts(new)), "02")
    assert write_cggtts(back) == OLDER


def test_of_several_codes_version_1_keeps_the_one_asked_for() -> None:
    two = a_file("2E", track("G12", " 0  0 L1C"), track("G12", " 0  0 L1P"))
    kept = convert_cggtts(read(two), "1", "L1P")
    assert (len(kept.tracks), kept.tracks.line.tolist(), kept.header.delays.cal_id) == (1, [21], "")
    assert kept.tracks.frc == ("",)


@pytest.mark.parametrize(
    ("data", "version", "frc", "reason"),
    [
        (ONE, "2E", "", "names the code of each track"),
        (ONE, "02", "", "names the code of each track"),
        (ONE, "3", "L1C", "none of 1, 01"),
        (NEW, "01", "L1C", "version 01 has no satellites of E"),
        (NEW, "02", "", "version 02 has no satellites of E"),
        (OLDER, "01", "", "no satellites of R"),
        (a_file("2E", track("G12", " 0  0 L1C"), track("G12", " 0  0 L1P")), "01", "", "here are L1C, L1P"),
        (NEW.replace(b"INT DLY", b"SYS DLY").replace(b"E03", b"G03"), "02", "", "INT DLY only, not SYS DLY"),
    ],
)
def test_conversions_that_are_none(data: bytes, version: str, frc: str, reason: str) -> None:
    with pytest.raises(WriteError, match=reason):
        convert_cggtts(read(data), version, frc)


def test_the_schedule_of_its_first_days() -> None:
    first = schedule(50722)
    assert (first[:89] == 120 + 960 * np.arange(89)).all()
    assert first[89:].tolist() == [120 + 1436 * 60]  # 00:02 again, a sidereal day later
    second = schedule(50723)
    assert (second[:-1] == first[1:89] - 240).all()
    assert second[-1] == first[89] - 240


@pytest.mark.parametrize("mjd", [41317, 50722, 57607, 60258, 70000])
def test_every_day_of_the_schedule_follows_the_one_before(mjd: int) -> None:
    today, tomorrow = schedule(mjd), schedule(mjd + 1)
    assert len(today) in (89, 90)
    steps = np.diff(np.concatenate([today, tomorrow + 86400]))
    assert set(steps.tolist()) <= {960, 1680}
    assert is_scheduled(mjd, today).all()
    assert not is_scheduled(mjd, today + 60).any()
    assert is_scheduled(np.full(len(tomorrow), mjd + 1), tomorrow).all()
    assert not is_scheduled(mjd, today[np.flatnonzero(np.diff(today) == 1680)] + 960).any()  # the long step is empty
