"""Compare recorded scale steps with recomputed ones: decisions exactly, phases to 1 fs.

What it does not do: recompute (that is `advance` on the recorded readings), or judge who is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timeball.ensemble.errors import ReplayMismatch

TOLERANCE_FS = 1


def compare_payloads(recorded: Mapping[str, Any], recomputed: Mapping[str, Any]) -> None:
    """Raise ``ReplayMismatch`` at the first difference between two payloads of `Steps.to_payload`.

    Algorithm, version, clocks, epochs, codes, weights and reasons must be equal; phases and errors agree to 1 fs.
    """
    epochs = recomputed["epochs"]
    first = str(epochs[0]) if epochs else "none"
    for field in ("algorithm", "version", "clocks", "epochs"):
        if recorded.get(field) != recomputed[field]:
            raise ReplayMismatch(first, "", field, recorded.get(field), recomputed[field])
    for field in ("codes", "weights"):
        _compare(recorded, recomputed, field, exact=True)
    for field in ("x_fs", "errors_fs"):
        _compare(recorded, recomputed, field, exact=False)
    for epoch in epochs:
        mine, theirs = recorded.get("reasons", {}).get(epoch, {}), recomputed["reasons"].get(epoch, {})
        for clock in sorted(set(mine) | set(theirs)):
            if mine.get(clock) != theirs.get(clock):
                raise ReplayMismatch(epoch, clock, "reasons", mine.get(clock), theirs.get(clock))


def _compare(recorded: Mapping[str, Any], recomputed: Mapping[str, Any], field: str, *, exact: bool) -> None:
    rows = recorded.get(field)
    if not isinstance(rows, Sequence) or len(rows) != len(recomputed[field]):
        raise ReplayMismatch(str(recomputed["epochs"][0]), "", field, rows, recomputed[field])
    for epoch, mine, theirs in zip(recomputed["epochs"], rows, recomputed[field], strict=True):
        if len(mine) != len(theirs):
            raise ReplayMismatch(str(epoch), "", field, mine, theirs)
        for clock, old, new in zip(recomputed["clocks"], mine, theirs, strict=True):
            if not (old == new if exact else _near(old, new)):
                raise ReplayMismatch(str(epoch), clock, field, old, new)


def _near(old: str | None, new: str | None) -> bool:
    """Two decimal strings of fs that agree to the tolerance, or two nulls."""
    if old is None or new is None:
        return old is None and new is None
    try:
        return abs(int(old) - int(new)) <= TOLERANCE_FS
    except ValueError:
        return False
