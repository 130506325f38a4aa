"""Readings: the columnar record of clock comparisons that every room speaks, and the phase table made from it.

Sign: a reading is ``x_a − x_b``, clock *a* minus clock *b*, in seconds; a phase table holds ``x_i − x_reference``.
A name of the form ``WORD(WORD)``, as in UTC(k), TA(k) or GPST(ESOC), is a time scale, not a clock: it may stand in a
comparison, but it is no member of an ensemble and gets no column in a phase table unless it is asked for.

What it does not do: interpolate between epochs, or judge the values. `phase_table` averages no redundant comparisons (a
closed loop is broken at a fixed place, so that a ledger can be replayed); `adjusted_table` does, for files and reports.
"""

from __future__ import annotations

from timeball.readings.comparators import Closure, adjusted_table, parts_of
from timeball.readings.phases import PhaseTable, phase_table, star_table
from timeball.readings.record import (
    EpochArray,
    FloatArray,
    IndexArray,
    Readings,
    ReadingsError,
    is_scale,
)

__all__ = [
    "Closure",
    "EpochArray",
    "FloatArray",
    "IndexArray",
    "PhaseTable",
    "Readings",
    "ReadingsError",
    "adjusted_table",
    "is_scale",
    "parts_of",
    "phase_table",
    "star_table",
]
