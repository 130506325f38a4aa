"""Two-way files, TFEX, the BIPM's files about clocks: what is written is what is read, and only FormatError escapes."""

from __future__ import annotations

import contextlib
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated

from timeball.formats import FormatError, recognise
from timeball.formats.bipm_clocks import BIPMClocks, read_bipm_clocks, write_bipm_clocks
from timeball.formats.bipm_tables import read_bipm_table
from timeball.formats.itu_tw import read_itu_tw
from timeball.formats.itu_tw.lines import FIELDS, Session, read_session, write_session
from timeball.formats.tfex import read_tfex
from timeball.formats.tfex.writer import write_tfex, write_tfex_readings
from timeball.instants import LeapTable, day_number
from timeball.readings import Readings

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
TWO_WAY = b"""* TWTBL61.140
* FORMAT    01
* LAB       TBL
* ES TBL01  LA: N 36 27 51.530       LO: W 006 12 22.333   HT: +0074.67 m
* CAL   618 TYPE: PORT ES REL        MJD: 60583 EST. UNCERT.:    0.800 ns
 TBL01  PTB05 23 61140 001600 119 +0.262383672844 0.512 119 118 +0.000000964858 0.050 618 1 16.9 0 0.3 2 4 5
 TBL01  TBL01 23 61140 235900 119 .265 0.333 999 999 999999999999999 99999 999 9 999999999 999999999 99999 +99 999 9999
"""
TFEX = b"""# TFEXVER = 0.3
# REFPOINTS = [ { id = 'A', ts = "UTC(OP)" }, { id = 'B', dev = "PT13" } ]
# COLUMNS = [
# { timetag = true, label = 'MJD', unit = 'si:day', format = '5d' },
# { timetag = true, label = 'SoD', unit = 'si:second', format = '8.3f' },
# { label = 'delta_t', trip = ['AB'], unit = 'si:nanosecond', format = '8.3f' } ]
60547  281.000   -1.421
60547  582.250        *
"""
CLOCKS = b"61009 10023 1350415    -1234.5 1401701       12.3\n61014 10023 1350415    -1236.0\n"
TABLE = b"RATES OF CLOCKS\nLAB.  CLOCK   59239  59269\nAUS   36 0654   0.000  *****\nTotal weight\n"
PIECES = st.one_of(
    st.binary(max_size=5),
    st.sampled_from([b"", b" ", b"\n", b"-", b".", b"9", b"999999999", b"nan", b"*", b"* ", b"# ", b"'", b'"""', b"{"]),
    st.sampled_from(
        [b"61140", b"99999", b"SAT: ", b"* LINK 3 ", b"ES ", b"trip", b"LAB. CLOCK 1", b"\0", b"\r", b"1e400"]
    ),
)


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=200), mutated([TWO_WAY, TFEX, CLOCKS, TABLE], PIECES)))
def test_only_format_errors_escape(data: bytes) -> None:
    readers = (
        recognise,
        lambda each: read_itu_tw(each, "any", LEAPS),
        lambda each: read_tfex(each, "any", LEAPS).readings(),
        lambda each: read_bipm_clocks(each, "any").readings(LEAPS),
        lambda each: read_bipm_table(each, "any"),
    )
    for read in readers:
        with contextlib.suppress(FormatError):
            read(data)


def figure(key: str) -> st.SearchStrategy[float]:
    """What a column can hold, on its own grid; NaN where it may be missing."""
    field = FIELDS[key]
    decimals, exponent = field.decimals or 0, field.exponent
    largest = min(10 ** (field.width - 2) - 1, int(field.high * 10**decimals), 9 * 10**11)
    least = 1 if key == "nominal_s" else (-largest // 10 if field.low < 0 else 0)
    on_grid = st.integers(least, largest).map(lambda units: float(f"{units}e{exponent - decimals}"))
    return on_grid if key in ("nominal_s", "tw_s") else st.one_of(on_grid, st.just(math.nan))


SESSIONS = st.builds(
    Session,
    st.sampled_from(["TBL01", "PTB05", "X"]),
    st.sampled_from(["TBL01", "USNO01"]),
    st.sampled_from(["01", "23"]),
    st.integers(50_000, 70_000),
    st.integers(0, 86_399),
    st.sampled_from(["999", "618", "001"]),
    st.integers(-1, 8),
    st.fixed_dictionaries({key: figure(key) for key in FIELDS}),
)


@settings(max_examples=60)
@given(SESSIONS)
def test_a_session_reads_back_as_it_was_written(session: Session) -> None:
    again = read_session(write_session(session))
    pairs = [(session.figures[key], again.figures[key]) for key in FIELDS]
    assert all(old == new or (math.isnan(old) and math.isnan(new)) for old, new in pairs)
    assert all(getattr(again, each) == getattr(session, each) for each in ("local", "remote", "link", "mjd", "start_s"))
    assert (again.calibration, again.switch) == (session.calibration, session.switch)


EPOCHS = st.integers(63_072_036, 4 * 10**9).map(lambda second: second * 10**9)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(EPOCHS, st.integers(0, 2), st.integers(-(10**12), 10**12)), min_size=1, max_size=12),
    st.sampled_from([0, 1, 999_999_999]),
)
def test_readings_come_back_from_tfex(rows: list[tuple[int, int, int]], ns: int) -> None:
    unique = {(epoch + ns, clock): femtoseconds for epoch, clock, femtoseconds in rows}
    keys = sorted(unique)
    x = [float(f"{unique[key]}e-15") for key in keys]
    clocks = ("HM1", "CS'2\\", "µ", "UTC(TBL)")
    readings = Readings.from_columns(clocks, [key[0] for key in keys], [key[1] for key in keys], [3] * len(x), x)
    for leaps in (None, LEAPS):
        data = write_tfex_readings(readings, leaps)
        tfex = read_tfex(data, "w", leaps)
        back = tfex.readings()
        found = {
            (int(epoch), back.clocks[a], back.clocks[b]): value
            for epoch, a, b, value in zip(back.epoch.tolist(), back.a, back.b, back.x.tolist(), strict=True)
        }
        assert found == {(key[0], clocks[key[1]], "UTC(TBL)"): value for key, value in zip(keys, x, strict=True)}
        assert write_tfex(tfex, leaps) == data


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.tuples(st.integers(50_000, 70_000), st.integers(1_000_000, 9_999_999).map(str)),
        st.integers(1 - 10**8, 10**8 - 1).map(lambda tenths: float(f"{tenths}e-10")),
        min_size=1,
        max_size=15,
    )
)
def test_a_report_of_clocks_reads_back_as_it_was_written(values: dict[tuple[int, str], float]) -> None:
    clocks = BIPMClocks("10023", values, ())
    again = read_bipm_clocks(write_bipm_clocks(clocks), "w")
    assert (again.values_s, again.lab, again.defects) == (values, "10023", ())
    assert np.array_equal(again.readings(LEAPS).x, [-values[key] for key in sorted(values)])
