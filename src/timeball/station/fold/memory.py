"""What the fold remembers between two batches, apart from the ensemble's own state, and its way into a snapshot.

s = UTC(k) − TA(k), so UTC(k) − UTC = s − (UTC − TA(k)); the output's residual is x_OUT − s. Pure; it decides nothing.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from timeball.station.fold.parameters import AT1
from timeball.station.fold.rules import without_floats
from timeball.steering.offset import fit_offset
from timeball.steering.paper import PaperOffset

LATER = {"witness": 2, "upgrade": 2, "carrier": 3, "published": 3, "rates": 3, "doubted": 4, "undo": 4, "take_back": 4}
"""Members of the memory that stand in a snapshot of this version, and only when there is something to say."""
COSIGNED = "cosigned"
WITNESS_STATES = (COSIGNED, "missing")
LEAST_POINTS = 24
"""Readings of UTC before anything is said of it: a day of hourly ones."""


class MemoryUnknown(ValueError):
    """A recorded memory that this software cannot read; one sentence."""


class Command(msgspec.Struct, frozen=True):
    """What the stepper was last ordered: its number and the rate of the output against its source."""

    id: int = 0
    rate: float = 0.0


class UTCPoint(msgspec.Struct, frozen=True, array_like=True):
    """UTC − TA(k) (s) at an epoch (TAI ns), as read over the link."""

    epoch: int
    x_s: float


class Published(msgspec.Struct, frozen=True, array_like=True, order=True):
    """UTC(k) − UTC (s) at an epoch (TAI ns) as a bulletin gave it, its uncertainty (s), and since when it was known."""

    epoch: int
    x_s: float
    u_s: float
    published: int
    source: str


class Doubted(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A published value that lies where it cannot, and the bulletin's entry; no law uses it."""

    epoch: int
    x_s: float
    u_s: float
    published: int
    source: str
    entry: int


class Undo(msgspec.Struct, frozen=True):
    """What the last steer of UTC(k), decided at `epoch` (TAI ns), replaced: the rate, and what commissioned it."""

    epoch: int
    rate: float
    commissioned: float | None = None


class Rate(msgspec.Struct, frozen=True, array_like=True):
    """The rate of UTC(k) against TA(k) from an epoch (TAI ns) on."""

    epoch: int
    rate: float


class Witnessed(msgspec.Struct, frozen=True):
    """What the witness stream last said: `cosigned` or `missing`, in which entry, and when (that entry's TAI ns)."""

    state: str
    entry: int
    time: int | None = None


class Memory(msgspec.Struct):
    """Everything the fold remembers: decisions `emitted`, the entry they came `through`, UTC(k), UTC, orders, key.

    config: the entry whose rules hold, −1 for none; found again without looking back through a year of entries.
    commissioned: rate of UTC(k) against TA(k) that its first steer set; the envelope counts from there.
    witness: what is known of the witnesses, None before they were heard of.
    upgrade: version of the rules that an `upgrade` entry has announced and no `config` entry has brought yet.
    carrier: key of the algorithm that carries TA(k), None for AT1.
    published: what bulletins gave of UTC(k) − UTC; rates: those of UTC(k), for the laws that look back on both.
    doubted: what bulletins gave and cannot be. undo: what taking the last steer back brings back, None when there is
    none. take_back: the entry that asks for it, None when nobody does.
    """

    emitted: int = 0
    through: int = -1
    config: int = -1
    scales: int = 0
    paper: PaperOffset | None = None
    points: list[UTCPoint] = msgspec.field(default_factory=list)
    commissioned: float | None = None
    steered: int | None = None
    tracked: int | None = None
    command: Command = Command()
    collector: str = ""
    witness: Witnessed | None = None
    upgrade: int | None = None
    carrier: str | None = None
    published: list[Published] | None = None
    rates: list[Rate] | None = None
    doubted: list[Doubted] | None = None
    undo: Undo | None = None
    take_back: int | None = None

    @property
    def version(self) -> int:
        """Version of the snapshot that can carry this memory."""
        return max([1, *(since for name, since in LATER.items() if getattr(self, name) is not None)])

    @property
    def carrying(self) -> str:
        """Key of the algorithm that carries TA(k)."""
        return self.carrier or AT1

    def residual(self, x_output_s: float, epoch: int) -> float:
        """Output minus UTC(k) (s): what the signal does that neither TA(k) nor the steers explain."""
        return x_output_s - self.paper.at(epoch) if self.paper is not None else math.nan

    def utck_minus_utc(self, epoch: int) -> tuple[float, float, float]:
        """Offset (s), rate, and the offset's standard uncertainty (s) of UTC(k) − UTC; NaN before a day of points."""
        if self.paper is None or len(self.points) < LEAST_POINTS:
            return math.nan, math.nan, math.nan
        epochs = np.array([point.epoch for point in self.points], np.int64)
        x_s, y, u_s, _ = fit_offset(epochs, np.array([point.x_s for point in self.points]), epoch)
        return self.paper.at(epoch) - x_s, self.paper.rate_at(epoch) - y, u_s

    def remember_utc(self, points: list[UTCPoint], oldest: int) -> None:
        """Take new points in, and forget those before `oldest` (TAI ns)."""
        self.points = [point for point in (*self.points, *points) if point.epoch >= oldest]

    def to_payload(self) -> dict[str, Any]:
        """The memory as a snapshot carries it."""
        payload = big_epochs(without_floats(msgspec.to_builtins(self)), "steered", "tracked")
        payload["paper"] = paper_payload(self.paper)
        if self.witness is not None:
            payload["witness"] = big_epochs(payload["witness"], "time")
        payload["points"] = [[str(point.epoch), repr(point.x_s)] for point in self.points]
        if self.published is not None:
            rows = [msgspec.structs.astuple(point) for point in self.published]
            payload["published"] = [[str(e), repr(x_s), repr(u_s), str(at), source] for e, x_s, u_s, at, source in rows]
        if self.doubted is not None:
            payload["doubted"] = [
                [str(one.epoch), repr(one.x_s), repr(one.u_s), str(one.published), one.source, one.entry]
                for one in self.doubted
            ]
        if self.undo is not None:
            payload["undo"] = big_epochs(payload["undo"], "epoch")
        if self.rates is not None:
            payload["rates"] = [[str(one.epoch), repr(one.rate)] for one in self.rates]
        # a snapshot of an older version has none of them
        return {name: value for name, value in payload.items() if value is not None or name not in LATER}

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> Memory:
        """Read what `to_payload` wrote, bit for bit; raises `MemoryUnknown`."""
        try:
            return msgspec.convert(payload, cls, strict=False)
        except msgspec.ValidationError as error:
            raise MemoryUnknown(f"this is no memory of the fold: {error}") from error


def paper_payload(paper: PaperOffset | None) -> dict[str, Any] | None:
    """UTC(k) − TA(k) as entries carry it, so that a reader need not fold the steers."""
    return big_epochs(without_floats(msgspec.to_builtins(paper)), "epoch", "change") if paper is not None else None


def paper_of(payload: dict[str, Any] | None) -> PaperOffset | None:
    """The paper offset of a scale entry's payload."""
    return msgspec.convert(payload, PaperOffset, strict=False) if payload is not None else None


def big_epochs(payload: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The payload with the named epochs as decimal strings: they exceed 2⁵³."""
    return {key: str(value) if key in keys and value is not None else value for key, value in payload.items()}
