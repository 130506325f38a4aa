"""Real records and tables: what is written of them reads back the same."""

from __future__ import annotations

import pytest

from timeball.formats import (
    FormatError,
    Parsed,
    parse,
    read_stable32_tau,
    recognise,
    write_stable32,
    write_stable32_tau,
    write_tempo2_clock,
)
from timeball.station.hosttime.leaps import load_leap_table

TABLES = "allantools-tests/tests"
LEAPS = load_leap_table()


@pytest.mark.data
def test_every_table_that_stable32_printed_is_read_and_written_back_the_same(shared) -> None:
    found = 0
    for path in sorted(shared(TABLES).glob("*/*.txt")):
        data = path.read_bytes()
        if len(data) > 100_000 or recognise(data, path.name) != "stable32-tau":
            continue
        table = read_stable32_tau(data, path.name)
        figures = [line for line in data.decode().splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert (len(table.lines), table.defects) == (len(figures), ())
        written = write_stable32_tau(table)
        again = read_stable32_tau(written, "back")
        assert (again.sigma_type, again.points, again.confidence) == (table.sigma_type, table.points, table.confidence)
        assert repr(again.lines) == repr(table.lines)  # as text: NaN is NaN
        found += 1
    assert found >= 80


@pytest.mark.data
def test_known_lines_of_tables(shared) -> None:
    table = read_stable32_tau(shared(f"{TABLES}/phasedat/phase_dat_theo1.txt").read_bytes(), "theo1")
    first = table.lines[0]
    assert (table.sigma_type, first.factor, first.tau_s, first.count, first.value) == ("Thêo1", 10, 7.5, 4955, 0.08352)
    mtie = read_stable32_tau(shared(f"{TABLES}/phasedat/phase_dat_mtie.txt").read_bytes(), "mtie")
    assert (mtie.lines[0].alpha, mtie.lines[0].value) == (None, 0.50597)


@pytest.mark.data
def test_stable32s_own_record_goes_through_its_format(shared) -> None:
    parsed = parse(shared(f"{TABLES}/phasedat/PHASE.DAT").read_bytes(), "PHASE.DAT")
    assert (parsed.kind, len(parsed.readings), parsed.readings.x[0]) == ("stable32", 1_001, 0.0)
    assert parse(b"".join(write_stable32(parsed.readings)), "back").readings.equals(parsed.readings)


@pytest.mark.data
@pytest.mark.parametrize("file", ["ao2gps.clk", "tai2tt_bipm2023.clk"])
def test_corrections_of_tempo2_are_written_as_they_were(shared, file: str) -> None:
    parsed = parse(shared(f"ipta-pulsar-clock-corrections/{file}").read_bytes(), file, leaps=LEAPS)
    again = parse(b"".join(write_tempo2_clock(parsed.readings, LEAPS)), "back", leaps=LEAPS)
    assert (again.kind, again.defects) == ("tempo2", [])
    assert again.readings.equals(parsed.readings)


@pytest.mark.data
@pytest.mark.parametrize(
    "file",
    [
        "allantools-tests/tests/phasedat/PHASE.DAT",
        "bipm-circular-t/cirt.456.txt",
        "ipta-pulsar-clock-corrections/tai2tt_bipm2023.clk",
        "nav-solutions-data/CLK/V3/USNO1.txt",
        "nav-solutions-data/CGGTTS/EZGTR60.258",
        "rtklib-clk/igs15904.clk",
    ],
)
def test_a_real_file_cut_short_gives_what_is_there_or_one_clear_sentence(shared, file: str) -> None:
    data = shared(file).read_bytes()
    whole = _outcome(data, file)
    for part in (0.003, 0.31, 0.62, 0.93):
        cut = _outcome(data[: int(part * len(data))], file)
        if isinstance(cut, str) or isinstance(whole, str):
            assert isinstance(cut, str)
            assert 20 < len(cut) < 900
        else:
            assert 0 < len(cut.readings) <= len(whole.readings)
            last = len(cut.readings) - 1  # the line that is cut may give a shorter figure
            assert cut.readings.x[:last].tolist() == whole.readings.x[:last].tolist()


def _outcome(data: bytes, file: str) -> Parsed | str:
    try:
        return parse(data, file, leaps=LEAPS)
    except FormatError as error:
        return str(error)
