"""Fuzz target: any bytes as an envelope, as canonical JSON, and as a signed batch."""

from __future__ import annotations

import contextlib

from timeball.ledger import canonical
from timeball.ledger.batch import batch_key, is_batch, verify_batch
from timeball.ledger.entry import parse_envelope, write_envelope
from timeball.ledger.errors import BatchError, CanonicalError, EntryError


def target(data: bytes) -> None:
    """What is accepted is canonical; a signed batch is taken to its claimed key."""
    with contextlib.suppress(EntryError):
        assert write_envelope(parse_envelope(data)) == data
    try:
        value = canonical.decode(data)
    except CanonicalError:
        return
    assert canonical.encode(value) == data
    if is_batch(value):
        with contextlib.suppress(BatchError):
            verify_batch(value, batch_key(value))
