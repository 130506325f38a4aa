"""How plain columns are read: the options a caller gives, the hints in the file, and what is taken without either."""

from __future__ import annotations

from dataclasses import dataclass

from timeball.formats.columns.lines import split_fields
from timeball.formats.columns.time import EPOCH_LIMIT_NS, TIME_KINDS, tag_kind
from timeball.formats.defects import Defect, FormatError, shown
from timeball.formats.numerals import LARGEST, read_integer, read_number

KINDS = ("phase", "frequency")
UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """How to read a file of plain columns; None means: as its comments say, else the default named here.

    kind: phase (default) or frequency. tau0_s: sampling interval (1 s; with time tags the median step).
    unit_s: unit of the phases in seconds (1). nominal_hz: when given, frequencies are in Hz and
    y = f / nominal_hz − 1; else they are fractional. time: none, seconds, mjd or iso (told from the first line of
    figures). time_scale: that of the tags: TAI, UTC, GPS, GAL, BDS, ... start_ns: TAI epoch of the first untagged
    sample, or of the tag 0 s (1970). value_column, u_column: counted from 0 (the first after the tag; none).
    zero_is_missing: a figure 0 is a gap (in a phase record: not if it is the first or the last).
    """

    kind: str | None = None
    tau0_s: float | None = None
    unit_s: float | None = None
    nominal_hz: float | None = None
    time: str | None = None
    time_scale: str = "TAI"
    start_ns: int | None = None
    value_column: int | None = None
    u_column: int | None = None
    clock: str | None = None
    reference: str | None = None
    zero_is_missing: bool = False


def settle(options: ColumnOptions, hints: dict[str, str], first: str) -> ColumnOptions:
    """Fill in what the options leave open; a hint that makes no sense is no hint."""
    kind = "frequency" if hints.get("kind", "").lower().startswith("freq") else "phase"
    unit = hints.get("unit_s", "s")
    stated_time = hints.get("time", "").lower()
    time = options.time or (stated_time if stated_time in TIME_KINDS else tag_kind(split_fields(first)))
    start_ns = read_integer(hints.get("start_ns", ""), 0, EPOCH_LIMIT_NS)
    clock, reference = hints.get("clock", "clock"), hints.get("reference", "reference")
    return ColumnOptions(
        kind=options.kind or kind,
        tau0_s=read_number(hints.get("tau0_s", "")) if options.tau0_s is None else options.tau0_s,
        unit_s=UNITS_S.get(unit.lower(), read_number(unit) or 1.0) if options.unit_s is None else options.unit_s,
        nominal_hz=options.nominal_hz,
        time=time,
        time_scale=options.time_scale,
        start_ns=(start_ns or 0) if options.start_ns is None else options.start_ns,
        value_column=(0 if time == "none" else 1) if options.value_column is None else options.value_column,
        u_column=read_integer(hints.get("u_column", ""), 0, 99) if options.u_column is None else options.u_column,
        clock=options.clock or (clock if clock != reference else "clock"),
        reference=options.reference or (reference if clock != reference else "reference"),
        zero_is_missing=options.zero_is_missing,
    )


def check(options: ColumnOptions, name: str) -> None:
    """Refuse options that make no sense with a ``FormatError`` that names the field."""
    sensible = {
        "kind": options.kind in KINDS,
        "tau0_s": options.tau0_s is None or 1e-9 <= options.tau0_s <= 1e9,
        "unit_s": options.unit_s is not None and 0 < abs(options.unit_s) < LARGEST,
        "nominal_hz": options.nominal_hz is None or 0 < options.nominal_hz < LARGEST,
        "time": options.time in TIME_KINDS,
        "start_ns": options.start_ns is not None and abs(options.start_ns) <= EPOCH_LIMIT_NS,
        "value_column": options.value_column is not None and options.value_column >= 0,
        "clock": options.clock != options.reference,
    }
    for field, fine in sensible.items():
        if not fine:
            text = shown(str(getattr(options, field)))
            raise FormatError(Defect(name, 0, field, text, "not an option that makes sense"))
