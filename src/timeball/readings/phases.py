"""Phases against one clock, walked along the comparison graph of each epoch.

Sign: x_i − x_reference, in seconds. Redundant comparisons are not averaged: a closed loop is broken at a fixed place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from timeball.readings.names import did_you_mean
from timeball.readings.record import EpochArray, FloatArray, IndexArray, Readings, ReadingsError, is_scale


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
    columns = tuple(clocks) if clocks is not None else _members(readings.clocks)
    unknown = [name for name in (*columns, *filter(None, [reference])) if name not in readings.clocks]
    if unknown:
        near = did_you_mean(unknown[0], readings.clocks)
        raise ReadingsError(f"no such clock in these readings: {', '.join(unknown)}{near}")
    finite = np.isfinite(readings.x)
    ordered = (readings if finite.all() else readings.take(finite)).sorted()
    wanted = np.array([readings.clocks.index(name) for name in columns], dtype=np.intp)
    epochs, row = np.unique(ordered.epoch, return_inverse=True)
    whole = _star_phases(ordered, row, len(epochs))
    if whole is None:
        whole = _graph_phases(ordered, row, len(epochs), wanted)
    return _against_pivot(epochs, readings.clocks, columns, whole, reference)


def star_table(clocks: tuple[str, ...], hub: int, spokes: IndexArray, epochs: EpochArray, x: FloatArray) -> PhaseTable:
    """`phase_table` of comparisons that are a table already: the spokes, each against one and the same hub.

    clocks: all names; hub, spokes: distinct places in it. epochs: int64[m], rising. x: float64[m, n], x_spoke − x_hub
    in s, NaN where it was not read. Gives what `phase_table` gives for these readings with its defaults, to the bit.
    """
    read = ~np.isnan(x).all(axis=1)
    if not read.all():
        epochs, x = epochs[read], x[read]
    whole = np.full((len(epochs), len(clocks)), np.nan)
    whole[:, spokes] = x
    whole[:, hub] = 0.0
    return _against_pivot(epochs, clocks, _members(clocks), whole, None)


@lru_cache(maxsize=64)
def _members(clocks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in clocks if not is_scale(name))


def _against_pivot(
    epochs: EpochArray, clocks: tuple[str, ...], columns: tuple[str, ...], whole: FloatArray, reference: str | None
) -> PhaseTable:
    """Take the wanted columns of phases per epoch against the reference, or what stands in for it."""
    x = whole if columns == clocks else whole[:, [clocks.index(name) for name in columns]]
    if reference is None:
        reference = _fullest(columns, x)
    measured = whole[:, clocks.index(reference)] if reference else np.full(len(epochs), np.nan)
    finite = np.isfinite(x)
    present = np.isfinite(measured)
    stand_in = np.argmax(finite, axis=1) if columns else np.zeros(len(epochs), dtype=np.intp)
    pivot = np.where(present, columns.index(reference) if reference in columns else -1, stand_in).astype(np.int32)
    against = np.where(present, measured, x[np.arange(len(epochs)), stand_in] if columns else np.nan)
    some = finite.any(axis=1)  # an epoch at which none of the wanted clocks was measured is no row
    against_pivot = x - against[:, None]
    if some.all():
        return PhaseTable(epochs, columns, against_pivot, pivot, reference)
    return PhaseTable(epochs[some], columns, against_pivot[some], pivot[some], reference)


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
