"""What the detectors remember between two epochs, and its exact form in the ledger.

Phases in it are whole femtoseconds, as the scale's entries record them. What it does not hold: the rules, or findings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble.errors import StateError
from timeball.ensemble.payloads import read_column, read_epoch, read_names
from timeball.integrity.anomalies.kernels import CELLS, NOISE_BLOCK, WINDOWS
from timeball.integrity.anomalies.rules import AnomalyError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
VERSION = 1
BY_ROW = ("mean", "square", "count")
BY_CLOCK = ("noise_sum", "noise_count")


@dataclass(eq=False)
class DetectorState:
    """The state after an epoch. A row is a clock, or after the clocks a link.

    start, epoch: first and last epoch processed, ns of TAI, None before the first. cell: int64[levels], the newest
    cell of each level, counted from the start; −1 before the first.
    ring: float64[levels, CELLS, n], phases (fs) of the last cells, NaN where missing, the newest last.
    mean, square, count: [levels, windows, 2, rows]: mean (fs) and variance (fs²) of a clock's own contrasts (of a link:
    0, and what it adds to its clocks' variance), and how many were seen.
    alarm: int64[levels, windows], cells since something was beyond its limit and not judged yet; 0 for none.
    noise_sum, noise_count: [levels, n], the block of squares in which a change of noise is looked for; the count is
    below 0 until a block has confirmed the clock's noise.
    held: int64[n], epoch (ns of TAI) until which a clock is not trusted; 0 for none.
    """

    start: int | None
    epoch: int | None
    clocks: tuple[str, ...]
    links: tuple[str, ...]
    cell: IntArray
    ring: FloatArray
    mean: FloatArray
    square: FloatArray
    count: IntArray
    alarm: IntArray
    noise_sum: FloatArray
    noise_count: IntArray
    held: IntArray

    @classmethod
    def empty(cls, levels: int = 0) -> DetectorState:
        """The state before the first epoch."""
        return cls.of_names((), (), levels)

    @classmethod
    def of_names(cls, clocks: Sequence[str], links: Sequence[str], levels: int) -> DetectorState:
        """A state that knows names and nothing about them."""
        n, rows = len(clocks), len(clocks) + len(links)
        by_row = (levels, len(WINDOWS), 2, rows)
        return cls(
            start=None,
            epoch=None,
            clocks=tuple(sorted(clocks)),
            links=tuple(sorted(links)),
            cell=np.full(levels, -1, dtype=np.int64),
            ring=np.full((levels, CELLS, n), np.nan),
            mean=np.zeros(by_row),
            square=np.zeros(by_row),
            count=np.zeros(by_row, dtype=np.int64),
            alarm=np.zeros((levels, len(WINDOWS)), dtype=np.int64),
            noise_sum=np.zeros((levels, n)),
            noise_count=np.full((levels, n), -NOISE_BLOCK, dtype=np.int64),
            held=np.zeros(n, dtype=np.int64),
        )

    def with_names(self, clocks: Sequence[str], links: Sequence[str], levels: int) -> DetectorState:
        """A copy that also knows `clocks`, with these links; a link that is no longer one is forgotten."""
        after = DetectorState.of_names(tuple({*self.clocks, *clocks}), tuple(links), levels)
        after.start, after.epoch = self.start, self.epoch
        kept = min(levels, len(self.cell))
        after.cell[:kept], after.alarm[:kept] = self.cell[:kept], self.alarm[:kept]
        places = [after.clocks.index(name) for name in self.clocks]
        after.ring[:kept, :, places] = self.ring[:kept]
        after.held[places] = self.held
        for name in BY_CLOCK:
            getattr(after, name)[:kept, places] = getattr(self, name)[:kept]
        old = [j for j, link in enumerate(self.links) if link in after.links]
        sources = [*range(len(self.clocks)), *(len(self.clocks) + j for j in old)]
        targets = [*places, *(len(after.clocks) + after.links.index(self.links[j]) for j in old)]
        for name in BY_ROW:
            getattr(after, name)[:kept, :, :, targets] = getattr(self, name)[:kept][:, :, :, sources]
        return after

    def held_until(self, clock: str) -> int | None:
        """The epoch (ns of TAI) until which a clock is not trusted after an anomaly; None when it is trusted."""
        if clock not in self.clocks:
            return None
        until = int(self.held[self.clocks.index(clock)])
        return until if self.epoch is not None and until > self.epoch else None

    def to_payload(self) -> dict[str, Any]:
        """JSON without floats: fs and epochs as decimal strings, other numbers as shortest round-trip strings."""
        payload: dict[str, Any] = {
            "detectors": "anomalies",
            "version": VERSION,
            "start": None if self.start is None else str(self.start),
            "epoch": None if self.epoch is None else str(self.epoch),
            "clocks": list(self.clocks),
            "links": list(self.links),
            "levels": len(self.cell),
            "cell": [str(value) for value in self.cell.tolist()],
            "held": [str(value) for value in self.held.tolist()],
            "ring_fs": [None if math.isnan(value) else str(int(value)) for value in self.ring.ravel().tolist()],
        }
        payload |= {name: [repr(value) for value in getattr(self, name).ravel().tolist()] for name in _FLOATS}
        return payload | {name: getattr(self, name).ravel().tolist() for name in _COUNTS}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> DetectorState:
        """Read `to_payload` back, bit for bit; raises ``AnomalyError`` for anything else."""
        if payload.get("detectors") != "anomalies" or payload.get("version") != VERSION:
            raise AnomalyError(f"not a state of the anomaly detectors, version {VERSION}")
        try:
            return cls._read(payload)
        except StateError as error:
            raise AnomalyError(str(error)) from error

    @classmethod
    def _read(cls, payload: Mapping[str, Any]) -> DetectorState:
        clocks, links = read_names(payload, "clocks"), read_names(payload, "links")
        levels = payload.get("levels")
        if not isinstance(levels, int) or not 0 <= levels <= 64:
            raise AnomalyError("field 'levels' of the state must be a small number")
        state = cls.of_names(clocks, links, levels)
        state.start, state.epoch = read_epoch(payload, "start"), read_epoch(payload, "epoch")
        for name in ("cell", "held", *_FLOATS, *_COUNTS):
            here = getattr(state, name)
            kind = float if here.dtype == np.float64 else int
            here[...] = read_column(payload.get(name), name, here.size, kind).reshape(here.shape)
        ring = read_column(payload.get("ring_fs"), "ring_fs", state.ring.size, _phase)
        state.ring[...] = ring.reshape(state.ring.shape)
        return state


_FLOATS = ("mean", "square", "noise_sum")
_COUNTS = ("count", "alarm", "noise_count")


def _phase(text: str | None) -> float:
    return np.nan if text is None else float(int(text))
