"""Batches of readings as they stand in the ledger: columns of decimal strings, shaped and read strictly.

x_a − x_b in whole femtoseconds, epochs in nanoseconds of TAI; null where a pair was not read. The payload is described
in docs/ledger-entries.md. A batch that is signed and yet malformed is refused as a whole: it moves nothing. Signing is
`ledger.batch`'s, arrays are `tables`'.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from timeball.ledger.errors import BatchError
from timeball.readings import Readings

FEMTOSECOND = 1e15
COMPARISON = "comparison"
HOST = "host"

Epoch = Annotated[str, Meta(pattern=r"^-?[0-9]{1,19}\Z")]
Femtoseconds = Annotated[str, Meta(pattern=r"^-?[0-9]{1,19}\Z")]
Row = tuple[int, str, str, int, int | None]
"""One reading: epoch (ns of TAI), clocks a and b, x_a − x_b (fs) and its standard uncertainty (fs), None unknown."""


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recorded batch: one row an epoch, one column a pair.

    For the host's counter also `boot_id`, `anchor_ns` (ns), and BOOTTIME − RAW (ns) when its last epoch was read.
    `bound_fs` a pair: the most that a constant error may add which u does not hold; empty where no pair has one.
    """

    kind: str
    epochs: list[Epoch]
    pairs: list[tuple[str, str]]
    x_fs: list[list[Femtoseconds | None]]
    u_fs: list[Femtoseconds | None]
    boot_id: str = ""
    anchor_ns: Epoch = "0"
    boottime_minus_raw_ns: Epoch | None = None
    bound_fs: list[Femtoseconds | None] = []

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together; msgspec turns the ValueError into a ValidationError."""
        n = len(self.pairs)
        if len(self.x_fs) != len(self.epochs) or len(self.u_fs) != n or any(len(row) != n for row in self.x_fs):
            raise ValueError("a row of x_fs an epoch, a column a pair and one u_fs a pair are needed")
        if len(self.bound_fs) not in (0, n):
            raise ValueError("one bound_fs a pair is needed, or none at all")


def kind_of(batch: Batch | dict[str, Any]) -> object:
    """What a batch says it is of, read strictly or not at all."""
    return batch.kind if isinstance(batch, Batch) else batch.get("kind")


def parse_batch(batch: dict[str, Any]) -> Batch:
    """Read a batch strictly; raises `BatchError` naming the field."""
    try:
        return msgspec.convert(batch, Batch)
    except msgspec.ValidationError as error:
        raise BatchError(f"malformed batch: {error}") from error


def read_plain(batch: bytes) -> Batch | None:
    """Read canonical bytes of a batch that is as this software writes it, sooner than `canonical` and `parse_batch`.

    None for any other, good or bad, canonical or not: those are for the two, which say what is wrong.
    """
    try:
        parsed = _DECODER.decode(batch)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # what is written back as the same bytes is canonical, and has no member that was passed over
    return parsed if _ENCODER.encode(parsed) == batch else None


_DECODER = msgspec.json.Decoder(Batch)
_ENCODER = msgspec.json.Encoder(order="sorted")


def shape_batch(rows: Iterable[Row], kind: str, **more: str) -> dict[str, Any]:
    """A batch: one row an epoch, one column a pair, in sorted order; null where a pair was not read.

    u is stated once a pair: the greatest of its readings, null when one is unknown. Of a pair read twice at one epoch
    the first reading counts.
    """
    table: dict[int, dict[tuple[str, str], int]] = {}
    u: dict[tuple[str, str], int | None] = {}
    for epoch, a, b, x_fs, u_fs in rows:
        pair = (a, b)
        table.setdefault(epoch, {}).setdefault(pair, x_fs)
        known = u.get(pair, 0)
        u[pair] = None if known is None or u_fs is None else max(known, u_fs)
    pairs, epochs = sorted(u), sorted(table)
    return {
        "kind": kind,
        "epochs": [str(epoch) for epoch in epochs],
        "pairs": [list(pair) for pair in pairs],
        "x_fs": [[_text(table[epoch].get(pair)) for pair in pairs] for epoch in epochs],
        "u_fs": [_text(u[pair]) for pair in pairs],
        **more,
    }


def comparison_batch(readings: Readings) -> dict[str, Any]:
    """The batch of a `Readings`; see `shape_batch`."""
    names = readings.clocks
    columns = (
        readings.epoch.tolist(),
        [names[a] for a in readings.a.tolist()],
        [names[b] for b in readings.b.tolist()],
        np.rint(readings.x * FEMTOSECOND).astype(np.int64).tolist(),
        [None if math.isnan(u) else round(u * FEMTOSECOND) for u in readings.u.tolist()],
    )
    return shape_batch(zip(*columns, strict=True), COMPARISON)


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
