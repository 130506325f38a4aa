"""Whether the service claimed to be in sync at a moment, as far as the ledger can tell. Pure.

Three answers: it did, it did not, the ledger cannot tell. Leases are recorded when they change, not when they are
renewed, so a lapse that nobody was there to record shows only as a gap: then the answer is "cannot tell", never "did".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from timeball.station.page.pagelayout import MAX_BOUND_S

NOTHING_FOUND, FOUND = 0, 1  # codes of a verdict, as the ledger has them

IN_SYNC = "in sync"
NOT_IN_SYNC = "not in sync"
UNKNOWN = "unknown"
MOST_GAP_S = 90.0
"""Two statements further apart than this (they are due every 60 s) do not enclose what lies between."""
LOOK_MARGIN_S = 5.0
"""A look is followed by a renewal within this, however slow the answers it asks for."""


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A lease entry in force: `since_ns` when it was recorded (TAI); `length_s` how long a renewal lasts."""

    lease: str
    granted: bool
    why: str
    since_ns: int
    length_s: float

    def refusal(self, tai_ns: int) -> tuple[str, str] | None:
        """Why this lease speaks against sync at a moment; None when it does not."""
        if self.granted:
            return None
        words = f"the {self.lease}'s lease was withheld: {self.why}"
        if tai_ns < self.since_ns + int(self.length_s * 1e9):
            return UNKNOWN, f"{words}; an earlier renewal may still have run"
        return NOT_IN_SYNC, words


@dataclass(frozen=True, slots=True)
class Facts:
    """What the answer follows from. `looks`: each verdict's code and the epochs of its looks (TAI ns), in order."""

    tai_ns: int
    enclosed: str
    bound_s: float
    against: Sequence[str]
    leases: Sequence[LeaseState | None]
    looks: Sequence[tuple[int, Sequence[int]]] = field(default_factory=tuple)


def judge(facts: Facts) -> tuple[str, str]:
    """The answer and its reason in words."""
    if any(lease is None for lease in facts.leases):
        return UNKNOWN, "no lease of the timekeeper or of the observer is recorded before the moment"
    refusals = [lease.refusal(facts.tai_ns) for lease in facts.leases if lease is not None]
    told = sorted(refusal for refusal in refusals if refusal is not None)
    if told:
        return told[0]
    if facts.enclosed:
        return UNKNOWN, facts.enclosed
    if not 0.0 <= facts.bound_s < MAX_BOUND_S or math.isnan(facts.bound_s):
        return NOT_IN_SYNC, "the bound was unknown or 16 s or more"
    if any(facts.against):
        return UNKNOWN, f"a statement around the moment speaks against it: {next(filter(None, facts.against))}"
    return _looked(facts) or (IN_SYNC, "both leases ran, by the statements and looks recorded around the moment")


def _looked(facts: Facts) -> tuple[str, str] | None:
    """The observer renews only when it looks and finds nothing: where did it look last before the moment?"""
    observer = facts.leases[-1]
    length_ns = int((observer.length_s if observer is not None else 0.0) * 1e9)
    last = _last_look(facts)
    if last is not None and facts.tai_ns - last[0] < length_ns:
        return _FINDINGS.get(last[1], (UNKNOWN, "the observer's last look before the moment could not be judged"))
    ended_ns = length_ns + int(LOOK_MARGIN_S * 1e9)
    for _, looks in facts.looks:
        for one, following in pairwise(looks):
            if one + ended_ns <= facts.tai_ns < following:
                gap_s = (following - one) / 1e9
                return NOT_IN_SYNC, f"the observer's lease had run out: it did not look for {gap_s:.1f} s"
    return UNKNOWN, "no look of the observer at the moment is recorded"


def _last_look(facts: Facts) -> tuple[int, int] | None:
    """Epoch and code of the last look at or before the moment.

    A verdict is recorded at once when the code changes: so the code of a verdict is that of its last look, and the
    looks before it had the code of the verdict before.
    """
    found: tuple[int, int] | None = None
    told: int | None = None
    for code, looks in facts.looks:
        for look in looks:
            if look <= facts.tai_ns and (found is None or look > found[0]):
                found = look, code if told is None or look == looks[-1] else told
        told = code
    return found


_FINDINGS: dict[int, tuple[str, str] | None] = {
    NOTHING_FOUND: None,
    FOUND: (NOT_IN_SYNC, "the observer's last look before the moment found something"),
}
