"""Readings: the columnar record of clock comparisons that every room speaks, and the phase table made from it.

Sign: a reading is ``x_a − x_b``, clock *a* minus clock *b*, in seconds; a phase table holds ``x_i − x_reference``.
A name of the form ``WORD(WORD)``, as in UTC(k), TA(k) or GPST(ESOC), is a time scale, not a clock: it may stand in a
comparison, but it is no member of an ensemble and gets no column in a phase table unless it is asked for.

What it does not do: average redundant comparisons (a closed loop is broken at a fixed place), interpolate between
epochs, or judge the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

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
            raise ReadingsError(f"no such clock in these readings: {', '.join(unknown)}")
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


@dataclass(frozen=True, slots=True, eq=False)
class PhaseTable:
    """Phases per epoch: ``x`` float64[m, n] of x_i − x_pivot in s, NaN where a clock is missing.

    epochs: int64[m], increasing. pivot: int32[m], the column every value of the row is taken against: that of the
    reference, or of the first clock present where the reference is missing; −1 when the reference has no column
    (a time scale) and is present. Differences inside a row never depend on the pivot.
    """

    epochs: EpochArray
    clocks: tuple[str, ...]
    x: FloatArray
    pivot: IndexArray
    reference: str

    def against_reference(self) -> PhaseTable:
        """Keep only the epochs at which the reference itself was measured."""
        column = self.clocks.index(self.reference) if self.reference in self.clocks else -1
        rows = self.pivot == column
        return PhaseTable(self.epochs[rows], self.clocks, self.x[rows], self.pivot[rows], self.reference)


def phase_table(readings: Readings, reference: str | None = None, clocks: Sequence[str] | None = None) -> PhaseTable:
    """Turn comparisons into phases against one clock, by walking the comparison graph of each epoch.

    clocks: the columns wanted, default every clock that is not a time scale. reference: default the column with
    the most readings (the first of them). At each epoch the connected part with the most wanted clocks is kept, and
    a spanning tree is grown breadth first from its best connected clock, neighbours in the order of ``clocks``;
    so neither the reference nor the order of rows nor what else is in the batch changes a difference by more than
    rounding. Readings whose x is not finite are left out; of a pair measured twice in an epoch the first counts.
    Raises ``ReadingsError`` for unknown names.
    """
    columns = tuple(clocks) if clocks is not None else tuple(name for name in readings.clocks if not is_scale(name))
    unknown = [name for name in (*columns, *filter(None, [reference])) if name not in readings.clocks]
    if unknown:
        raise ReadingsError(f"no such clock in these readings: {', '.join(unknown)}")
    finite = np.isfinite(readings.x)
    ordered = (readings if finite.all() else readings.take(finite)).sorted()
    wanted = np.array([readings.clocks.index(name) for name in columns], dtype=np.intp)
    epochs, row = np.unique(ordered.epoch, return_inverse=True)
    whole = _star_phases(ordered, row, len(epochs))
    if whole is None:
        whole = _graph_phases(ordered, row, len(epochs), wanted)
    if reference is None:
        reference = _fullest(columns, whole[:, wanted])
    x = whole[:, wanted]
    measured = whole[:, readings.clocks.index(reference)] if reference else np.full(len(epochs), np.nan)
    present = np.isfinite(measured)
    stand_in = np.argmax(np.isfinite(x), axis=1) if columns else np.zeros(len(epochs), dtype=np.intp)
    pivot = np.where(present, columns.index(reference) if reference in columns else -1, stand_in).astype(np.int32)
    against = np.where(present, measured, x[np.arange(len(epochs)), stand_in] if columns else np.nan)
    some = np.isfinite(x).any(axis=1)  # an epoch at which none of the wanted clocks was measured is no row
    return PhaseTable(epochs[some], columns, (x - against[:, None])[some], pivot[some], reference)


def _star_phases(ordered: Readings, row: npt.NDArray[np.intp], epochs: int) -> FloatArray | None:
    """Scatter the common case, every clock against one and the same hub; None when it is not that case."""
    if not len(ordered) or np.any(ordered.b != ordered.b[0]):
        return None
    whole = np.full((epochs, len(ordered.clocks)), np.nan)
    first = np.append(True, (row[1:] != row[:-1]) | (ordered.a[1:] != ordered.a[:-1]))  # the rows are sorted
    whole[row[first], ordered.a[first]] = ordered.x[first]
    whole[:, ordered.b[0]] = 0.0
    return whole


def _graph_phases(
    ordered: Readings, row: npt.NDArray[np.intp], epochs: int, wanted: npt.NDArray[np.intp]
) -> FloatArray:
    """Walk one spanning tree per distinct pattern of pairs, for all epochs with that pattern at once."""
    whole = np.full((epochs, len(ordered.clocks)), np.nan)
    starts = np.searchsorted(row, np.arange(epochs + 1))
    patterns: dict[bytes, list[int]] = {}
    for epoch, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        key = ordered.a[start:stop].tobytes() + ordered.b[start:stop].tobytes()
        patterns.setdefault(key, []).append(epoch)
    members = frozenset(wanted.tolist())
    for found in patterns.values():
        rows = np.array(found)
        start, stop = starts[rows[0]], starts[rows[0] + 1]
        root, steps = _spanning_tree(ordered.a[start:stop].tolist(), ordered.b[start:stop].tolist(), members)
        whole[rows, root] = 0.0
        for child, parent, reading, sign in steps:
            whole[rows, child] = whole[rows, parent] + sign * ordered.x[starts[rows] + reading]
    return whole


def _spanning_tree(
    a: list[int], b: list[int], members: frozenset[int]
) -> tuple[int, list[tuple[int, int, int, float]]]:
    """Choose the part to keep and its root; give the steps (child, parent, reading, sign) in order of walking."""
    near: dict[int, dict[int, tuple[int, float]]] = {}
    for reading, (first, second) in enumerate(zip(a, b, strict=True)):
        near.setdefault(first, {}).setdefault(second, (reading, -1.0))  # x_b = x_a − x
        near.setdefault(second, {}).setdefault(first, (reading, 1.0))  # x_a = x_b + x
    parts: list[list[int]] = []
    seen: set[int] = set()
    for clock in sorted(near):
        if clock not in seen:
            parts.append(sorted({clock, *(child for child, _, _, _ in _walk(near, clock))}))
            seen.update(parts[-1])
    best = max(parts, key=lambda part: (sum(clock in members for clock in part), -part[0]))
    root = max(best, key=lambda clock: (len(near[clock]), -clock))
    return root, _walk(near, root)


def _walk(near: dict[int, dict[int, tuple[int, float]]], root: int) -> list[tuple[int, int, int, float]]:
    steps: list[tuple[int, int, int, float]] = []
    seen, queue = {root}, [root]
    for parent in queue:
        for child in sorted(near[parent]):
            if child not in seen:
                seen.add(child)
                queue.append(child)
                steps.append((child, parent, *near[parent][child]))
    return steps


def _fullest(columns: tuple[str, ...], x: FloatArray) -> str:
    return columns[int(np.argmax(np.isfinite(x).sum(axis=0)))] if columns else ""


def _frozen(values: npt.ArrayLike, dtype: type[ScalarT]) -> npt.NDArray[ScalarT]:
    array = np.ascontiguousarray(values, dtype=dtype).view()
    array.flags.writeable = False
    return array
