"""What ALGOS remembers between two epochs, and its exact way into a ledger payload and back.

Sign: x_i is clock i minus the scale (s), rates and drifts (1/s) likewise. What it does not hold: the rules
(`ALGOSParameters`), or readings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble.algos.parameters import MOST_WINDOWS
from timeball.ensemble.errors import StateError
from timeball.ensemble.payloads import read_column, read_epoch, read_list, read_names

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NAME = "ALGOS"
VERSION = 1

FLOATS = (
    "x",
    "noise2",
    "base",
    "drift",
    "sigma2",
    "sum_s",
    "sum_tau_s",
    "weight_s",
    "rate_step",
    "streak_s",
    "streak_tau_s",
)
COUNTS = (
    "seen_count",
    "error_count",
    "rate_count",
    "judged",
    "standing",
    "absent",
    "held",
    "own",
    "streak",
    "beyond",
    "code",
)
FLOAT_HISTORIES = ("rates", "squares")
EPOCHS = ("seen",)
EPOCH_HISTORIES = ("mids",)
PER_CLOCK = (*FLOATS, *COUNTS, *EPOCHS, *FLOAT_HISTORIES, *EPOCH_HISTORIES)


@dataclass(eq=False)
class ALGOSState:
    """The state after an epoch: `clocks` in the order of their names, and one array entry per clock.

    epoch: the last epoch processed, ns of TAI, None before the first. window: int64[2], start and end of the window
    that its interval lies in (ns of TAI), equal before the first.
    x (s): phase against the scale at the clock's own last reading. noise2: mean square error of one epoch (s²), for the
    parameters' `interval_s`. base, drift (1/s): predicted rate at the start of the window, and its slope.
    sigma2: mean square error of rates predicted for a window; standing: windows behind it.
    sum_s, sum_tau_s: phase gained and time measured in this window, steps apart; weight_s: weight · time in it;
    rate_step: what the rate stepped by in it. held: 1 suspended until the window ends, 2 abnormal in it.
    own: the prediction for this window was taken from the window itself, so that its error says nothing.
    rates, mids, squares [n, 12]: rates of past windows, the middles of these (ns of TAI), and squared errors of
    predicted rates, the newest first; rate_count and judged of them are there. absent: windows since the last one
    measured. streak: consecutive errors beyond the limit, with their sign; streak_s, streak_tau_s: their sum and the
    time they took; beyond: such errors of any sign. seen, seen_count, error_count: last reading (ns of TAI), readings,
    errors. code: last reason code.
    """

    epoch: int | None
    clocks: tuple[str, ...]
    window: IntArray
    x: FloatArray
    noise2: FloatArray
    base: FloatArray
    drift: FloatArray
    sigma2: FloatArray
    sum_s: FloatArray
    sum_tau_s: FloatArray
    weight_s: FloatArray
    rate_step: FloatArray
    streak_s: FloatArray
    streak_tau_s: FloatArray
    rates: FloatArray
    mids: IntArray
    squares: FloatArray
    seen: IntArray
    seen_count: IntArray
    error_count: IntArray
    rate_count: IntArray
    judged: IntArray
    standing: IntArray
    absent: IntArray
    held: IntArray
    own: IntArray
    streak: IntArray
    beyond: IntArray
    code: IntArray

    @classmethod
    def empty(cls) -> ALGOSState:
        """The state before the first reading of the first clock."""
        return cls.of_clocks(())

    @classmethod
    def of_clocks(cls, clocks: Sequence[str]) -> ALGOSState:
        """A state that knows the names of some clocks and nothing about them."""
        names = tuple(sorted(clocks))
        n = len(names)
        columns: dict[str, Any] = {name: np.zeros(n) for name in FLOATS}
        columns |= {name: np.zeros(n, dtype=np.int64) for name in (*COUNTS, *EPOCHS)}
        columns |= {name: np.zeros((n, MOST_WINDOWS)) for name in FLOAT_HISTORIES}
        columns |= {name: np.zeros((n, MOST_WINDOWS), dtype=np.int64) for name in EPOCH_HISTORIES}
        return cls(epoch=None, clocks=names, window=np.zeros(2, dtype=np.int64), **columns)

    def with_clocks(self, clocks: Sequence[str]) -> ALGOSState:
        """A copy that also knows `clocks`; the names stay in order, so that no sum depends on who joined when."""
        grown = ALGOSState.of_clocks(tuple(set(self.clocks) | set(clocks)))
        grown.epoch = self.epoch
        grown.window = self.window.copy()
        places = [grown.clocks.index(name) for name in self.clocks]
        for name in PER_CLOCK:
            getattr(grown, name)[places] = getattr(self, name)
        return grown

    def to_payload(self) -> dict[str, Any]:
        """JSON without floats: integers, epochs as decimal strings, other numbers as shortest round-trip strings."""
        payload: dict[str, Any] = {
            "algorithm": NAME,
            "version": VERSION,
            "epoch": None if self.epoch is None else str(self.epoch),
            "clocks": list(self.clocks),
            "window": [str(moment) for moment in self.window.tolist()],
        }
        payload |= {name: [repr(value) for value in getattr(self, name).tolist()] for name in FLOATS}
        payload |= {name: getattr(self, name).tolist() for name in COUNTS}
        payload |= {name: [str(moment) for moment in getattr(self, name).tolist()] for name in EPOCHS}
        payload |= {name: _rows(getattr(self, name), repr) for name in FLOAT_HISTORIES}
        return payload | {name: _rows(getattr(self, name), str) for name in EPOCH_HISTORIES}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> ALGOSState:
        """Read `to_payload` back, bit for bit; raises ``StateError`` for anything else."""
        if payload.get("algorithm") != NAME or payload.get("version") != VERSION:
            raise StateError(f"not an {NAME} state of version {VERSION}")
        clocks = read_names(payload, "clocks")
        n = len(clocks)
        return cls(
            epoch=read_epoch(payload, "epoch"),
            clocks=clocks,
            window=read_column(payload.get("window"), "window", 2, int),
            **{name: read_column(payload.get(name), name, n, float) for name in FLOATS},
            **{name: read_column(payload.get(name), name, n, int) for name in (*COUNTS, *EPOCHS)},
            **{name: _history(payload.get(name), name, n, float) for name in FLOAT_HISTORIES},
            **{name: _history(payload.get(name), name, n, int) for name in EPOCH_HISTORIES},
        )


def _rows(values: npt.NDArray[Any], words: Callable[[Any], str]) -> list[list[str]]:
    return [[words(value) for value in row] for row in values.tolist()]


def _history(rows: Any, name: str, n: int, kind: Callable[[Any], Any]) -> npt.NDArray[Any]:
    """One history [n, 12] of a payload; raises ``StateError`` naming the field."""
    dtype = np.int64 if kind is int else np.float64
    found = [read_column(row, name, MOST_WINDOWS, kind) for row in read_list(rows, name, n)]
    return np.array(found, dtype=dtype).reshape(n, MOST_WINDOWS)
