"""Several comparators: redundant comparisons adjusted by least squares, and what hangs together with what.

Sign: x is x_a − x_b in a comparison, x_i − x_pivot in the table (s). `phase_table` walks a tree and takes the first of
every pair, which a ledger can replay; here every comparison counts, with one over its variance, and the loops say how
well the comparators agree. This is for files and reports: linear algebra, not for what a ledger records.
What it does not do: join parts that were not compared with each other, or throw a comparison out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.readings.phases import PhaseTable, phase_table
from timeball.readings.record import FloatArray, Readings


@dataclass(frozen=True)
class Closure:
    """How one comparison stands to the others: its readings in loops, and their rms residual (s) in the adjustment."""

    a: str
    b: str
    readings: int
    rms_s: float


def adjusted_table(
    readings: Readings, reference: str | None = None, clocks: Sequence[str] | None = None
) -> tuple[PhaseTable, list[Closure]]:
    """Phases as `phase_table` gives them, but with every comparison of an epoch in them; and the closures.

    A comparison's weight is 1/u² with the median u of its pair, and that of the median pair where u is not known.
    Without a loop it is `phase_table` to the bit, and there are no closures. Raises ``ReadingsError`` as it does.
    """
    table = phase_table(readings, reference, clocks)
    ordered = readings.take(np.isfinite(readings.x)).sorted()
    u_s = _pair_uncertainty(ordered)
    epochs, row = np.unique(ordered.epoch, return_inverse=True)
    starts = np.searchsorted(row, np.arange(len(epochs) + 1)).tolist()
    place = {int(epoch): i for i, epoch in enumerate(table.epochs)}
    known: dict[bytes, _Pattern] = {}
    squares: dict[tuple[int, int], list[float]] = {}
    x = table.x.copy()
    for number, epoch in enumerate(epochs.tolist()):
        part = slice(starts[number], starts[number + 1])
        key = ordered.a[part].tobytes() + ordered.b[part].tobytes()
        pattern = known.get(key) or known.setdefault(key, _Pattern.of(ordered, part, u_s[part]))
        if epoch in place and pattern.in_loop.any():
            _adjust(pattern, ordered.x[part], table, x[place[epoch]], place[epoch], squares)
    found = [
        Closure(ordered.clocks[a], ordered.clocks[b], len(each), float(np.sqrt(np.mean(each))))
        for (a, b), each in sorted(squares.items())
    ]
    return PhaseTable(table.epochs, table.clocks, x, table.pivot, table.reference), found


def parts_of(readings: Readings) -> list[tuple[str, ...]]:
    """The clocks that were ever compared with each other, directly or through others; the largest part first."""
    n = max(len(readings.clocks), 1)
    pairs = np.unique(readings.a.astype(np.int64) * n + readings.b).tolist()
    groups = _groups(len(readings.clocks), [divmod(pair, n) for pair in pairs])
    named = (tuple(sorted(readings.clocks[i] for i in group)) for group in groups)
    return sorted(named, key=lambda part: (-len(part), part))


def _groups(n: int, pairs: list[tuple[int, int]]) -> list[list[int]]:
    """What of 0 … n−1 hangs together by pairs."""
    root = list(range(n))

    def top(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for a, b in pairs:
        root[top(a)] = top(b)
    groups: dict[int, list[int]] = {}
    for i in range(n):
        groups.setdefault(top(i), []).append(i)
    return list(groups.values())


@dataclass(frozen=True, eq=False)
class _Pattern:
    """The comparisons of an epoch: pairs, the columns of names, and what takes readings to phases and residuals."""

    pairs: list[tuple[int, int]]
    column: dict[str, int]
    solve: FloatArray
    design: FloatArray
    in_loop: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, ordered: Readings, part: slice, u_s: FloatArray) -> _Pattern:
        pairs = list(zip(ordered.a[part].tolist(), ordered.b[part].tolist(), strict=True))
        clocks = sorted({clock for pair in pairs for clock in pair})
        column = {ordered.clocks[clock]: j for j, clock in enumerate(clocks)}
        numbered = [(clocks.index(a), clocks.index(b)) for a, b in pairs]
        design = np.zeros((len(pairs), len(clocks)))
        if len(pairs) == len(clocks) - len(_groups(len(clocks), numbered)):
            # no loop, nothing to adjust
            return cls(pairs, column, design.T, design, np.zeros(len(pairs), dtype=np.bool_))
        for k, (a, b) in enumerate(numbered):
            design[k, a], design[k, b] = 1.0, -1.0
        # of phases only differences are known: the least solution has the mean of each part at nothing
        solve = np.linalg.pinv(design / u_s[:, None], rcond=1e-9) / u_s[None, :]
        # a comparison in no loop is fulfilled to the last digit, whatever it says
        in_loop = 1.0 - np.einsum("ij,ji->i", design, solve) > 1e-6
        return cls(pairs, column, solve, design, in_loop)


def _adjust(
    pattern: _Pattern,
    measured: FloatArray,
    table: PhaseTable,
    x: FloatArray,
    row: int,
    squares: dict[tuple[int, int], list[float]],
) -> None:
    """Put the adjusted phases of one epoch in place of the tree's, and keep the squared residuals of its loops."""
    # the mean first: phases of some milliseconds and residuals of some picoseconds share no more digits than they must
    phases = pattern.solve @ measured
    residual = measured - pattern.design @ phases
    phases = phases + pattern.solve @ residual
    pivot = int(table.pivot[row])
    zero = phases[pattern.column[table.clocks[pivot] if pivot >= 0 else table.reference]]
    for j in np.flatnonzero(np.isfinite(x)).tolist():
        x[j] = phases[pattern.column[table.clocks[j]]] - zero
    for k in np.flatnonzero(pattern.in_loop).tolist():
        a, b = pattern.pairs[k]
        squares.setdefault((min(a, b), max(a, b)), []).append(float(residual[k] ** 2))


def _pair_uncertainty(ordered: Readings) -> FloatArray:
    """The u (s) of each comparison: the median of its pair, of all where its pair has none, 1 where nobody has."""
    low, high = np.minimum(ordered.a, ordered.b), np.maximum(ordered.a, ordered.b)
    pairs = low.astype(np.int64) * len(ordered.clocks) + high
    good = np.isfinite(ordered.u) & (ordered.u > 0)
    usual = float(np.median(ordered.u[good])) if good.any() else 1.0
    u_s = np.full(len(ordered), usual)
    for pair in np.unique(pairs[good]):
        u_s[pairs == pair] = np.median(ordered.u[good & (pairs == pair)])
    return u_s
