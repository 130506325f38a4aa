"""What the Kalman scale remembers between two epochs, and its exact way into a ledger payload and back.

Sign: coordinates are clock minus pivot, the common mode is the pivot minus the scale. What it does not hold: the rules
(`KalmanParameters`), or readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble.errors import StateError
from timeball.ensemble.kalman.columns import COUNTS, MARKS
from timeball.ensemble.payloads import read_column, read_epoch, read_list, read_names

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NAME = "Kalman"
VERSION = 1
WATCHED = ("watched_x", "watched_y")
WATCHED_COUNTS = ("watched_seen", "watched_count")


@dataclass(eq=False)
class KalmanState:
    """The state after an epoch.

    epoch: the last epoch processed, ns of TAI, None before the first; rows: epochs processed.
    carrying: the clocks of the filter, in the order of their names; watched: those without weight, likewise.
    pivot: a name out of `carrying` ("" while there is none). drifts, flickers: which of them have a drift, and stages;
    stages: how many. x, P: state and covariance in the coordinates of `layout`. common: (x_p, y_p, d_0).
    counts, marks: int64 and float64[n, columns], see `columns`. watched_*: phase (s), rate, epoch and number of the
    readings of the watched clocks.
    """

    epoch: int | None
    rows: int
    carrying: tuple[str, ...]
    pivot: str
    drifts: tuple[bool, ...]
    flickers: tuple[bool, ...]
    stages: int
    x: FloatArray
    P: FloatArray
    common: FloatArray
    counts: IntArray
    marks: FloatArray
    watched: tuple[str, ...]
    watched_x: FloatArray
    watched_y: FloatArray
    watched_seen: IntArray
    watched_count: IntArray

    @property
    def clocks(self) -> tuple[str, ...]:
        """Every clock it knows, in the order of their names."""
        return tuple(sorted((*self.carrying, *self.watched)))

    @classmethod
    def empty(cls) -> KalmanState:
        """The state before the first reading of the first clock."""
        none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
        return cls(
            epoch=None,
            rows=0,
            carrying=(),
            pivot="",
            drifts=(),
            flickers=(),
            stages=0,
            x=none,
            P=np.zeros((0, 0)),
            common=np.zeros(3),
            counts=np.zeros((0, len(COUNTS)), dtype=np.int64),
            marks=np.zeros((0, len(MARKS))),
            watched=(),
            watched_x=none,
            watched_y=none,
            watched_seen=whole,
            watched_count=whole,
        )

    def copy(self) -> KalmanState:
        """The same state in arrays of its own."""
        arrays: dict[str, Any] = {
            name: each.copy() for name, each in vars(self).items() if isinstance(each, np.ndarray)
        }
        return replace(self, **arrays)

    def to_payload(self) -> dict[str, Any]:
        """JSON without floats: integers, epochs as decimal strings, other numbers as shortest round-trip strings.

        `covariance` is the lower triangle of P, row by row.
        """
        payload: dict[str, Any] = {
            "algorithm": NAME,
            "version": VERSION,
            "epoch": None if self.epoch is None else str(self.epoch),
            "rows": self.rows,
            "clocks": list(self.carrying),
            "pivot": self.pivot,
            "drifts": list(self.drifts),
            "flickers": list(self.flickers),
            "stages": self.stages,
            "state": _words(self.x),
            "covariance": _words(self.P[np.tril_indices(len(self.x))]),
            "common": _words(self.common),
            "watched": list(self.watched),
        }
        payload |= {name: [str(value) for value in self.counts[:, k].tolist()] for k, name in enumerate(COUNTS)}
        payload |= {name: _words(self.marks[:, k]) for k, name in enumerate(MARKS)}
        payload |= {name: _words(getattr(self, name)) for name in WATCHED}
        return payload | {name: [str(value) for value in getattr(self, name).tolist()] for name in WATCHED_COUNTS}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> KalmanState:
        """Read `to_payload` back, bit for bit; raises ``StateError`` for anything else."""
        if payload.get("algorithm") != NAME or payload.get("version") != VERSION:
            raise StateError(f"not a Kalman state of version {VERSION}")
        carrying, watched = read_names(payload, "clocks"), read_names(payload, "watched")
        clocks, stages = len(carrying), _whole(payload, "stages", 8)
        drifts, flickers = _flags(payload, "drifts", clocks), _flags(payload, "flickers", clocks)
        pivot = payload.get("pivot")
        if pivot not in (carrying or ("",)):
            raise StateError("field 'pivot' of the state must be one of its clocks")
        n = 2 * clocks + sum(drifts) + stages * sum(flickers)
        P = np.zeros((n, n))
        rows, columns = np.tril_indices(n)
        P[rows, columns] = _floats(payload, "covariance", len(rows))
        P[columns, rows] = P[rows, columns]
        return cls(
            epoch=read_epoch(payload, "epoch"),
            rows=_whole(payload, "rows", 2**53),
            carrying=carrying,
            pivot=pivot,
            drifts=drifts,
            flickers=flickers,
            stages=stages,
            x=_floats(payload, "state", n),
            P=P,
            common=_floats(payload, "common", 3),
            counts=np.array([_ints(payload, name, clocks) for name in COUNTS], np.int64).T.copy(),
            marks=np.array([_floats(payload, name, clocks) for name in MARKS], np.float64).T.copy(),
            watched=watched,
            watched_x=_floats(payload, "watched_x", len(watched)),
            watched_y=_floats(payload, "watched_y", len(watched)),
            watched_seen=_ints(payload, "watched_seen", len(watched)),
            watched_count=_ints(payload, "watched_count", len(watched)),
        )


def _words(values: FloatArray) -> list[str]:
    return [repr(value) for value in values.tolist()]


def _flags(payload: Mapping[str, Any], field: str, n: int) -> tuple[bool, ...]:
    values = read_list(payload.get(field), field, n)
    if not all(isinstance(value, bool) for value in values):
        raise StateError(f"field {field!r} of the state must hold true or false")
    return tuple(values)


def _floats(payload: Mapping[str, Any], field: str, n: int) -> FloatArray:
    found: FloatArray = read_column(payload.get(field), field, n, float)
    if not np.isfinite(found).all():
        raise StateError(f"field {field!r} of the state must hold finite numbers")
    return found


def _ints(payload: Mapping[str, Any], field: str, n: int) -> IntArray:
    found: IntArray = read_column(payload.get(field), field, n, int)
    return found


def _whole(payload: Mapping[str, Any], field: str, most: int) -> int:
    value = payload.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise StateError(f"field {field!r} of the state must be a whole number from 0 to {most}")
    return value
