"""What AT1 remembers between two epochs, and its exact way into a ledger payload and back.

Sign: x_i is clock i minus the scale (s), y_i its rate, d_i its drift (1/s). What it does not hold: the rules
(`AT1Parameters`), or readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble.errors import StateError
from timeball.ensemble.payloads import read_column, read_epoch, read_names

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
VERSION = 1

FLOATS = ("x", "y", "d", "eps2", "streak_s", "streak_tau_s")
COUNTS = ("seen_count", "rate_count", "error_count", "learned", "streak", "beyond", "code")


@dataclass(eq=False)
class AT1State:
    """The state after an epoch: `clocks` in the order of their names, and one array entry per clock.

    epoch: the last epoch processed, ns of TAI, None before the first.
    x (s), y, d (1/s): phase and rate against the scale at the clock's own last reading, and its drift.
    eps2: mean square prediction error (s²), unbiased, for the parameters' `interval_s`.
    seen: epoch of the last reading (ns of TAI; 0 while seen_count is 0).
    seen_count, rate_count, error_count: readings, rates and errors behind x, y and eps2.
    learned: ordinary predictions since learning began. streak: consecutive errors beyond the limit, with their sign;
    streak_s, streak_tau_s: their sum and the time they took; beyond: such errors of any sign. code: last reason code.
    """

    epoch: int | None
    clocks: tuple[str, ...]
    x: FloatArray
    y: FloatArray
    d: FloatArray
    eps2: FloatArray
    seen: IntArray
    seen_count: IntArray
    rate_count: IntArray
    error_count: IntArray
    learned: IntArray
    streak: IntArray
    beyond: IntArray
    streak_s: FloatArray
    streak_tau_s: FloatArray
    code: IntArray

    @classmethod
    def empty(cls) -> AT1State:
        """The state before the first reading of the first clock."""
        return cls.of_clocks(())

    @classmethod
    def of_clocks(cls, clocks: Sequence[str]) -> AT1State:
        """A state that knows the names of some clocks and nothing about them."""
        names = tuple(sorted(clocks))
        n = len(names)
        columns: dict[str, Any] = {name: np.zeros(n) for name in FLOATS}
        columns |= {name: np.zeros(n, dtype=np.int64) for name in (*COUNTS, "seen")}
        return cls(epoch=None, clocks=names, **columns)

    def with_clocks(self, clocks: Sequence[str]) -> AT1State:
        """A copy that also knows `clocks`; the names stay in order, so that no sum depends on who joined when."""
        if set(clocks) <= set(self.clocks):
            columns = {name: getattr(self, name).copy() for name in (*FLOATS, *COUNTS, "seen")}
            return AT1State(epoch=self.epoch, clocks=self.clocks, **columns)
        grown = AT1State.of_clocks(tuple(set(self.clocks) | set(clocks)))
        grown.epoch = self.epoch
        places = [grown.clocks.index(name) for name in self.clocks]
        for name in (*FLOATS, *COUNTS, "seen"):
            getattr(grown, name)[places] = getattr(self, name)
        return grown

    def to_payload(self) -> dict[str, Any]:
        """JSON without floats: integers, epochs as decimal strings, other numbers as shortest round-trip strings."""
        payload: dict[str, Any] = {
            "algorithm": "AT1",
            "version": VERSION,
            "epoch": None if self.epoch is None else str(self.epoch),
            "clocks": list(self.clocks),
            "seen": [str(epoch) for epoch in self.seen.tolist()],
        }
        payload |= {name: [repr(value) for value in getattr(self, name).tolist()] for name in FLOATS}
        return payload | {name: getattr(self, name).tolist() for name in COUNTS}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> AT1State:
        """Read `to_payload` back, bit for bit; raises ``StateError`` for anything else."""
        if payload.get("algorithm") != "AT1" or payload.get("version") != VERSION:
            raise StateError(f"not an AT1 state of version {VERSION}")
        clocks = read_names(payload, "clocks")
        n = len(clocks)
        return cls(
            epoch=read_epoch(payload, "epoch"),
            clocks=clocks,
            seen=read_column(payload.get("seen"), "seen", n, int),
            **{name: read_column(payload.get(name), name, n, float) for name in FLOATS},
            **{name: read_column(payload.get(name), name, n, int) for name in COUNTS},
        )
