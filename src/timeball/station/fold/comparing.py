"""One recorded decision against the one that follows from the readings: decisions exactly, phases to 1 fs.

What is compared is everything that stands in a payload, whether this software writes such a field or not. Nothing is
computed here and nobody is judged but the entry.
"""

from __future__ import annotations

from typing import Any

from timeball.ensemble.errors import ReplayMismatch
from timeball.ensemble.replay import compare_payloads
from timeball.ledger import canonical
from timeball.station.fold.timekeeping import Decision

TOLERANCE_FS = 1
STEPS = ("scale", "beside")
"""Types that hold a step of an algorithm."""
OF_THE_ENSEMBLE = ("x_fs", "errors_fs")
APART = "minus_ta_fs"
PHASES = {"output": "residual_fs", "utc": "utck_minus_utc_fs"}
"""Members of a scale entry, and which of their columns holds phases; those of the ensemble it compares itself."""
Payload = dict[str, Any]


class ReplayError(ValueError):
    """The recorded decisions do not follow from the recorded readings; one sentence says which and where."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"entry {index}: {reason}")
        self.index, self.reason = index, reason


def compare_decisions(index: int, recorded: Any, decision: Decision) -> None:
    """Raise `ReplayError` unless the payload recorded in entry `index` is the recomputed one."""
    if not isinstance(recorded, dict):
        raise ReplayError(index, f"the payload of the {decision.type} is {_short(recorded)}, not an object")
    fields = set(recorded) | set(decision.payload)
    phases: dict[str, str] = {}
    if decision.type in STEPS:
        fields, phases = fields - set(OF_THE_ENSEMBLE), PHASES
        try:
            compare_payloads(recorded, decision.payload)
        except ReplayMismatch as mismatch:
            raise ReplayError(index, str(mismatch)) from mismatch
    for field in sorted(fields):
        mine, theirs = recorded.get(field), decision.payload.get(field)
        if field == APART:
            same = _all_near(mine, theirs)
        else:
            same = _near(mine, theirs, phases[field]) if field in phases else mine == theirs
        if not same:
            raise ReplayError(
                index,
                f"field {field} of the {decision.type} is recorded as {_short(mine)}, "
                f"but {_short(theirs)} follows from the readings",
            )


def _near(recorded: Any, recomputed: Any, phases: str) -> bool:
    """Two objects, equal but for one column of phases, which agrees to the tolerance."""
    if not isinstance(recorded, dict) or {**recorded, phases: None} != {**recomputed, phases: None}:
        return False
    return _all_near(recorded.get(phases), recomputed[phases])


def _all_near(recorded: Any, recomputed: Any) -> bool:
    """Two lists of phases that agree to the tolerance, one by one."""
    if not isinstance(recorded, list) or not isinstance(recomputed, list) or len(recorded) != len(recomputed):
        return False
    return all(_phases_near(one, other) for one, other in zip(recorded, recomputed, strict=True))


def _phases_near(recorded: Any, recomputed: str | None) -> bool:
    if recorded == recomputed:
        return True
    try:
        return abs(int(recorded) - int(recomputed or "")) <= TOLERANCE_FS
    except (TypeError, ValueError):
        return False


def _short(value: object) -> str:
    text = canonical.encode(value).decode() if value is not None else "nothing"
    return text if len(text) <= 120 else text[:117] + "..."
