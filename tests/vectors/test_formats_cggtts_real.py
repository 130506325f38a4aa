"""Every real CGGTTS file at hand: each line checked another way, each figure found, each file written again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tracks import assert_same

from timeball.formats import parse_leap_table
from timeball.formats.cggtts import Cggtts, CodeDelay, read_cggtts
from timeball.formats.cggtts.convert import convert_cggtts
from timeball.formats.cggtts.schedule import is_scheduled, schedule
from timeball.formats.cggtts.writer import write_cggtts

# tracks, version, MJD, codes, what is wrong with the header's checksum, which lines are not written as they stood
FILES = {
    "openttp-validation/javad.57490.cctf": (746, "01", 57490, "", "", "none"),
    "openttp-validation/javad.57491.cctf": (758, "01", 57491, "", "", "none"),
    "openttp-validation/trimble.57490.cctf": (718, "01", 57490, "", "", "none"),
    "openttp-validation/trimble.57491.cctf": (731, "01", 57491, "", "", "none"),
    "groundstate-time-transfer-tools/GMRX0257.607": (753, "01", 57607, "", "", "none"),
    "nav-solutions-data/CGGTTS/EZGTR60.258": (2236, "2E", 60258, "E1 E5 E5a E5b", "", "header"),
    "nav-solutions-data/CGGTTS/GZGTR560.258": (2097, "2E", 60258, "L1C L1P L1X L2C L2P L5C", "", "header"),
    "groundstate-time-transfer-tools/GMRX0157.607": (768, "2E", 57607, "L1C", "", "all"),
    "pycggtts-ugr/data/dual/EZUG0060.600": (634, "2E", 60600, "L3E", "the blank before it is not counted", "all"),
    "pycggtts-ugr/data/dual/GZUG0060.600": (672, "2E", 60600, "L3P", "the blank before it is not counted", "all"),
    "pycggtts-ugr/data/single/GZSY8259.568": (32, "2E", 59568, "L1C", "line ends are counted", "all"),
}
UNITS = {"REFSV": 1e10, "REFSYS": 1e10, "REFGPS": 1e10, "SRSV": 1e13, "SRSYS": 1e13, "SRGPS": 1e13, "DSG": 1e10}
UNITS |= {"MDTR": 1e10, "SMDT": 1e13, "MDIO": 1e10, "SMDI": 1e13, "MSIO": 1e10, "SMSI": 1e13, "ISG": 1e10}
UNITS |= {"ELV": 10, "AZTH": 10, "TRKL": 1, "MJD": 1, "HC": 1, "FR": 1}
COLUMNS = {"REFSV": "refsv_s", "REFSYS": "refsys_s", "REFGPS": "refsys_s", "SRSV": "srsv", "SRSYS": "srsys"}
COLUMNS |= {"SRGPS": "srsys", "DSG": "dsg_s", "MDTR": "mdtr_s", "SMDT": "smdt", "MDIO": "mdio_s", "SMDI": "smdi"}
COLUMNS |= {"MSIO": "msio_s", "SMSI": "smsi", "ISG": "isg_s", "ELV": "elevation_deg", "AZTH": "azimuth_deg"}
COLUMNS |= {"TRKL": "track_s", "MJD": "mjd", "HC": "hc", "FR": "fr"}


@pytest.fixture
def read(shared):
    leaps = parse_leap_table(shared("leap-seconds/leap-seconds.list").read_bytes(), "leap-seconds.list")
    return lambda file, **options: read_cggtts(shared(file).read_bytes(), file, leaps, **options)


@pytest.fixture
def lines(shared):
    """Give the names of the columns and the data lines of a file, split at blanks, without our code."""

    def split(file: str) -> tuple[list[str], list[str]]:
        texts = shared(file).read_text("latin-1").splitlines()
        return texts[17].split(), [line for line in texts[19:] if line.strip()]

    return split


@pytest.mark.data
@pytest.mark.parametrize("file", FILES)
def test_every_line_is_a_track(read, lines, file: str) -> None:
    found = read(file)
    count, version, mjd, codes, wrong, _ = FILES[file]
    names, texts = lines(file)
    assert len(found.tracks) == len(texts) == count
    assert found.header.version == version
    assert set(found.tracks.mjd.tolist()) == {mjd}
    assert " ".join(sorted(set(found.tracks.frc))) == codes
    assert [defect.field for defect in found.defects] == ["CKSUM"] * bool(wrong)
    assert found.header.checksum_ok == (not wrong)
    assert all(wrong in defect.reason for defect in found.defects)
    for line in texts:
        before, given = line[: -len(line.split()[-1])], line.split()[-1]
        assert sum(map(ord, before)) % 256 == int(given, 16)
    assert names[-1] == "CK"


@pytest.mark.data
@pytest.mark.parametrize("file", FILES)
def test_every_figure_is_that_of_the_text(read, lines, file: str) -> None:
    tracks, (names, texts) = read(file).tracks, lines(file)
    assert tracks.line.tolist() == list(range(20, 20 + len(texts)))
    columns = dict(zip(names, zip(*(line.split() for line in texts), strict=True), strict=True))
    for name, unit in UNITS.items():
        if name not in columns:
            continue
        expected = np.array([float(text) for text in columns[name]]) / unit
        values = getattr(tracks, COLUMNS[name])
        known = ~np.isnan(values)
        np.testing.assert_array_equal(values[known], expected[known], name)
        assert {columns[name][place].lstrip("+") for place in np.flatnonzero(~known).tolist()} <= {
            "999", "9999", "99999", "9999999999"
        }  # fmt: skip
    satellites = columns["SAT"] if "SAT" in columns else [f"G{int(text):02d}" for text in columns["PRN"]]
    assert tracks.satellite == tuple(satellites)
    seconds = [3600 * int(text[:2]) + 60 * int(text[2:4]) + int(text[4:]) for text in columns["STTIME"]]
    assert tracks.start_s.tolist() == seconds
    issues = [-1 if text == "999" else int(text) for text in columns["IOE"]]
    assert tracks.ioe.tolist() == issues


@pytest.mark.data
def test_what_is_not_known_is_counted(read) -> None:
    javad, single = (
        read("openttp-validation/javad.57490.cctf").tracks,
        read("pycggtts-ugr/data/single/GZSY8259.568").tracks,
    )
    unmeasured = np.isnan(javad.msio_s)
    assert (np.isnan(javad.smsi) == unmeasured).all()
    assert (np.isnan(javad.isg_s) == unmeasured).all()
    assert 0 < unmeasured.sum() < 40
    assert np.isnan(single.refsv_s).all()
    assert (single.ioe == -1).all()
    assert single.refsys_s[0] == 1536e-10
    assert single.elevation_deg[0] == 9.9


@pytest.mark.data
@pytest.mark.parametrize("file", ["openttp-validation/javad.57490.cctf", "pycggtts-ugr/data/dual/EZUG0060.600"])
def test_both_decoders_agree(read, file: str) -> None:
    fast, slow = read(file), read(file, arrays=False)
    assert_same(fast.tracks, slow.tracks)
    assert fast.header == slow.header


@pytest.mark.data
@pytest.mark.parametrize("file", FILES)
def test_what_is_written_is_the_file_or_says_the_same(shared, read, file: str) -> None:
    """To the byte where a file has the form of the format's examples: signs on phases and slopes, three digits of IOE.

    The GTR51 writes positions to the centimetre, pads its delays and leaves out the last line end: its tracks are the
    same to the byte. Javad by mktimetx 2E, PolaRx and SYREF write no plus signs or other padding: field for field.
    """
    found = read(file)
    written = write_cggtts(found)
    data = shared(file).read_bytes()
    changed = FILES[file][5]
    assert (written == data) == (changed == "none")
    same_lines = written.splitlines()[19:] == data.splitlines()[19:]
    assert same_lines == (changed != "all")
    leaps = parse_leap_table(shared("leap-seconds/leap-seconds.list").read_bytes(), "leap-seconds.list")
    again = read_cggtts(written, "written", leaps)
    assert again.defects == []
    assert again.header == replace(found.header, checksum_ok=True)
    assert_same(again.tracks, found.tracks)


@pytest.mark.data
@pytest.mark.parametrize("file", FILES)
def test_every_track_begins_with_the_schedule(read, file: str) -> None:
    tracks = read(file).tracks
    assert is_scheduled(tracks.mjd, tracks.start_s).all()
    starts, seen = schedule(int(tracks.mjd[0])), set(tracks.start_s.tolist())
    missing = sorted(set(starts.tolist()) - seen)
    if "single" not in file:  # one third of a day
        assert [second for second in missing if second + 780 <= 86400] == []
        assert len(missing) <= 1  # a track that runs past midnight, which some receivers leave out


@pytest.mark.data
def test_headers(read) -> None:
    gtr = read("nav-solutions-data/CGGTTS/GZGTR560.258").header
    assert gtr.delays.codes[1:4] == (
        CodeDelay("GPS P1", 32.9e-9),
        CodeDelay("GPS C2", 0.0),
        CodeDelay("GPS P2", 25.8e-9),
    )
    assert (gtr.delays.cal_id, gtr.delays.cable_s, gtr.ref, gtr.line_end) == ("1015-2021", 155.2e-9, "REF_IN", "\r\n")
    assert gtr.position_m == (3970727.8, 1018888.02, 4870276.84)
    javad = read("groundstate-time-transfer-tools/GMRX0157.607").header
    assert (javad.delays.codes, javad.delays.cal_id) == ((CodeDelay("GPS C1", 0.0),), "none")
    assert (javad.lab, javad.ref, javad.ionosphere) == ("TRVL", "UTC(AUS)", False)
    single = read("pycggtts-ugr/data/single/GZSY8259.568").header
    assert (single.delays.kind, single.position_m[1]) == ("SYS", 452633.241)
    polarx = read("pycggtts-ugr/data/dual/EZUG0060.600").header
    assert (polarx.ref, polarx.delays.cal_id, polarx.channels) == ("", "", 80)


@pytest.mark.data
def test_one_wrong_character_costs_one_track(shared, read) -> None:
    file = "nav-solutions-data/CGGTTS/EZGTR60.258"
    whole, data = read(file), bytearray(shared(file).read_bytes())
    at = data.index(b"+195724")
    data[at + 3] += 1
    leaps = parse_leap_table(shared("leap-seconds/leap-seconds.list").read_bytes(), "leap-seconds.list")
    found = read_cggtts(bytes(data), file, leaps)
    assert [(defect.line, defect.field) for defect in found.defects] == [(24, "CK")]
    assert_same(found.tracks, whole.tracks.take(whole.tracks.line != 24))


@pytest.mark.data
def test_a_file_cut_short_gives_what_came_before(shared, read) -> None:
    file = "openttp-validation/javad.57490.cctf"
    whole, data = read(file), shared(file).read_bytes()
    leaps = parse_leap_table(shared("leap-seconds/leap-seconds.list").read_bytes(), "leap-seconds.list")
    found = read_cggtts(data[:50_000], file, leaps)
    count = len(found.tracks)
    assert_same(found.tracks, whole.tracks.take(np.arange(count)))
    assert [defect.line for defect in found.defects] == [20 + count]


@pytest.mark.data
@pytest.mark.parametrize("file", [file for file, facts in FILES.items() if facts[1] == "01"])
def test_version_1_becomes_2e_and_comes_back(shared, read, file: str) -> None:
    found: Cggtts = read(file)
    leaps = parse_leap_table(shared("leap-seconds/leap-seconds.list").read_bytes(), "leap-seconds.list")
    new = read_cggtts(write_cggtts(convert_cggtts(found, "2E", "L1C")), "2E", leaps)
    assert new.header.delays.codes[0].code == "GPS C1"
    assert_same(replace(new.tracks, frc=found.tracks.frc), found.tracks)
    assert_same(convert_cggtts(new, "01").tracks, found.tracks)
