"""Batches of readings as they stand in the ledger: columns of decimal strings, and the arrays they become.

x_a − x_b in whole femtoseconds, epochs in nanoseconds of TAI; null where a pair was not read. The payload is described
in docs/ledger-entries.md. Signing is `ledger.batch`'s; this file only shapes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from timeball.readings import Readings

FEMTOSECOND = 1e15


def comparison_batch(readings: Readings) -> dict[str, Any]:
    """The batch of a `Readings`: one row an epoch, one column a pair; u is taken per pair from its first reading."""
    epochs, rows = np.unique(readings.epoch, return_inverse=True)
    pairs = sorted({(int(a), int(b)) for a, b in zip(readings.a, readings.b, strict=True)})
    column = {pair: place for place, pair in enumerate(pairs)}
    table: list[list[str | None]] = [[None] * len(pairs) for _ in epochs]
    u_fs: list[str | None] = [None] * len(pairs)
    femtoseconds = np.rint(readings.x * FEMTOSECOND).astype(np.int64).tolist()
    columns = [column[pair] for pair in zip(readings.a.tolist(), readings.b.tolist(), strict=True)]
    for row, place, value, u in zip(rows.tolist(), columns, femtoseconds, readings.u.tolist(), strict=True):
        table[row][place] = str(value)
        if u_fs[place] is None and not math.isnan(u):
            u_fs[place] = str(round(u * FEMTOSECOND))
    names = [[readings.clocks[a], readings.clocks[b]] for a, b in pairs]
    return {
        "kind": "comparison",
        "epochs": [str(e) for e in epochs.tolist()],
        "pairs": names,
        "x_fs": table,
        "u_fs": u_fs,
    }


def readings_of(batch: dict[str, Any]) -> Readings:
    """The `Readings` of a recorded batch; its values are exactly the quantised ones."""
    pairs = batch["pairs"]
    clocks = tuple(sorted({name for pair in pairs for name in pair}))
    place = {name: i for i, name in enumerate(clocks)}
    epochs = np.array([int(epoch) for epoch in batch["epochs"]], np.int64)
    flat = [value for row in batch["x_fs"] for value in row]
    read = np.array([value is not None for value in flat], bool)
    x = np.array([int(value) for value in flat if value is not None], np.int64) / FEMTOSECOND
    u_row = np.array([int(u) / FEMTOSECOND if u is not None else np.nan for u in batch["u_fs"]], float)
    a_row = np.array([place[a] for a, _ in pairs], np.int32)
    b_row = np.array([place[b] for _, b in pairs], np.int32)
    count = len(epochs)
    return Readings(
        clocks,
        np.repeat(epochs, len(pairs))[read],
        np.tile(a_row, count)[read],
        np.tile(b_row, count)[read],
        x,
        np.tile(u_row, count)[read],
    )
