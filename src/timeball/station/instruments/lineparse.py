r"""The line protocol of counters: one line of text a reading, `[epoch] value [unit]`.

    line   = [ epoch sep ] value [ sep unit ]      fields parted by blanks, tabs, commas or semicolons
    epoch  = 2026-11-22T20:00:00[.fff]Z            UTC
           | MJD with five digits and a fraction   UTC day number, such as 61366.83333
    value  = decimal number, exponent allowed      x_a − x_b
    unit   = s | ms | us | µs | ns | ps | fs       without it: the configured `unit_s`
           | TI(...)                               what the TAPR TICC writes: seconds
    empty lines and lines that begin with # or % say nothing.

Values become whole femtoseconds in exact decimal arithmetic (halves to even). Nothing here reads a port or a clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext

from timeball.instants import (
    ATTOSECONDS_PER_NS,
    DAY_NS,
    InstantError,
    LeapTable,
    from_utc_parts,
    parse_utc,
)
from timeball.station.instruments.base import FEMTOSECONDS_PER_S, GREATEST_X_FS

UNITS_S = {
    "s": Decimal(1),
    "ms": Decimal("1e-3"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "μs": Decimal("1e-6"),
    "ns": Decimal("1e-9"),
    "ps": Decimal("1e-12"),
    "fs": Decimal("1e-15"),
}
_SEPARATORS = re.compile(r"[ \t,;]+")
_MJD = re.compile(r"[4-9]\d{4}\.\d{1,14}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_TICC = re.compile(r"TI\([^)]*\)")
_MJD_OF_1970 = 40587


class LineError(ValueError):
    """A line that is no reading; says which field and shows the text."""


@dataclass(frozen=True, slots=True)
class Line:
    """One parsed line: the value in femtoseconds, and the epoch (TAI ns) when the line names one."""

    epoch: int | None
    x_fs: int


def parse_line(text: str, unit_s: float, leaps: LeapTable) -> Line | None:
    """Parse one line; None when it says nothing; raises `LineError` with field and text."""
    stripped = text.strip(" \t\r\n\0")
    if not stripped or stripped[0] in "#%":
        return None
    fields = _SEPARATORS.split(stripped)
    # "51544.5 us" is a value with its unit, "51544.5 1e-8" an epoch with a value
    epoch = _epoch(fields[0], leaps) if len(fields) > 1 and not _is_unit(fields[1]) else None
    if epoch is not None:
        fields = fields[1:]
    if len(fields) > 2:
        raise LineError(f"{len(fields)} fields where value and unit were expected: {_shown(text)}")
    return Line(epoch, _femtoseconds(fields[0], _unit(fields[1:], unit_s, text), text))


def _epoch(field: str, leaps: LeapTable) -> int | None:
    """An epoch is told from a value by its form alone; one that cannot be is an error, not a value."""
    if "T" in field and field.endswith("Z"):
        try:
            return parse_utc(field, leaps).ns
        except InstantError as error:
            raise LineError(f"epoch: {error}") from error
    if _MJD.fullmatch(field):
        day, _, fraction = field.partition(".")
        ns = round(Decimal(f"0.{fraction}") * DAY_NS)
        try:
            second, rest = divmod(ns, 10**9)
            return from_utc_parts(int(day) - _MJD_OF_1970, second, rest * ATTOSECONDS_PER_NS, leaps).ns
        except InstantError as error:
            raise LineError(f"epoch: {error}") from error
    return None


def _is_unit(field: str) -> bool:
    return field in UNITS_S or _TICC.fullmatch(field) is not None


def _unit(rest: list[str], unit_s: float, text: str) -> Decimal:
    if not rest:
        return Decimal(repr(unit_s))
    if _TICC.fullmatch(rest[0]):
        return Decimal(1)
    try:
        return UNITS_S[rest[0]]
    except KeyError:
        raise LineError(f"unit {rest[0]!r} is unknown: {_shown(text)}") from None


def _femtoseconds(field: str, unit_s: Decimal, text: str) -> int:
    if not _NUMBER.fullmatch(field):
        raise LineError(f"value {field[:40]!r} is no number: {_shown(text)}")
    with localcontext() as context:
        context.prec = 80
        try:
            exact = Decimal(field) * unit_s * FEMTOSECONDS_PER_S
            if abs(exact) > GREATEST_X_FS:
                raise LineError(f"value {field[:40]!r} is beyond ±9000 s: {_shown(text)}")
            return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))
        except InvalidOperation as error:
            raise LineError(f"value {field[:40]!r} is no number: {_shown(text)}") from error


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
