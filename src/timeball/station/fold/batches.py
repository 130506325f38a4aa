"""Batches of readings as they stand in the ledger: columns of decimal strings, and the arrays they become.

x_a − x_b in whole femtoseconds, epochs in nanoseconds of TAI; null where a pair was not read. The payload is described
in docs/ledger-entries.md. A batch that is signed and yet malformed is refused as a whole: it moves nothing. Signing is
`ledger.batch`'s; this file only shapes.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from timeball.ledger.errors import BatchError
from timeball.readings import Readings, ReadingsError

FEMTOSECOND = 1e15
COMPARISON = "comparison"
HOST = "host"

Epoch = Annotated[str, Meta(pattern=r"^-?[0-9]{1,19}\Z")]
Femtoseconds = Annotated[str, Meta(pattern=r"^-?[0-9]{1,19}\Z")]


class Batch(msgspec.Struct, frozen=True):
    """A recorded batch: one row an epoch, one column a pair.

    For the host's counter also `boot_id`, `anchor_ns` (ns), and BOOTTIME − RAW (ns) when its last epoch was read.
    """

    kind: str
    epochs: list[Epoch]
    pairs: list[tuple[str, str]]
    x_fs: list[list[Femtoseconds | None]]
    u_fs: list[Femtoseconds | None]
    boot_id: str = ""
    anchor_ns: Epoch = "0"
    boottime_minus_raw_ns: Epoch | None = None

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together; msgspec turns the ValueError into a ValidationError."""
        n = len(self.pairs)
        if len(self.x_fs) != len(self.epochs) or len(self.u_fs) != n or any(len(row) != n for row in self.x_fs):
            raise ValueError("a row of x_fs an epoch, a column a pair and one u_fs a pair are needed")


def parse_batch(batch: dict[str, Any]) -> Batch:
    """Read a batch strictly; raises `BatchError` naming the field."""
    try:
        return msgspec.convert(batch, Batch)
    except msgspec.ValidationError as error:
        raise BatchError(f"malformed batch: {error}") from error


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
        "kind": COMPARISON,
        "epochs": [str(e) for e in epochs.tolist()],
        "pairs": names,
        "x_fs": table,
        "u_fs": u_fs,
    }


def readings_of(batch: dict[str, Any]) -> Readings:
    """The `Readings` of a recorded batch; its values are exactly the quantised ones. Raises `BatchError`."""
    parsed = parse_batch(batch)
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
