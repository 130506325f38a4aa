"""Fuzz target: any bytes as a laboratory's clock file, and as a table of weights, rates or drifts."""

from __future__ import annotations

from collections.abc import Iterable

from timeball.formats import FormatError, WriteError
from timeball.formats.bipm_clocks import is_bipm_clocks, read_bipm_clocks, write_bipm_clocks
from timeball.formats.bipm_tables import is_bipm_table, read_bipm_table

CLOCKS = b"""# UTC(TBL) - clock, ns
61009 10023 1350415    -1234.5 1401701       12.3
61014 10023 1350415    -1236.0 1401701       12.9
"""
TABLE = b"""RELATIVE WEIGHTS (IN PERCENT) OF CLOCKS
(***** DENOTES THAT THE CLOCK WAS NOT USED)
LAB.  CLOCK       59239    59269
AUS   36 0654     0.000    *****
PTB   40-0590     1.007    1.010
Total weight      1.007    1.010
"""


def seeds() -> Iterable[bytes]:
    """Give one of each."""
    return (CLOCKS, TABLE)


def target(data: bytes) -> None:
    """Read the bytes as either; what is read as a report can be written, to 0.1 ns, and read again."""
    is_bipm_clocks(data)
    is_bipm_table(data)
    try:
        table = read_bipm_table(data, "fuzz")
    except FormatError:
        pass
    else:
        assert all(row.values.shape == (len(table.mjd),) for row in table.rows)
    try:
        clocks = read_bipm_clocks(data, "fuzz")
        written = write_bipm_clocks(clocks)
    except (FormatError, WriteError):
        return
    again = read_bipm_clocks(written, "again")
    assert again.values_s.keys() == clocks.values_s.keys()
    assert write_bipm_clocks(again) == written
