"""Which values of a bulletin count at once, and which are doubted until a second bulletin or a person agrees.

A value is held against those that count already, the station's own steers taken out of both (`steering.plausible`); of
a first bulletin, against its own neighbours. One that cannot be is remembered and used by no law until another
bulletin, recorded at least a day later, has a value that lies where it does, or an `instruction` names it. x is
UTC(k) − UTC (s). It finds errors, not intruders: who may write two bulletins is believed a day later. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from timeball.ledger.errors import BatchError
from timeball.station.configuration.settings import Steering
from timeball.station.fold.memory import Doubted, Memory, Published
from timeball.station.fold.published import DAY_NS, KEPT_NS, keep, rates_of
from timeball.steering.plausible import LEVEL_OF, Off, Value, agree, deviation
from timeball.steering.stepper import StepperCommand, commanded_phases

DOUBTED, LIFTED = "doubted", "lifted"
Payload = dict[str, Any]


class Seen(NamedTuple):
    """A bulletin's new points, the entry they stand in, and since when they are known (TAI ns)."""

    points: list[Published]
    entry: int
    known_ns: int


def judge(memory: Memory, law: Steering, seen: Seen) -> list[Payload]:
    """Take new points into the memory, as known or as doubted; gives the payload of each `doubt` entry that follows."""
    repeated = {(one.epoch, one.x_s, one.source) for one in memory.doubted or ()}
    # a value that is said again in the same words is no second opinion
    points = [one for one in seen.points if (one.epoch, one.x_s, one.source) not in repeated]
    free = _Free(memory)
    off = {point: found for point in points if (found := _off(free, law, point, memory, points)) and not found.fits}
    lifted, confirmed = _confirmed(free, law, memory, list(off), seen.known_ns)
    told = [
        _lift(rows, entry, seen.known_ns, memory, f"entry {seen.entry} agrees", seen.entry) for entry, rows in lifted
    ]
    keep(memory, [point for point in points if point not in off or point in confirmed])
    doubted = [point for point in off if point not in confirmed]
    if doubted:
        rows = [Doubted(one.epoch, one.x_s, one.u_s, one.published, one.source, seen.entry) for one in doubted]
        memory.doubted = sorted([*(memory.doubted or ()), *rows])
        told.append(_doubt(doubted, off, seen.entry))
    _forget(memory)
    return told


def accept(memory: Memory, entry: int, known_ns: int, by: int) -> list[Payload]:
    """What is doubted of one bulletin counts from now on, because instruction `by` says so; raises `BatchError`."""
    rows = [one for one in memory.doubted or () if one.entry == entry]
    if not rows:
        raise BatchError(f"nothing of entry {entry} is doubted")
    return [_lift(rows, entry, known_ns, memory, f"approved by entry {by}", by)]


class _Free:
    """Values without the steers of UTC(k); what is of before UTC(k) began is not judged."""

    def __init__(self, memory: Memory) -> None:
        rates = rates_of(memory)
        self.begins = rates[0].epoch if rates else None
        self.steers = [StepperCommand(at, rate.epoch, rate.rate) for at, rate in enumerate(rates, 1)]

    def values(self, points: Sequence[Published | Doubted]) -> list[Value]:
        """The points since UTC(k) began, as they would be if nothing had been steered."""
        mine = [point for point in points if self.begins is not None and point.epoch >= self.begins]
        steered = commanded_phases(self.steers, np.array([point.epoch for point in mine], np.int64)).tolist()
        return [Value(point.epoch, point.x_s - s, point.u_s) for point, s in zip(mine, steered, strict=True)]


def _off(free: _Free, law: Steering, point: Published, memory: Memory, points: list[Published]) -> Off | None:
    """How far a point is from those around it; None where nothing can be said."""
    mine = free.values([point])
    known = free.values(memory.published or ())
    if len(known) < LEVEL_OF:
        known += free.values([other for other in points if other is not point])
    return deviation(mine[0], known, law.bulletin_sigmas, law.max_rate_change) if mine else None


def _confirmed(
    free: _Free, law: Steering, memory: Memory, points: list[Published], known_ns: int
) -> tuple[list[tuple[int, list[Doubted]]], set[Published]]:
    """The doubted rows, by their entry, that new points agree with, and these points."""
    older = [one for one in memory.doubted or () if known_ns - one.published >= DAY_NS and free.values([one])]
    known = free.values(memory.published or ())
    pairs = [
        (row, point)
        for row, point in product(older, points)
        for one, other in [free.values([row, point])]
        if agree(one, other, known, law.bulletin_sigmas, law.max_rate_change)
    ]
    rows = sorted({row for row, _ in pairs})
    entries = sorted({row.entry for row in rows})
    return [(entry, [row for row in rows if row.entry == entry]) for entry in entries], {point for _, point in pairs}


def _lift(rows: list[Doubted], entry: int, known_ns: int, memory: Memory, why: str, by: int) -> Payload:
    """These rows count from `known_ns` on, so that a law has something new to answer."""
    memory.doubted = [one for one in memory.doubted or () if one not in rows] or None
    keep(memory, [Published(one.epoch, one.x_s, one.u_s, known_ns, one.source) for one in rows])
    epochs = [str(one.epoch) for one in rows]
    return {"bulletin": entry, "state": LIFTED, "by": by, "epochs": epochs, "why": why}


def _doubt(points: list[Published], off: dict[Published, Off], entry: int) -> Payload:
    worst = max(points, key=lambda point: abs(off[point].off_s) / off[point].may_s)
    found = off[worst]
    why = (
        f"{len(points)} value(s) of {worst.source} lie where they cannot: UTC(k) − UTC = {worst.x_s * 1e9:+.1f} ns at "
        f"epoch {worst.epoch} is {found.off_s * 1e9:+.1f} ns from the values around it, and {found.may_s * 1e9:.1f} ns "
        "are allowed; no law uses them until a bulletin of another day or a person agrees"
    )
    return {"bulletin": entry, "state": DOUBTED, "by": None, "epochs": [str(one.epoch) for one in points], "why": why}


def _forget(memory: Memory) -> None:
    """What is older than any law looks back is of no use."""
    oldest = max((one.epoch for one in (*(memory.published or ()), *(memory.doubted or ()))), default=0) - KEPT_NS
    memory.doubted = [one for one in memory.doubted or () if one.epoch >= oldest] or None
