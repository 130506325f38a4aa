"""Fuzz target: any bytes as a TFEX file. Only FormatError may escape, and what is written reads back the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from timeball.formats import FormatError, WriteError
from timeball.formats.tfex import is_tfex, read_tfex
from timeball.formats.tfex.writer import write_tfex
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "fuzz")
HEADER = b"""# TFEXVER = 0.3
# NDATA = 2
# PREFIX = { si = 'https://units.example/' }
# REFPOINTS = [ { id = 'A', ts = "UTC(OP)", dev = 'OP3' }, { id = 'B', ts = "UTC(PTB)" } ]
# COLUMNS = [
# { timetag = true, label = 'MJD', scale = 'utc', unit = 'si:day', format = '5d' },
# { timetag = true, label = 'SoD', scale = 'utc', unit = 'si:second', format = '8.3f' },
# { label = 'delta_t', trip = ['AB'], unit = 'si:nanosecond', format = '8.3f' },
# { type = 'flag', format = '1s', possible_values = { O = 'outlier' } },
# ]
# CONSTANT_DELAYS = [ { trip = ['AB'], unit = 'si:ns', value = 102.7, type = 'TOTDLY' } ]
"""
ROWS = b"60547  281.000   -1.421 O\n60547  582.250        *  \n"


def seeds() -> Iterable[bytes]:
    """Give small files to start from."""
    return (HEADER + ROWS, ROWS)


def target(data: bytes) -> None:
    """Read the bytes as they are, and behind a header."""
    for text in (data, HEADER + data):
        is_tfex(text)
        try:
            tfex = read_tfex(text, "fuzz", LEAPS)
        except FormatError:
            continue
        assert len(tfex.epochs) > 0
        assert np.all(np.isfinite(tfex.readings().x))
        try:
            written = write_tfex(tfex, LEAPS)
        except WriteError:
            continue
        again = read_tfex(written, "again", LEAPS)
        assert np.array_equal(again.epochs, tfex.epochs)
        assert again.columns == tfex.columns
