"""CGGTTS files: versions, checksums of lines and headers, fields that are missing or wrong, files joined end to end."""

from __future__ import annotations

import gzip
from math import isnan

import numpy as np
import pytest
from tracks import COMMON, FIRST, LEAPS, a_file, header, signed, track

from timeball.formats import FormatError
from timeball.formats.cggtts import Cggtts, CodeDelay, is_cggtts, read_cggtts
from timeball.formats.cggtts import tracks as reading
from timeball.instants import from_utc_parts

GOOD = track(" 12")


def read(*lines: str, version: str = "01", ionosphere: bool = False) -> Cggtts:
    """Read both ways, which must agree, and give the one."""
    data = a_file(version, *lines, ionosphere=ionosphere)
    fast, slow = (read_cggtts(data, "file", LEAPS, arrays=arrays) for arrays in (True, False))
    assert repr(fast) == repr(slow)
    return fast


def test_version_1() -> None:
    found = read(GOOD, track("  8", common=COMMON.replace("001000", "235959")))
    assert found.defects == []
    tracks = found.tracks
    assert (tracks.satellite, tracks.cl, tracks.frc) == (("G12", "G08"), ("FF", "FF"), ("", ""))
    assert (tracks.mjd[0], tracks.start_s.tolist(), tracks.track_s[0]) == (60000, [600, 86399], 780)
    assert tracks.epoch[0] == from_utc_parts(60000 - 40587, 600, 0, LEAPS).ns
    assert (tracks.elevation_deg[0], tracks.azimuth_deg[0], tracks.ioe[0]) == (44.2, 10.0, 43)
    assert (tracks.refsv_s[0], tracks.srsv[0]) == (-3762163e-10, -8e-13)
    assert (tracks.refsys_s[0], tracks.srsys[0], tracks.dsg_s[0]) == (-2517e-10, 6e-13, 15e-10)
    assert (tracks.mdtr_s[0], tracks.smdt[0], tracks.mdio_s[0]) == (116e-10, 18e-13, 177e-10)
    assert tracks.smdi[0] == 0.0
    assert np.signbit(tracks.smdi[0])
    assert isnan(tracks.msio_s[0])
    assert (tracks.fr[0], tracks.hc[0], tracks.line.tolist()) == (0, 0, [20, 21])


def test_its_header() -> None:
    head = read(GOOD).header
    assert (head.version, head.rev_date, head.receiver, head.channels) == ("01", "2026-11-02", "MAKER TYPE 17", 12)
    assert (head.ims, head.lab, head.frame, head.ref) == ("99999", "TB", "ITRF", "UTC(TB)")
    assert head.position_m == (4000000.125, -1000.5, 4800000.0)
    assert (head.comments, head.unread, head.line_end) == (("NO COMMENTS",), (), "\n")
    assert (head.checksum_ok, head.ionosphere) == (True, False)
    delays = head.delays
    assert (delays.kind, delays.codes, delays.cal_id) == ("INT", (CodeDelay("", 46.5e-9),), "")
    assert (delays.cable_s, delays.ref_s) == (155.2e-9, 5e-9)


def test_version_2_has_glonass_and_what_receivers_add_behind_the_checksum() -> None:
    data = a_file("02", track("105", "-7  3 L1C") + " 1 2", track("  5", " 0  0 L3P") + " 3 4")
    data = data.replace(b"FRC CK\n", b"FRC CK PS1 PS2\n")
    found = read_cggtts(data, "file", LEAPS)
    assert (found.tracks.satellite, found.tracks.frc) == (("R05", "G05"), ("L1C", "L3P"))
    assert (found.tracks.fr.tolist(), found.tracks.hc.tolist()) == ([-7, 0], [3, 0])
    assert found.header.delays.codes == (CodeDelay("GPS P1", 30.1e-9), CodeDelay("GPS P2", 31.25e-9))


def test_version_2e_with_a_measured_ionosphere() -> None:
    found = read(
        track("E03", "  79  -54  22  0  0 E5a"), track("C 9", "9999 +999 999 +1  0 L3B"), version="2E", ionosphere=True
    )
    tracks = found.tracks
    assert (tracks.satellite, tracks.system, tracks.frc) == (("E03", "C09"), ("E", "C"), ("E5a", "L3B"))
    assert (tracks.msio_s[0], tracks.smsi[0], tracks.isg_s[0]) == (79e-10, -54e-13, 22e-10)
    assert np.isnan([tracks.msio_s[1], tracks.smsi[1], tracks.isg_s[1]]).all()
    assert tracks.fr.tolist() == [0, 1]
    assert found.header.delays.codes == (CodeDelay("GAL E1", 34.6e-9), CodeDelay("GAL E5a", -25.6e-9))
    assert found.header.delays.cal_id == "1015-2021"


def test_nines_and_blanks_are_not_known() -> None:
    nines = "99 60000 001000 0780 999 9999 +9999999999 +99999 99999999999 999999 9999 999 9999 +999 9999 9999"
    blank = "99 60000 001000 0780" + " " * 76
    for found in (read(track("G99", common=nines)), read(signed(f"G99 {blank} "))):
        tracks = found.tracks
        assert (tracks.satellite, tracks.cl, tracks.track_s[0], tracks.ioe[0]) == (("G99",), ("99",), 780, -1)
        columns = (tracks.elevation_deg, tracks.azimuth_deg, tracks.refsv_s, tracks.srsv, tracks.refsys_s, tracks.srsys)
        columns += (tracks.dsg_s, tracks.mdtr_s, tracks.smdt, tracks.mdio_s, tracks.smdi)
        assert np.isnan(np.array(columns)).all()


def test_one_nine_less_is_a_figure() -> None:
    common = "FF 60000 001000  780 442  100 +9999999998 -99999 -9999999999 +99998 9998 998 9998 -999 9998 +998"
    tracks = read(track(" 12", common=common)).tracks
    assert (tracks.refsv_s[0], tracks.srsv[0], tracks.refsys_s[0]) == (0.9999999998, -99999e-13, -0.9999999999)
    assert (tracks.dsg_s[0], tracks.ioe[0], tracks.smdt[0]) == (9998e-10, 998, -999e-13)


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (GOOD[:-2] + f"{int(GOOD[-2:], 16) ^ 1:02X}", "CK", f"the characters of the line give {GOOD[-2:]}"),
        (GOOD.replace("442", "443"), "CK", "the line is rejected"),
        (GOOD[:-2] + "  ", "CK", "not a checksum"),
        (GOOD[:-2] + "ZZ", "CK", "not a checksum"),
        (GOOD[:60], "line", "10 fields, not 17 and a checksum"),
        (track(" x2"), "SAT", "not a satellite"),
        (track("  0"), "SAT", "not a satellite"),
        (track("212"), "SAT", "not a satellite"),
        (track("X12"), "SAT", "not a satellite"),
        (track(" 12", common=COMMON.replace("FF", "\x7f\x7f")), "CL", "not the characters"),
        (track(" 12", common=COMMON.replace("60000", "41316")), "MJD", "not from 41317 to 88069"),
        (track(" 12", common=COMMON.replace("001000", "240000")), "STTIME", "no hours, minutes and seconds"),
        (track(" 12", common=COMMON.replace("001000", "006000")), "STTIME", "no hours, minutes and seconds"),
        (track(" 12", common=COMMON.replace("001000", "000060")), "STTIME", "no hours, minutes and seconds"),
        (track(" 12", common=COMMON.replace("001000", "-01000")), "STTIME", "not a whole number"),
        (track(" 12", common=COMMON.replace("442", "901")), "ELV", "not from 0 to 900"),
        (track(" 12", common=COMMON.replace(" 100", "3601")), "AZTH", "not from 0 to 3600"),
        (track(" 12", common=COMMON.replace("  15 ", "  -5 ")), "DSG", "not from 0"),
        (track(" 12", common=COMMON.replace("-3762163", "-37621.3")), "REFSV", "not a whole number"),
        (track(" 12", common=COMMON.replace("+18", "+ 8")), "SMDT", "not a whole number"),
        (track(" 12", common=COMMON.replace("60000", "     ")), "MJD", "not a whole number"),
    ],
)  # fmt: skip
def test_a_bad_line_is_a_defect_and_the_others_survive(line: str, field: str, reason: str) -> None:
    found = read(GOOD, line, GOOD)
    assert found.tracks.line.tolist() == [20, 22]
    (defect,) = found.defects
    assert (defect.file, defect.line, defect.field, defect.lines) == ("file", 21, field, 1)
    assert reason in defect.reason


def test_lines_out_of_their_columns_are_read_word_by_word() -> None:
    tabs = signed("\t".join(f"12 {COMMON}".split()) + "\t")
    long = track(" 12", common=COMMON.replace("+18", "+1800"))
    found = read(GOOD, signed(" ".join(f"12 {COMMON}".split()) + " "), tabs, long, GOOD[:-2] + GOOD[-2:].lower())
    assert found.defects == []
    assert found.tracks.satellite == ("G12",) * 5
    assert found.tracks.refsv_s.tolist() == [-3762163e-10] * 5
    assert found.tracks.smdt[3] == 1800e-13


def test_a_checksum_of_one_digit_and_line_ends_of_two_characters() -> None:
    small = track(" 12", common=COMMON.replace("  -3762163", "-993762163"))
    assert small.endswith(" 02")
    short = small[:-2] + "2"
    assert read(GOOD, short).tracks.line.tolist() == [20, 21]
    data = a_file("01", GOOD, short).replace(b"\n", b"\r\n")
    found = read_cggtts(data, "file", LEAPS)
    assert (len(found.tracks), found.defects, found.header.line_end) == (2, [], "\r\n")
    assert found.header.checksum_ok


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text, None),
        (lambda text: text.removesuffix(" "), "the blank before it is not counted"),
        (lambda text: text.replace("CKSUM", "\n" * 15 + "CKSUM"), "line ends are counted"),
        (lambda text: text + "!", "give"),
    ],
)
def test_a_wrong_checksum_of_the_header_is_told_and_the_header_is_used(change, why: str | None) -> None:
    data = a_file("01", GOOD).decode()
    value = sum(change(data.split("CKSUM = ")[0].replace("\n", "") + "CKSUM = ").encode()) % 256
    start = data.index("CKSUM = ") + 8
    found = read_cggtts((data[:start] + f"{value:02x}" + data[start + 2 :]).encode(), "file", LEAPS)
    assert (len(found.tracks), found.header.lab, found.header.checksum_ok) == (1, "TB", why is None)
    told = [(defect.line, defect.field, defect.lines) for defect in found.defects]
    assert told == [(16, "CKSUM", 0)] * (why is not None)  # no line is left out for it
    assert all(why in defect.reason and "used all the same" in defect.reason for defect in found.defects)


def test_a_header_without_checksum_is_told() -> None:
    data = a_file("01", GOOD).decode()
    start = data.index("CKSUM")
    found = read_cggtts((data[:start] + data[start + 11 :]).encode(), "file", LEAPS)
    assert [defect.reason for defect in found.defects] == ["the header has no checksum; it is used"]
    assert not found.header.checksum_ok


def test_headers_as_receivers_write_them() -> None:
    data = a_file("2E", track("G12", " 0  0 L1C")).decode()
    delays = data[data.index("INT DLY") : data.index("CAB DLY")]
    for text, kind, codes, cal_id in (
        ("INT DLY = 0.5 ns GPS C1     CAL_ID = none", "INT", (CodeDelay("GPS C1", 0.5e-9),), "none"),
        ("SYS DLY = 000.0 ns (GPS C1)     CAL_ID = NA", "SYS", (CodeDelay("GPS C1", 0.0),), "NA"),
        ("TOT DLY = -12.5 ns (GLO C1)", "TOT", (CodeDelay("GLO C1", -12.5e-9),), ""),
        ("INT DLY = -1.0 ns (GPS P1) -2.5 ns (GPS P2) CAL_ID = ", "INT",
         (CodeDelay("GPS P1", -1e-9), CodeDelay("GPS P2", -2.5e-9)), ""),
    ):  # fmt: skip
        head = read_cggtts(data.replace(delays, text + "\n").encode(), "file", LEAPS).header
        assert (head.delays.kind, head.delays.codes, head.delays.cal_id) == (kind, codes, cal_id)
    for text, x in (("X =  +452633.241 m", 452633.241), ("X = - 5.0 m (GPS)", -5.0), ("X = 7", 7.0)):
        assert read_cggtts(data.replace("X = +4000000.125 m", text).encode(), "f", LEAPS).header.position_m[0] == x


def test_figures_of_the_header_that_are_none_are_told() -> None:
    data = a_file("01", GOOD).replace(b"X = +4000000.125 m", b"X = 1.2.3 m").replace(b"155.2 ns", b"155.2 m")
    data = data.replace(b"46.5 ns", b"unknown").replace(b"FRAME", b"FRAMES")
    found = read_cggtts(data, "file", LEAPS)
    assert [defect.field for defect in found.defects] == ["X", "header", "INT DLY", "CAB DLY", "CKSUM"]
    assert (found.header.delays.codes, found.header.unread) == ((), ("FRAMES = ITRF",))
    assert isnan(found.header.position_m[0])
    assert isnan(found.header.delays.cable_s)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the first line"),
        (b" RAW CLOCK RESULTS\n", "the first line"),
        (header("01", first="GGTTS GPS DATA FORMAT VERSION = 03").encode(), "none of 1, 01, 2, 02, 2E"),
        (header("01").partition("PRN")[0].encode(), "no heading of the columns"),
        (header("01").replace("DSG", "RMS").encode(), "columns that no version"),
        (header("01").encode(), "a header without a track"),
        (a_file("01", GOOD.replace("FF", "FE")), "the line is rejected"),
    ],
)
def test_files_that_are_no_use(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read_cggtts(data, "file", LEAPS)


def test_utc_needs_a_table() -> None:
    with pytest.raises(FormatError, match="leap second table"):
        read_cggtts(a_file("01", GOOD), "file")


def test_is_cggtts() -> None:
    assert all(is_cggtts(first.encode()) for first in FIRST.values())
    assert is_cggtts(b"\xef\xbb\xbfCGGTTS GENERIC DATA FORMAT VERSION = 2E")
    assert not any(is_cggtts(head) for head in (b"", b" RAW CLOCK RESULTS\n", b"CGGTTS\n", b"# CGGTTS VERSION = 2E"))


def test_gzip_and_a_byte_order_mark() -> None:
    data = a_file("01", GOOD)
    assert len(read_cggtts(gzip.compress(data), "file", LEAPS).tracks) == 1
    assert read_cggtts(b"\xef\xbb\xbf" + data, "file", LEAPS).header.checksum_ok


def test_of_files_joined_end_to_end_the_first_is_read() -> None:
    whole = a_file("01", GOOD, GOOD)
    found = read_cggtts(whole + a_file("2E", track("E03", " 0  0  E1")), "file", LEAPS)
    assert len(found.tracks) == 2
    assert [(each.line, each.reason) for each in found.defects] == [
        (22, "another file begins here; nothing below is read")
    ]


def test_pieces_of_a_long_file_are_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [track(f"{number:3d}") for number in range(1, 11)]
    lines[7] = lines[7].replace("FF", "FE")
    data = a_file("01", *lines, "", "x" * 900)
    whole = read_cggtts(data, "file", LEAPS)
    assert [defect.line for defect in whole.defects] == [27, 31]
    for size in (1, 104, 500):
        monkeypatch.setattr(reading, "_CHUNK", size)
        assert repr(read_cggtts(data, "file", LEAPS)) == repr(whole)


def test_of_very_many_bad_lines_the_first_are_told_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_DEFECTS", 3)
    data = a_file("01", GOOD, *["bad"] * 8, GOOD)
    for size in (1 << 20, 200):
        monkeypatch.setattr(reading, "_CHUNK", size)
        found = read_cggtts(data, "file", LEAPS)
        assert len(found.tracks) == 2
        assert [(each.line, each.lines) for each in found.defects] == [(21, 1), (22, 1), (23, 1), (0, 5)]
        assert found.defects[-1].reason == "5 more bad lines"


def test_tracks_are_taken_by_mask_and_by_place() -> None:
    tracks = read(GOOD, track("  5"), track("  6")).tracks
    assert tracks.take(np.array([True, False, True])).satellite == ("G12", "G06")
    assert tracks.take(np.array([2, 0])).line.tolist() == [22, 20]
    assert len(tracks.take(np.zeros(3, dtype=bool))) == 0
