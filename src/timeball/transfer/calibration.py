"""Calibration of receivers: delays with the date from which they hold, their uncertainty, and what age does to it.

Signs are those of `delays`, which does the arithmetic.

A table is TOML, one ``[[calibration]]`` for each receiver and date:

    [[calibration]]
    lab = "TB"                       # LAB of the files' header
    from_mjd = 60000                 # holds from that UTC day on, until the next one of the same lab
    id = "1015-2026"
    u_ns = 1.7                       # standard uncertainty of the delays together (k = 1)
    ageing_ns_per_year = 0.5         # what the delays may have moved, 1 sigma in a year; 0 when left out
    internal_ns = {"GPS P1" = 32.9, "GPS P2" = 25.8}
    cable_ns = 155.2                 # cable_ns, reference_ns, internal_ns: what is left out is as in the header
    reference_ns = 12.1

What it does not do: judge a calibration, or know of one that is in no table and no header.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from timeball.formats.cggtts.records import Delays
from timeball.transfer.delays import change_s, code_name
from timeball.transfer.errors import CalibrationError
from timeball.transfer.uncertainty import aged

_KEYS = {"lab", "from_mjd", "id", "u_ns", "ageing_ns_per_year", "internal_ns", "cable_ns", "reference_ns"}
NS = 1e-9
LARGEST_NS = 1e9
LAST_MJD = 100_000


@dataclass(frozen=True, slots=True)
class Calibration:
    """The delays of one laboratory's receiver from a date on; None or an absent code means: as the header says."""

    lab: str
    from_mjd: int
    u_s: float
    ageing_s_per_year: float = 0.0
    id: str = ""
    internal_s: Mapping[str, float] = field(default_factory=dict)
    cable_s: float | None = None
    reference_s: float | None = None

    def u_at(self, mjd: float) -> float:
        """Give its uncertainty (s) on a day, with its age."""
        return aged(self.u_s, mjd - self.from_mjd, self.ageing_s_per_year)

    def change_s(self, filed: Delays, system: str, frc: str) -> float:
        """Give what is to be added to REFSYS and REFSV of a code. Raises ``CalibrationError`` as `delays` does."""
        return change_s(filed, self.internal_s, self.cable_s, self.reference_s, system, frc)


def read_calibrations(text: str) -> list[Calibration]:
    """Read a table, oldest first. Raises ``CalibrationError`` that names the entry and the key."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of numbers too long, and of brackets too deep
        raise CalibrationError(f"not TOML: {error}") from error
    entries = document.get("calibration")
    if not isinstance(entries, list) or not entries or set(document) != {"calibration"}:
        raise CalibrationError("a table of calibrations holds [[calibration]] entries and nothing else")
    found = [_entry(each, number) for number, each in enumerate(entries, 1)]
    return sorted(found, key=lambda each: (each.lab, each.from_mjd))


def calibration_at(table: Sequence[Calibration], lab: str, mjd: float) -> Calibration | None:
    """Give the calibration of a laboratory that holds on a day: the newest that began."""
    begun = [each for each in table if each.lab == lab and each.from_mjd <= mjd]
    return max(begun, key=lambda each: each.from_mjd) if begun else None


def _entry(each: object, number: int) -> Calibration:
    where = f"calibration {number}"
    if not isinstance(each, dict):
        raise CalibrationError(f"{where}: not a table")
    unknown = sorted(set(each) - _KEYS)
    if unknown:
        raise CalibrationError(f"{where}: no such key: {', '.join(unknown)}")
    lab, mjd = each.get("lab"), each.get("from_mjd")
    if not isinstance(lab, str) or not lab or isinstance(mjd, bool) or not _is_day(mjd):
        raise CalibrationError(f"{where}: lab is a name and from_mjd a whole day")
    internal = each.get("internal_ns", {})
    if not isinstance(internal, dict):
        raise CalibrationError(f"{where}: internal_ns holds a delay for each code")
    u_s, ageing = (
        _seconds(each, key, where, default) for key, default in (("u_ns", None), ("ageing_ns_per_year", 0.0))
    )
    if u_s is None or u_s < 0 or ageing is None or ageing < 0:
        raise CalibrationError(f"{where}: u_ns must be given, and no uncertainty is negative")
    return Calibration(
        lab, mjd, u_s, ageing, str(each.get("id", "")),
        {code_name(code): float(_seconds(internal, code, where, None) or 0.0) for code in internal},
        _seconds(each, "cable_ns", where, None), _seconds(each, "reference_ns", where, None),
    )  # fmt: skip


def _is_day(mjd: object) -> TypeGuard[int]:
    return isinstance(mjd, int) and 0 <= mjd <= LAST_MJD


def _seconds(table: Mapping[str, Any], key: str, where: str, default: float | None) -> float | None:
    if key not in table:
        return default
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NS:
        raise CalibrationError(f"{where}: {key} is a number of ns, not {str(value)[:40]}")
    return float(value) * NS
