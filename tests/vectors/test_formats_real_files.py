"""Real files: both decoders agree to the bit, known values are found, and what is written back is the same."""

import numpy as np
import pytest

from timeball.formats import (
    ColumnOptions,
    parse,
    parse_columns,
    parse_rinex_clock,
    recognise,
    write_columns,
    write_rinex_clock,
)
from timeball.instants import day_number
from timeball.readings import phase_table

CLOCK_FILES = {  # readings, clocks with the reference, what they are against, epochs
    "rtklib-clk/esa15253.clk.gz": (45_147, 159, "GPST(ESOC)", 288),
    "rtklib-clk/igs15904.clk": (2_416, 207, "GPST(IGS)", 12),
    "nav-solutions-data/CLK/V2/COD20352.CLK": (740, 362, "GPST(COD)", 10),
    "nav-solutions-data/CLK/V2/COD21925.CLK_05S": (287, 288, "GPST(COD)", 1),
    "nav-solutions-data/CLK/V3/USNO1.txt": (2, 3, "GPST(USN)", 1),
}
COLUMN_FILES = {  # readings, tags
    "allantools-tests/tests/Cs5071A/5071A_phase.txt.gz": (556_990, "none"),
    "allantools-tests/tests/gps/gps_1pps_phase_data.txt.gz": (241_218, "none"),
    "allantools-tests/tests/gradev/y_gap.dat": (800, "none"),
    "allantools-tests/tests/phasedat/PHASE.DAT": (1_001, "none"),
    "groundstate-utck-tools/utcraus.txt": (2_716, "mjd"),
}


@pytest.mark.data
@pytest.mark.parametrize("file", CLOCK_FILES)
def test_rinex_clock_files(shared, file: str) -> None:
    data = shared(file).read_bytes()
    assert recognise(data) == "rinex-clock"
    parsed = parse(data, file)
    readings, clocks, against, epochs = CLOCK_FILES[file]
    assert parsed.defects == []
    assert (len(parsed.readings), len(parsed.readings.clocks), parsed.header["against"]) == (readings, clocks, against)
    assert len(np.unique(parsed.readings.epoch)) == epochs
    by_line = parse_rinex_clock(data, file, arrays=False)
    assert by_line.readings.equals(parsed.readings)
    assert parse(write_rinex_clock(parsed.readings), "written").readings.equals(parsed.readings)


@pytest.mark.data
def test_a_day_of_30_second_clocks_whose_reference_has_no_records(shared) -> None:
    path = shared("nav-solutions-data/CLK/V3/GRG0MGXFIN_20201770000_01D_30S_CLK.CLK.gz")
    parsed = parse(path.read_bytes(), path.name, clocks=["E01", "G01"])
    assert parsed.readings.clocks == ("E01", "G01", "BRUX")
    assert len(parsed.readings) == 2 * 2880
    assert (parsed.readings.x[0], parsed.readings.u[0]) == (-0.884707516318e-03, 0.337986288247e-10)
    assert parsed.readings.epoch[0] == (day_number(2020, 6, 25) * 86_400 + 19) * 10**9


@pytest.mark.data
@pytest.mark.parametrize("arrays", [True, False])
def test_the_reference_of_the_esa_file_is_a_clock_like_any_other(shared, arrays: bool) -> None:
    data = shared("rtklib-clk/esa15253.clk.gz").read_bytes()
    chosen = parse_rinex_clock(data, "esa", clocks=["AMC2", "YELL", "WTZR"], arrays=arrays)
    table = phase_table(chosen.readings, "AMC2")
    assert sorted(table.clocks) == ["AMC2", "WTZR", "YELL"]
    yell = chosen.readings.x[chosen.readings.a == chosen.readings.clocks.index("YELL")]
    assert np.abs(np.diff(yell, 2)).max() < 1.1e-12  # a straight line, printed to the picosecond
    whole = phase_table(parse(data, "esa").readings, "AMC2", clocks=table.clocks)
    np.testing.assert_array_equal(whole.x, table.x)


@pytest.mark.data
def test_values_of_the_igs_file_stand_as_printed(shared) -> None:
    readings = parse(shared("rtklib-clk/igs15904.clk").read_bytes(), "igs").readings
    row = np.flatnonzero(readings.a == readings.clocks.index("AMC2"))[0]
    assert (readings.x[row], readings.u[row]) == (3.184207917265e-09, 2.218384281390e-11)
    assert readings.epoch[row] == (day_number(2010, 7, 1) * 86_400 + 19) * 10**9


@pytest.mark.data
@pytest.mark.parametrize("file", COLUMN_FILES)
def test_files_of_plain_columns(shared, file: str) -> None:
    data = shared(file).read_bytes()
    parsed = parse(data, file)
    readings, time = COLUMN_FILES[file]
    assert (len(parsed.readings), parsed.header["time"]) == (readings, time)
    assert parsed.kind == ("stable32" if "PHASE.DAT" in file else "columns")
    assert parsed.defects == []
    if len(data) < 100_000:
        assert parse_columns(data, file, arrays=False).readings.equals(parsed.readings)
        assert parse(write_columns(parsed.readings), "written").readings.equals(parsed.readings)


@pytest.mark.data
def test_the_fast_and_the_slow_way_agree_on_a_long_record(shared) -> None:
    data = shared("allantools-tests/tests/gps/gps_1pps_phase_data.txt.gz").read_bytes()
    assert parse_columns(data, "gps", arrays=False).readings.equals(parse_columns(data, "gps").readings)


@pytest.mark.data
def test_frequencies_in_hertz(shared) -> None:
    data = shared("allantools-tests/tests/ocxo/ocxo_frequency.txt").read_bytes()
    parsed = parse(data, "ocxo", columns=ColumnOptions(kind="frequency", nominal_hz=1e7))
    frequencies = np.array([float(line) for line in data.decode().split("\n") if line and line[0] != "#"])
    expected = np.cumsum((frequencies - 1e7) / 1e7)
    np.testing.assert_allclose(parsed.readings.x[1:], expected, rtol=1e-12)
    assert parsed.readings.x[0] == 0.0


@pytest.mark.data
def test_cggtts_holds_no_readings_and_the_message_says_what_reads_it(shared) -> None:
    with pytest.raises(ValueError, match=r"file of satellite tracks holds no readings.*timeball transfer"):
        parse(shared("nav-solutions-data/CGGTTS/EZGTR60.258").read_bytes(), "EZGTR60.258")
