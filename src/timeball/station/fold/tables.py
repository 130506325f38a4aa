"""The arrays that a batch of readings becomes: exactly the values that were recorded, quantised as they were.

A batch in which every clock is read against one hub, epochs in order (what a comparator gives, and nearly every batch
that there is), becomes a phase table at once; any other goes by way of `Readings`. Both ways give the same bits.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from timeball.ledger.errors import BatchError
from timeball.readings import EpochArray, IndexArray, PhaseTable, Readings, ReadingsError, phase_table, star_table
from timeball.station.fold.batches import FEMTOSECOND, Batch, parse_batch

Pairs = tuple[tuple[str, str], ...]


class Star(NamedTuple):
    """Pairs that share their second clock: names in order, the places of the first clocks, the place of the shared."""

    clocks: tuple[str, ...]
    spokes: IndexArray
    hub: int


def readings_of(batch: dict[str, Any] | Batch) -> Readings:
    """The `Readings` of a recorded batch; its values are exactly the quantised ones. Raises `BatchError`."""
    parsed = batch if isinstance(batch, Batch) else parse_batch(batch)
    clocks = tuple(sorted({name for pair in parsed.pairs for name in pair}))
    place = {name: i for i, name in enumerate(clocks)}
    flat = [value for row in parsed.x_fs for value in row]
    read = np.array([value is not None for value in flat], bool)
    count, width = len(parsed.epochs), len(parsed.pairs)
    u_s = np.array([int(u) / FEMTOSECOND if u is not None else np.nan for u in parsed.u_fs], float)
    try:
        return Readings.from_columns(
            clocks,
            np.repeat(np.array([int(epoch) for epoch in parsed.epochs], np.int64), width)[read],
            np.tile(np.array([place[a] for a, _ in parsed.pairs], np.int32), count)[read],
            np.tile(np.array([place[b] for _, b in parsed.pairs], np.int32), count)[read],
            np.array([int(value) for value in flat if value is not None], np.int64) / FEMTOSECOND,
            np.tile(u_s, count)[read],
        )
    except (ReadingsError, OverflowError) as error:
        raise BatchError(f"malformed batch: {error}") from error


def table_of(batch: dict[str, Any] | Batch) -> PhaseTable:
    """The phase table of a recorded batch of comparisons; raises `BatchError`."""
    parsed = batch if isinstance(batch, Batch) else parse_batch(batch)
    star = star_of(tuple(parsed.pairs))
    epochs = rising(parsed.epochs)
    if star is None or epochs is None:
        return phase_table(readings_of(parsed), None)
    flat = [value for row in parsed.x_fs for value in row]
    try:
        whole = np.array([0 if value is None else int(value) for value in flat], np.int64)
    except OverflowError as error:
        raise BatchError(f"malformed batch: {error}") from error
    x = whole / FEMTOSECOND
    if None in flat:
        x[[place for place, value in enumerate(flat) if value is None]] = np.nan
    return star_table(star.clocks, star.hub, star.spokes, epochs, x.reshape(len(parsed.epochs), len(parsed.pairs)))


@lru_cache(maxsize=64)
def star_of(pairs: Pairs) -> Star | None:
    """How the pairs share their second clock; None when they do not, or when one stands there twice."""
    hubs = {b for _, b in pairs}
    spokes = {a for a, _ in pairs}
    if len(hubs) != 1 or len(spokes) != len(pairs) or hubs & spokes or "" in spokes | hubs:
        return None
    clocks = tuple(sorted(spokes | hubs))
    place = {name: i for i, name in enumerate(clocks)}
    return Star(clocks, np.array([place[a] for a, _ in pairs], np.int32), place[hubs.pop()])


def rising(epochs: list[str]) -> EpochArray | None:
    """The epochs (ns of TAI) when there are some and each is later than the one before, else None."""
    numbers = [int(epoch) for epoch in epochs]
    in_order = all(early < late for early, late in pairwise(numbers))
    if not numbers or not in_order or not -(2**63) <= numbers[0] <= numbers[-1] < 2**63:
        return None
    return np.array(numbers, np.int64)
