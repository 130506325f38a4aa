"""A signed batch of readings as rows and as the exact bytes it was recorded as: one goes over into the other.

A row is one epoch and one pair. What the rows do not hold (kind, host counter, key) stays beside them as a template.
A payload that does not come back byte for byte from its rows is left as it is: nothing is guessed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import msgspec

# Not `ledger.canonical`: its checks are not needed for bytes that are compared, here or with their digest.
_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder()
_ODD = (msgspec.MsgspecError, LookupError, TypeError, ValueError, OverflowError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch in rows: epoch (ns of TAI), a, b, x_fs, u_fs (fs; None where not read), epoch by epoch.

    `template` is the canonical JSON of the rest, `signature` the bytes, `pairs` how many rows make one epoch.
    """

    template: bytes
    signature: bytes
    pairs: int
    epoch: list[int]
    a: list[str]
    b: list[str]
    x_fs: list[int | None]
    u_fs: list[int | None]


def split_readings(payload: bytes) -> Rows | None:
    """The rows of a recorded batch; None when its bytes could not be rebuilt from rows."""
    try:
        rows = _split(_DECODER.decode(payload))
        return rows if rows.epoch and join_readings(rows) == payload else None
    except _ODD:
        return None


def join_readings(rows: Rows) -> bytes:
    """The canonical bytes of the payload that the rows came from."""
    n = rows.pairs
    payload = _DECODER.decode(rows.template)
    batch = payload["batch"]
    batch["epochs"] = [str(epoch) for epoch in rows.epoch[::n]]
    batch["pairs"] = [[a, b] for a, b in zip(rows.a[:n], rows.b[:n], strict=True)]
    batch["u_fs"] = [_text(u) for u in rows.u_fs[:n]]
    texts = [_text(x) for x in rows.x_fs]
    batch["x_fs"] = [texts[start : start + n] for start in range(0, len(texts), n)]
    payload["signature"] = base64.b64encode(rows.signature).decode("ascii")
    return _ENCODER.encode(payload)


def _split(payload: dict[str, Any]) -> Rows:
    batch = dict(payload["batch"])
    epochs, pairs, table, u_fs = (batch.pop(name) for name in ("epochs", "pairs", "x_fs", "u_fs"))
    n, m = len(pairs), len(epochs)
    if len(table) != m or len(u_fs) != n or any(len(row) != n for row in table):
        raise ValueError("columns that do not belong together")
    if not all(isinstance(name, str) for pair in pairs for name in pair):
        raise TypeError("a clock's name is text")
    return Rows(
        _ENCODER.encode({**{name: value for name, value in payload.items() if name != "signature"}, "batch": batch}),
        base64.b64decode(payload["signature"], validate=True),
        n,
        [_int64(epoch) for epoch in epochs for _ in range(n)],
        [pair[0] for pair in pairs] * m,
        [pair[1] for pair in pairs] * m,
        [None if x is None else _int64(x) for row in table for x in row],
        [None if u is None else _int64(u) for u in u_fs] * m,
    )


def _int64(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise OverflowError(text)
    return value


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
