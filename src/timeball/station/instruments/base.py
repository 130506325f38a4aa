"""What an instrument is to the station: whatever yields readings x_a − x_b at an epoch, waited for in small portions.

A kind of instrument is one file beside this one and one line in `registry`. An instrument raises
`InstrumentUnavailableError` only from `open`, when it can never work as configured; whatever goes wrong later (a line
of garbage, a device unplugged) is told through `faults` and gone on from. It neither signs nor records.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

FEMTOSECONDS_PER_S = 10**15
GREATEST_X_FS = 9_000 * FEMTOSECONDS_PER_S
"""A reading beyond ±9000 s would not fit 64-bit femtoseconds; no counter measures it."""


class InstrumentUnavailableError(Exception):
    """The instrument cannot work as configured; one sentence."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading: clock `a` minus clock `b` is `x_fs` fs at `epoch` (TAI ns); `u_fs` is k = 1, None when unknown.

    `bound_fs`: the most that a constant error may add which `u_fs` does not hold, such as the asymmetry of a network;
    None where there is no such error.
    """

    epoch: int
    a: str
    b: str
    x_fs: int
    u_fs: int | None = None
    bound_fs: int | None = None


@dataclass
class Faults:
    """What an instrument could not use: a total, and the latest sentences until somebody takes them."""

    count: int = 0
    latest: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def add(self, sentence: str) -> None:
        """Count one fault; the oldest untaken sentence makes room when there are too many."""
        self.count += 1
        self.latest.append(sentence)

    def take(self) -> list[str]:
        """The sentences since the last call."""
        taken = list(self.latest)
        self.latest.clear()
        return taken


class Instrument(Protocol):
    """One source of readings. `whole_epochs`: every call gives complete epochs, so nothing need be waited for."""

    name: str
    faults: Faults
    whole_epochs: bool

    def open(self) -> None:
        """Get ready; raises `InstrumentUnavailableError` when it never can be."""

    def read(self, until_raw_ns: int) -> list[Sample]:
        """The readings since the last call; waits for some, but never beyond RAW `until_raw_ns`."""

    def close(self) -> None:
        """Let go of the device; may be called twice."""
