"""Whatever the bytes are, only FormatError escapes, and both decoders agree; whatever is written reads back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tracks import COMMON, LEAPS, a_file, assert_same, signed, track

from timeball.formats import Defect, FormatError
from timeball.formats.cggtts import Cggtts, CodeDelay, Delays, Header, Tracks, read_cggtts
from timeball.formats.cggtts.layout import FIGURES, Column
from timeball.formats.cggtts.writer import write_cggtts
from timeball.instants import DAY_NS, MJD_OF_1970, NS_PER_SECOND, tai_ns_from_utc_ns

OLD = a_file("01", track(" 12"), track("  8"), track(" 31", common=COMMON.replace("+18", " 18")))
NEW = a_file("2E", track("E03", "  79  -54  22  0  0 E5a"), track("R09", "9999 +999 999 -7  1 L1C"), ionosphere=True)
BODIES = [line for data in (OLD, NEW) for line in data.decode("latin-1").splitlines()[19:]]
PIECES = st.sampled_from(["", " ", "  ", "-", "+", "0", "9", "99", "9999", "A", "\t", "\0", "\xe9", ".", "E 5", "\r"])


@st.composite
def changed_lines(draw: st.DrawFn) -> str:
    """A data line with some characters changed, mostly with the checksum that it then has."""
    line = draw(st.sampled_from(BODIES))[:-2]
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(line)))
        stop = min(len(line), start + draw(st.integers(0, 4)))
        line = line[:start] + draw(PIECES) + line[stop:]
    return signed(line) + draw(st.sampled_from(["", " ", " 5", "x"])) if draw(st.booleans()) else line + "00"


def outcome(data: bytes, arrays: bool = True) -> Cggtts | str:
    try:
        return read_cggtts(data, "any", LEAPS, arrays=arrays)
    except FormatError as error:
        return str(error)


@settings(max_examples=60)
@given(st.lists(changed_lines(), min_size=1, max_size=6), st.sampled_from(["01", "02", "2E"]), st.booleans())
def test_arrays_and_lines_agree(lines: list[str], version: str, ionosphere: bool) -> None:
    data = a_file(version, *lines, ionosphere=ionosphere)
    fast, slow = outcome(data), outcome(data, arrays=False)
    if isinstance(fast, str) or isinstance(slow, str):
        assert fast == slow
        return
    assert_same(fast.tracks, slow.tracks)
    assert fast.defects == slow.defects


@settings(max_examples=60)
@given(st.sampled_from([OLD, NEW]), st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=8))
def test_only_format_errors_escape(data: bytes, start: int, length: int, piece: bytes) -> None:
    found = outcome(data[:start] + piece + data[start + length :])
    assert isinstance(found, str) or len(found.tracks)


@settings(max_examples=40)
@given(changed_lines().filter(lambda line: "GGTTS" not in line), st.integers(0, 2))
def test_good_lines_survive_any_line_among_them(line: str, place: int) -> None:
    lines = [track(" 12"), track("  8")]
    found = outcome(a_file("01", *lines[:place], line, *lines[place:]))
    assert not isinstance(found, str)
    good = [number + 20 + (number >= place) for number in range(2)]
    assert set(good) <= set(found.tracks.line.tolist())
    told: list[Defect] = found.defects
    assert {defect.line for defect in told} <= {place + 20}


@settings(max_examples=40)
@given(st.integers(0, 300), st.integers(0, 255))
def test_one_changed_character_of_a_line_is_never_taken_for_a_track(place: int, value: int) -> None:
    line = bytearray(track(" 12").encode())
    place %= len(line) - 2
    if line[place] == value:
        return
    line[place] = value
    found = outcome(a_file("01", track("  8"), line.decode("latin-1")))
    assert not isinstance(found, str)
    assert found.tracks.satellite == ("G08",)


def figures(column: Column) -> st.SearchStrategy[float | None]:
    """Figures that a column can hold, in units of the file, up to its limits; None: not known."""
    nines = 10 ** (column.width - column.signed) - 1  # a filler where the column is optional
    low = max(column.low, -nines if column.signed else -(10 ** (column.width - 1)) + 1 if column.may_have_sign else 0)
    whole = st.integers(low, min(column.high, nines - column.optional))
    return whole | st.none() if column.optional else whole


@st.composite
def files(draw: st.DrawFn) -> Cggtts:
    """Headers and tracks of any version, with every figure at its own limits."""
    version = draw(st.sampled_from(["01", "2", "02", "2E"]))
    count = draw(st.integers(1, 4))
    measured, codes = draw(st.booleans()), version != "01"
    columns: dict[str, object] = {}
    for column in (each for each in FIGURES if each.name not in ("MJD", "STTIME")):
        absent = (column.name in ("MSIO", "SMSI", "ISG") and not measured) or (
            column.name in ("FR", "HC") and not codes
        )
        column_values = [None if absent else draw(figures(column)) for _ in range(count)]
        if column.per_unit:
            columns[column.attribute] = np.array(
                [np.nan if value is None else value / column.per_unit for value in column_values]
            )
        else:
            unknown = -1 if column.name == "IOE" else 0
            columns[column.attribute] = np.array([unknown if value is None else value for value in column_values])
    columns["mjd"] = np.array(draw(st.lists(st.integers(41_317, 88_069), min_size=count, max_size=count)))
    columns["start_s"] = np.array(draw(st.lists(st.integers(0, 86_399), min_size=count, max_size=count)))
    count_ns = (columns["mjd"] - MJD_OF_1970) * DAY_NS + columns["start_s"] * NS_PER_SECOND
    letters = {"01": "G", "2": "GR", "02": "GR", "2E": "GRECJIS"}[version]
    satellites = [f"{draw(st.sampled_from(letters))}{draw(st.integers(1, 99)):02d}" for _ in range(count)]
    codes_of = [draw(st.sampled_from(["L1C", "E1", "L3P", "", "B1i"])) if codes else "" for _ in range(count)]
    tracks = Tracks(
        line=np.arange(count),
        satellite=tuple(satellites),
        cl=tuple(draw(st.sampled_from(["FF", "99", "0A"])) for _ in range(count)),
        epoch=tai_ns_from_utc_ns(count_ns, LEAPS),
        frc=tuple(codes_of),
        **columns,
    )
    return Cggtts(draw(headers(version, measured)), tracks)


TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
DELAYS = st.integers(-999_999, 999_999).map(lambda ps: float(f"{ps}e-12"))


@st.composite
def headers(draw: st.DrawFn, version: str, measured: bool) -> Header:
    names = st.sampled_from(["GPS P1", "GAL E5a", ""])
    codes = tuple(CodeDelay(draw(names), draw(DELAYS)) for _ in range(draw(st.integers(1, 3))))
    delays = Delays(draw(st.sampled_from(["INT", "SYS", "TOT"])), codes, draw(DELAYS), draw(DELAYS))
    millimetres = [draw(st.integers(-(10**10), 10**10)) for _ in range(3)]
    return Header(
        version,
        draw(TEXTS),
        draw(TEXTS),
        draw(st.integers(0, 9999)),
        lab=draw(TEXTS),
        position_m=tuple(value / 1000 for value in millimetres),
        comments=tuple(draw(st.lists(TEXTS, max_size=2))),
        delays=replace(delays, cal_id=draw(TEXTS) if version == "2E" else ""),
        ref=draw(TEXTS),
        ionosphere=measured,
        line_end=draw(st.sampled_from(["\n", "\r\n"])),
    )


@settings(max_examples=25)
@given(files())
def test_what_is_written_reads_back(made: Cggtts) -> None:
    written = write_cggtts(made)
    again = read_cggtts(written, "written", LEAPS)
    assert again.defects == []
    assert again.header == made.header
    assert_same(replace(again.tracks, line=made.tracks.line), made.tracks)
    assert write_cggtts(again) == written
