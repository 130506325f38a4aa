"""An anomaly: what happened to which clocks, when, how large, how sure, and what it can be blamed on.

Sign: a size is after minus before of the clock against the others: a positive phase step moved it ahead, a positive
rate step lets it gain. What it does not do: decide anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from timeball.ensemble.steps import femtoseconds, si_time

VERSION = 1
KINDS = ("phase step", "rate step", "drift", "variance")
ORIGINS = ("clock", "link", "reference")


@dataclass(frozen=True)
class Anomaly:
    """One anomaly.

    kind: one of `KINDS`; origin: one of `ORIGINS`. clocks: those that moved (for a link all that it carries).
    link: its name where the origin is one. epoch: ns of TAI of the first epoch after the change, u_epoch_s its
    uncertainty (k = 1).
    size, u_size: of a phase step in s; of a rate step dimensionless; of a drift in 1/s, the change of it; of the
    variance the ratio of the standard deviations after and before. sigmas: |size| over u_size (for the variance:
    the sigmas of the test). found: epoch (ns of TAI) at which it was told.
    readmit: epoch (ns of TAI) from which the clocks are trusted again if nothing else is found until then.
    words: one sentence.
    """

    kind: str
    origin: str
    clocks: tuple[str, ...]
    epoch: int
    u_epoch_s: float
    size: float
    u_size: float
    sigmas: float
    found: int
    readmit: int
    words: str
    link: str | None = None

    def to_payload(self) -> dict[str, Any]:
        """The ledger's record: no floats; epochs in ns and phases in fs as decimal strings, other numbers as repr."""
        payload: dict[str, Any] = {
            "version": VERSION,
            "kind": self.kind,
            "origin": self.origin,
            "clocks": list(self.clocks),
            "epoch": str(self.epoch),
            "u_epoch_s": repr(self.u_epoch_s),
            "sigmas": repr(self.sigmas),
            "found": str(self.found),
            "readmit": str(self.readmit),
            "words": self.words,
        }
        if self.kind == "phase step":
            payload |= {"size_fs": femtoseconds(self.size), "u_size_fs": femtoseconds(self.u_size)}
        else:
            payload |= {"size": repr(self.size), "u_size": repr(self.u_size)}
        return payload if self.link is None else payload | {"link": self.link}


def size_words(kind: str, size: float, u_size: float) -> str:
    """A size and its uncertainty for a sentence, as its kind asks."""
    if kind == "phase step":
        return f"phase step of {si_time(size)} ± {si_time(u_size)}"
    if kind == "rate step":
        return f"rate step of {size:.2g} ± {u_size:.1g}"
    if kind == "drift":
        return f"drift changed by {size * 86400:.2g} ± {u_size * 86400:.1g} a day"
    return f"noise {size:.2g} times what it was"


def tai_words(epoch_ns: int) -> str:
    """An epoch as date and time of day of TAI."""
    return datetime.fromtimestamp(epoch_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S TAI")
