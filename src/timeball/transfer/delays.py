"""The delays of a receiver, and what other delays than those of its header make of REFSYS and REFSV.

Sign: a receiver's total delay is INT + CAB − REF; its file's REFSYS and REFSV have that of its header taken out. With
other delays they become REFSYS + (total of the header − total of the calibration).

What it does not do: take apart delays that a header gives as one (SYS, TOT) where the other side has them in parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from timeball.formats.cggtts.records import Delays
from timeball.transfer.errors import CalibrationError

# What FRC means, by satellite system (CGGTTS V2E, table 2): the delays of a code, or of the two that are combined free
# of the ionosphere, with the ratio of their carriers (IS-GPS-200, 20.3.3.3.3.3; GLONASS ICD, 3.3.1.1; Galileo OS SIS
# ICD, 2.3).
_COMBINED = {
    ("G", "L3P"): ("P1", "P2", 154.0, 120.0),
    ("R", "L3P"): ("P1", "P2", 9.0, 7.0),
    ("E", "L3E"): ("E1", "E5a", 154.0, 115.0),
}
_SINGLE = {"": "C1", "L1C": "C1", "L1P": "P1", "L2C": "C2", "L2P": "P2", "L5C": "L5"}
_NAMES = {"G": "GPS", "R": "GLO", "E": "GAL", "C": "BDS", "J": "QZS"}
_ALIASES = {"GALILEO": "GAL", "GLONASS": "GLO", "BEIDOU": "BDS", "QZSS": "QZS"}


def code_name(text: str) -> str:
    """Write a code's name in one way: receivers say Galileo E1 and GAL E1."""
    words = text.split()
    return " ".join([_ALIASES.get(words[0].upper(), words[0].upper()), *words[1:]]) if words else ""


def change_s(
    filed: Delays,
    internal_s: Mapping[str, float],
    cable_s: float | None,
    reference_s: float | None,
    system: str,
    frc: str,
) -> float:
    """Give what is to be added to REFSYS and REFSV of a code when these delays take the place of those of a header.

    internal_s: by code, empty when the header's holds; cable_s, reference_s: None when the header's holds. Raises
    ``CalibrationError`` when the change cannot be known.
    """
    given = (bool(internal_s), cable_s is not None, reference_s is not None)
    if filed.kind == "TOT" and any(given):
        raise CalibrationError("the header gives its delays as one (TOT DLY): no part of it can be replaced")
    if filed.kind == "SYS" and given[0] != given[1]:
        raise CalibrationError("the header gives INT and CAB as one (SYS DLY): a table must give both or none")
    change = 0.0
    if internal_s:
        own = {code_name(each.code): each.delay_s for each in filed.codes}
        change += _internal(own, system, frc, "the header") - _internal(internal_s, system, frc, "the table")
    if cable_s is not None:
        change += (0.0 if filed.kind == "SYS" else _known(filed.cable_s, "CAB DLY")) - cable_s
    if reference_s is not None:
        change -= _known(filed.ref_s, "REF DLY") - reference_s
    return change


def _internal(internal: Mapping[str, float], system: str, frc: str, where: str) -> float:
    """Give the internal delay of a code, combined where the code is."""
    if set(internal) == {""}:
        return internal[""]  # a header with one delay that names no code
    name = _NAMES.get(system, system)
    if (system, frc) in _COMBINED:
        first, second, f1, f2 = _COMBINED[system, frc]
        share = f1 * f1 / (f1 * f1 - f2 * f2)
        parts = (_of(internal, f"{name} {code}", where) for code in (first, second))
        return share * next(parts) + (1.0 - share) * next(parts)
    return _of(internal, f"{name} {_SINGLE.get(frc, frc)}", where)


def _of(internal: Mapping[str, float], code: str, where: str) -> float:
    if code not in internal:
        told = ", ".join(name or "(no code)" for name in internal) or "none"
        raise CalibrationError(f"{where} has no internal delay of {code}; it has {told}")
    return internal[code]


def _known(delay_s: float, what: str) -> float:
    if not math.isfinite(delay_s):
        raise CalibrationError(f"the header gives no {what}: it cannot be replaced")
    return delay_s
