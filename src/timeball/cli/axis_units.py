"""The units of a plot's axes: time as people read it along the record, phase in s to fs, frequency in powers of ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from timeball.instants import DAY_NS, DAY_S, MJD_OF_1970, NS_PER_SECOND, LeapTable, utc_ns_from_tai_ns

FloatArray = NDArray[np.float64]
PHASE_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps"), (1e-15, "fs"))
SPANS = ((2.0 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
# what values have in common is taken off when it is so many times their spread
MUCH = 1000.0
# from here on a date says more than hours
DAYS_S = 3.0 * DAY_S
UTC_BEGAN_NS = (2 * 365 * DAY_S + 10) * NS_PER_SECOND
SUPERSCRIPTS = str.maketrans("-0123456789.", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹·")


def superscript(number: float) -> str:
    """Write an exponent as small raised figures."""
    return f"{number:g}".translate(SUPERSCRIPTS)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """How times along records are written: value = (since_s + t)/unit_s + add, and what stands under the axis."""

    unit_s: float
    add: float
    label: str

    def at(self, t_s: FloatArray, since_s: float = 0.0) -> FloatArray:
        """Give places on the axis of times t_s (s from a record's start, which is since_s from the earliest start)."""
        return np.asarray((t_s + since_s) / self.unit_s + self.add)


def time_axis(start_ns: int | None, span_s: float, leaps: LeapTable | None = None) -> TimeAxis:
    """Choose the axis for a span (s) from an epoch (ns of TAI), None where nobody knows when it was.

    A few days and more are MJD, less are hours, minutes or seconds. With a leap table dates are of UTC, else of TAI; a
    leap second inside the span does not show.
    """
    if start_ns is not None and is_dated(start_ns):
        scale, since_ns = "TAI", start_ns
        if leaps is not None:
            scale, since_ns = "UTC", int(utc_ns_from_tai_ns(np.array([start_ns], dtype=np.int64), leaps)[0])
        if span_s >= DAYS_S:
            return TimeAxis(DAY_S, since_ns / DAY_NS + MJD_OF_1970, f"MJD ({scale})")
        since = f"since {datetime.fromtimestamp(since_ns // NS_PER_SECOND, UTC):%Y-%m-%d %H:%M:%S} {scale}"
    else:
        since = "since the first value"
    unit_s, unit = (DAY_S, "days") if span_s >= DAYS_S else next(each[1:] for each in SPANS if span_s >= each[0])
    return TimeAxis(float(unit_s), 0.0, f"{unit} {since}")


def is_dated(start_ns: int) -> bool:
    """Tell whether an epoch (ns of TAI) is a date: tags before UTC began are seconds counted from nowhere."""
    return start_ns >= UTC_BEGAN_NS


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """How values are written: (value − base)/size; words: "− base (unit)", what follows the name of the quantity."""

    base: float
    size: float
    words: str

    def at(self, values: FloatArray) -> FloatArray:
        """Give places on the axis."""
        return np.asarray((values - self.base) / self.size)


def phase_axis(columns: Sequence[FloatArray]) -> ValueAxis:
    """Choose the unit in which the largest phase of all columns (s) has one to three digits.

    Where phases differ by far less than what they all have in common, that is taken off and told.
    """
    largest, spread, middle = _extent(columns)
    offset = largest > MUCH * spread > 0.0
    size, unit = _phase_unit(spread if offset else largest)
    if not offset:
        return ValueAxis(0.0, size, f" ({unit})")
    coarse, name = _phase_unit(1000.0 * size)
    steps = round(middle / coarse)
    return ValueAxis(steps * coarse, size, f" {_sign(steps)} {abs(steps)} {name} ({unit})")


def frequency_axis(columns: Sequence[FloatArray]) -> ValueAxis:
    """Choose the power of ten at which the largest frequency of all columns begins; an offset as in `phase_axis`."""
    largest, spread, middle = _extent(columns)
    offset = largest > MUCH * spread > 0.0
    reach = spread if offset else largest
    power = int(np.floor(np.log10(reach))) if reach > 0.0 else 0
    unit = f" (10{superscript(power)})" if power else ""
    if not offset:
        return ValueAxis(0.0, 10.0**power, unit)
    coarse = 10.0 ** (power + 1)
    base = round(middle / coarse) * coarse
    digits, exponent = f"{abs(base):.{max(0, int(np.log10(abs(base) / coarse)))}e}".split("e")
    return ValueAxis(base, 10.0**power, f" {_sign(base)} {digits}·10{superscript(int(exponent))}{unit}")


def _sign(base: float) -> str:
    return "+" if base < 0 else "−"


def _phase_unit(size: float) -> tuple[float, str]:
    # a phase of exactly one unit, less its rounding, is one of that unit
    found = next((each for each in PHASE_UNITS if size * (1 + 1e-9) >= each[0]), PHASE_UNITS[-1])
    return found if size else PHASE_UNITS[3]


def _extent(columns: Sequence[FloatArray]) -> tuple[float, float, float]:
    """Give the largest value without its sign, the spread and the middle of all that is there."""
    known = [column[np.isfinite(column)] for column in columns]
    ends = [end for each in known if each.size for end in (float(each.min()), float(each.max()))]
    if not ends:
        return 0.0, 0.0, 0.0
    low, high = min(ends), max(ends)
    return max(abs(low), abs(high)), high - low, 0.5 * (low + high)
