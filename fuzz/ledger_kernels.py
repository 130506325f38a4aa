"""Fuzz target: the compiled parsers accept exactly what the plain ones accept, for any bytes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from timeball.ledger import canonical, entry, kernels
from timeball.ledger.errors import CanonicalError, EntryError, TileError
from timeball.ledger.payload import parse_frame

STACK = np.empty(kernels.STACK_SHAPE, np.int64)
FIELDS = np.zeros(kernels.FIELDS, np.int64)
DIGEST = np.zeros(kernels.HASH_BYTES, np.uint8)


def seeds() -> Iterable[bytes]:
    """One sound input of each kind."""
    yield b'{"batch":{"a":[1,-2,null,true,"\\u0001\\n"]},"signature":"\xc3\xa9"}'
    yield b'{"by":"a","digest":"' + b"A" * 43 + b'=","seq":1,"supersedes":0,"time":"1","type":"b","version":1}'
    yield b"\x10\0\0\0\x01" + bytes(17)


def target(data: bytes) -> None:
    """Both say yes, or both say no."""
    array = np.frombuffer(data, np.uint8)
    scanned = kernels.scan_canonical(array, 0, array.size, STACK) != kernels.REFUSED
    try:
        canonical.decode(data)
    except CanonicalError:
        assert not scanned
    else:
        assert scanned
    parsed = kernels.parse_envelope(array, 0, array.size, FIELDS, DIGEST)
    try:
        entry.parse_envelope(data)
    except EntryError:
        assert not parsed
    else:
        assert parsed
    end = kernels.frame_end(array, 0)
    try:
        assert end == parse_frame(data).end
    except TileError:
        assert end < 0 or data[0] == 0  # whether a tombstone is all zero is looked at elsewhere
