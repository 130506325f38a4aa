"""From what the kernels found to anomalies: names, SI units, dates, how long a clock is not trusted, and words.

Re-admission: a clock is trusted again once nothing more was found for a while after it was told. After a phase step
that is the time it took to see it (its size is known and nothing else changed); after a step of rate or a drift four
windows, as long as it takes to know the rate again; after a change of noise one block of contrasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from timeball.integrity.anomalies.anomaly import KINDS, Anomaly, size_words, tai_words
from timeball.integrity.anomalies.kernels import DRIFT, NOISE, NOISE_BLOCK, PHASE, RATE
from timeball.integrity.anomalies.rules import AnomalyRules

S_PER_FS = 1e-15


class Group(NamedTuple):
    """Something that can be blamed: its name, the clocks that then move, its origin; `told` False when it never is."""

    name: str
    clocks: tuple[str, ...]
    origin: str
    link: bool
    told: bool = True


def to_anomaly(
    row: Sequence[float],
    groups: Sequence[Group],
    rules: AnomalyRules,
    start: int,
    epochs: npt.NDArray[np.int64],
) -> Anomaly:
    """One finding of the kernels as an anomaly."""
    kind, window, span = int(row[0]), int(row[3]), int(row[10])
    group = groups[int(row[1])]
    second = groups[int(row[8])] if row[8] >= 0 else None
    interval_ns = round(rules.interval_s * 1e9)
    cell_s = rules.interval_s * span
    unit = {PHASE: S_PER_FS, RATE: S_PER_FS / cell_s, DRIFT: S_PER_FS / (cell_s * cell_s), NOISE: 1.0}[kind]
    size, u_size = row[5] * unit, row[6] * unit
    epoch, found = start + int(row[4]) * interval_ns, int(epochs[int(row[9])])
    lasting = {PHASE: 2 * window + 2, RATE: 4 * window, DRIFT: 4 * window, NOISE: NOISE_BLOCK}[kind]
    words = f"{size_words(KINDS[kind], size, u_size)} ({row[7]:.1f} sigma) at {tai_words(epoch)}: "
    return Anomaly(
        kind=KINDS[kind],
        origin=group.origin,
        clocks=group.clocks,
        epoch=epoch,
        u_epoch_s=_u_epoch_s(kind, window, row[7], cell_s),
        size=size,
        u_size=u_size,
        sigmas=row[7],
        found=found,
        readmit=found + lasting * span * interval_ns,
        words=words + _blame(kind, group, second, len([each for each in groups if not each.link])),
        link=group.name if group.origin == "link" else None,
    )


def _u_epoch_s(kind: int, window: int, sigmas: float, cell_s: float) -> float:
    """How well a change is dated: to its cell; a rate step to the cells over which it could as well have begun."""
    if kind == NOISE:
        return NOISE_BLOCK * cell_s
    if kind == PHASE:
        return 0.5 * cell_s
    # of a step b in the mean of increments with scatter σ the date scatters by about (σ/b)² of them; z = b√(h/2)/σ
    return cell_s * (0.5 + 2.0 * window / (sigmas * sigmas)) * (3.0 if kind == DRIFT else 1.0)


def _blame(kind: int, group: Group, second: Group | None, clocks: int) -> str:
    if kind == NOISE:
        return f"{_named(group)}"
    if clocks == 2:
        return "one of two clocks, and which of them cannot be told"
    words = {
        "clock": f"{_named(group)} alone moved",
        "link": f"the {len(group.clocks)} clocks of {_named(group)} moved alike",
        "reference": f"all moved alike against {_named(group)}",
    }[group.origin]
    return words + (f"; it could as well be {_named(second)}" if second is not None else "")


def _named(group: Group) -> str:
    return f"{'the ' if group.origin == 'reference' else ''}{group.origin} {group.name}"
