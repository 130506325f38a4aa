"""The columnar record of clock comparisons. Sign: x is x_a − x_b, clock a minus clock b, in seconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from timeball.readings.names import did_you_mean

EpochArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]
ScalarT = TypeVar("ScalarT", bound=np.generic)
_SCALE = re.compile(r"[^()]+\([^()]+\)")


class ReadingsError(ValueError):
    """Columns that do not belong together: shapes, indices or names that do not fit."""


def is_scale(name: str) -> bool:
    """Tell whether a name is a time scale on paper, such as UTC(k), rather than a clock."""
    return _SCALE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Comparisons as columns of equal length n; build with :meth:`from_columns`, which checks them.

    clocks: the names; epoch: int64[n], ns of TAI since 1970; a, b: int32[n], indices into ``clocks``;
    x: float64[n], x_a − x_b in s; u: float64[n], its standard uncertainty in s (k = 1, NaN when unknown).
    """

    clocks: tuple[str, ...]
    epoch: EpochArray
    a: IndexArray
    b: IndexArray
    x: FloatArray
    u: FloatArray

    @classmethod
    def from_columns(
        cls,
        clocks: Sequence[str],
        epoch: npt.ArrayLike,
        a: npt.ArrayLike,
        b: npt.ArrayLike,
        x: npt.ArrayLike,
        u: npt.ArrayLike | None = None,
    ) -> Readings:
        """Check and freeze columns; ``u`` may be left out (unknown). Raises ``ReadingsError``."""
        names = tuple(clocks)
        if len(set(names)) != len(names) or not all(names):
            raise ReadingsError("clock names must be distinct and not empty")
        values = _frozen(x, np.float64)
        sigma = np.full(values.shape, np.nan) if u is None else u
        readings = cls(
            names,
            _frozen(epoch, np.int64),
            _frozen(a, np.int32),
            _frozen(b, np.int32),
            values,
            _frozen(sigma, np.float64),
        )
        readings._check()
        return readings

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[int, str, str, float, float]]) -> Readings:
        """Build from rows (epoch ns, name a, name b, x_a − x_b in s, u in s); names are numbered as they appear."""
        table = list(rows)
        names = tuple(dict.fromkeys(name for row in table for name in row[1:3]))
        index = {name: number for number, name in enumerate(names)}
        epoch, a, b, x, u = zip(*table, strict=True) if table else ((), (), (), (), ())
        return cls.from_columns(names, epoch, [index[name] for name in a], [index[name] for name in b], x, u)

    @classmethod
    def empty(cls, clocks: Sequence[str] = ()) -> Readings:
        """Make a record without readings."""
        return cls.from_columns(clocks, [], [], [], [], [])

    def _check(self) -> None:
        shapes = {column.shape for column in (self.epoch, self.a, self.b, self.x, self.u)}
        if len(shapes) != 1 or self.x.ndim != 1:
            raise ReadingsError(f"columns must be one-dimensional and of one length, not {sorted(shapes)}")
        for column in (self.a, self.b):
            if column.size and not (column.min() >= 0 and column.max() < len(self.clocks)):
                raise ReadingsError(f"a clock index is outside 0 … {len(self.clocks) - 1}")
        if np.any(self.a == self.b):
            raise ReadingsError("a clock cannot be compared with itself")

    def __len__(self) -> int:
        return int(self.epoch.size)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Readings:
        """Keep some rows (mask or indices); the clock list stays."""
        return Readings.from_columns(
            self.clocks, self.epoch[rows], self.a[rows], self.b[rows], self.x[rows], self.u[rows]
        )

    def _columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        return self.epoch, self.a, self.b, self.x, self.u

    @classmethod
    def concat(cls, parts: Iterable[Readings]) -> Readings:
        """Join records one after the other; clocks are merged by name, in the order in which they appear."""
        records = list(parts)
        names = tuple(dict.fromkeys(name for record in records for name in record.clocks))
        index = {name: number for number, name in enumerate(names)}
        if not records:
            return cls.empty()
        maps = [np.array([index[name] for name in record.clocks], dtype=np.int32) for record in records]
        return cls.from_columns(
            names,
            np.concatenate([record.epoch for record in records]),
            np.concatenate([to[record.a] for to, record in zip(maps, records, strict=True)]),
            np.concatenate([to[record.b] for to, record in zip(maps, records, strict=True)]),
            np.concatenate([record.x for record in records]),
            np.concatenate([record.u for record in records]),
        )

    def select(self, clocks: Iterable[str]) -> Readings:
        """Keep the readings that touch a named clock (the other end may be a pivot); unused names are dropped.

        Raises ``ReadingsError`` naming every clock that the record does not know.
        """
        wanted = list(dict.fromkeys(clocks))
        unknown = [name for name in wanted if name not in self.clocks]
        if unknown:
            near = did_you_mean(unknown[0], self.clocks)
            raise ReadingsError(f"no such clock in these readings: {', '.join(unknown)}{near}")
        named = np.array([name in wanted for name in self.clocks], dtype=bool)
        kept = self.take(named[self.a] | named[self.b])
        used = set(np.unique(np.concatenate([kept.a, kept.b])).tolist()) | set(np.flatnonzero(named).tolist())
        order = sorted(used)
        renumber = np.zeros(len(self.clocks), dtype=np.int32)
        renumber[order] = np.arange(len(order), dtype=np.int32)
        names = [self.clocks[number] for number in order]
        return Readings.from_columns(names, kept.epoch, renumber[kept.a], renumber[kept.b], kept.x, kept.u)

    def sorted(self) -> Readings:
        """Order by epoch, then a, then b; equal rows keep their order."""
        return self.take(np.lexsort((self.b, self.a, self.epoch)))

    def equals(self, other: Readings) -> bool:
        """Tell whether two records are the same to the last bit (NaN equals NaN)."""
        return self.clocks == other.clocks and all(
            np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")
            for mine, theirs in zip(self._columns(), other._columns(), strict=True)
        )


def _frozen(values: npt.ArrayLike, dtype: type[ScalarT]) -> npt.NDArray[ScalarT]:
    array = np.ascontiguousarray(values, dtype=dtype).view()
    array.flags.writeable = False
    return array
