"""Calibration of receivers: delays with the date from which they hold, their uncertainty, and what age does to it.

Sign: a receiver's total delay is INT + CAB − REF; its file's REFSYS and REFSV have that of its header taken out. With
other delays the figure becomes REFSYS + (total of the header − total of the calibration).

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

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from timeball.formats.cggtts_records import Delays
from timeball.transfer.errors import CalibrationError
from timeball.transfer.uncertainty import aged

# Carrier frequencies in units of 10.23 MHz: combinations free of the ionosphere are f1² − f2² ones (IS-GPS-200,
# 20.3.3.3.3.3; Galileo OS SIS ICD, 5.1.5).
_COMBINED = {"L3P": ("GPS P1", "GPS P2", 154.0, 120.0), "L3E": ("GAL E1", "GAL E5a", 154.0, 115.0)}
_SINGLE = {
    "L1C": "GPS C1", "L1P": "GPS P1", "L2C": "GPS C2", "L2P": "GPS P2", "L5C": "GPS L5",
    "E1": "GAL E1", "E5": "GAL E5", "E5a": "GAL E5a", "E5b": "GAL E5b", "E6": "GAL E6",
}  # fmt: skip
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


def correction_s(calibration: Calibration, delays: Delays, frc: str) -> float:
    """Give what is to be added to REFSYS and REFSV of a code. Raises ``CalibrationError`` when it cannot be known."""
    change = 0.0
    if calibration.internal_s:
        change += _internal(_named(delays), frc, "the header") - _internal(calibration.internal_s, frc, "the table")
    if calibration.cable_s is not None:
        change += _known(delays.cable_s, "CAB DLY", delays) - calibration.cable_s
    if calibration.reference_s is not None:
        change -= _known(delays.ref_s, "REF DLY", delays) - calibration.reference_s
    return change


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
        {_code(code): float(_seconds(internal, code, where, None) or 0.0) for code in internal},
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


def _named(delays: Delays) -> dict[str, float]:
    return {_code(each.code): each.delay_s for each in delays.codes}


def _code(text: str) -> str:
    """Write a code's name in one way: receivers say Galileo E1 and GAL E1."""
    words = text.split()
    return " ".join(["GAL" if words[0].lower() == "galileo" else words[0].upper(), *words[1:]]) if words else ""


def _internal(internal: Mapping[str, float], frc: str, where: str) -> float:
    """Give the internal delay of a code, combined where the code is."""
    if set(internal) == {""}:
        return internal[""]  # a header with one delay that names no code
    if frc in _COMBINED:
        first, second, f1, f2 = _COMBINED[frc]
        share = f1 * f1 / (f1 * f1 - f2 * f2)
        return share * _of(internal, first, where) + (1.0 - share) * _of(internal, second, where)
    return _of(internal, _SINGLE.get(frc or "L1C", frc), where)


def _of(internal: Mapping[str, float], code: str, where: str) -> float:
    if code not in internal:
        told = ", ".join(name or "(no code)" for name in internal) or "none"
        raise CalibrationError(f"{where} has no internal delay of {code}; it has {told}")
    return internal[code]


def _known(delay_s: float, what: str, delays: Delays) -> float:
    if not math.isfinite(delay_s):
        raise CalibrationError(f"the header gives no {what} by itself ({delays.kind} DLY): it cannot be replaced")
    return delay_s
