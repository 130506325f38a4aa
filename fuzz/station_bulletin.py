"""Fuzz target: any bytes as a file in the folder of bulletins, and as the signed part of a `bulletin` entry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from fuzz.formats_utcr import LEAPS, SERIES, WEEK
from timeball.formats import FormatError
from timeball.ledger import canonical
from timeball.ledger.errors import BatchError, CanonicalError
from timeball.station.fold.memory import Memory
from timeball.station.fold.published import parse_bulletin, take_bulletin
from timeball.station.instruments.bulletinfolder import NotInIt, bulletin_batch

FAR_NS = 2**62


def seeds() -> Iterable[bytes]:
    """Give files of each kind, and what is made of one."""
    return WEEK, SERIES, canonical.encode(bulletin_batch(WEEK, "fuzz", "OP", LEAPS, "0" * 64))


def target(data: bytes) -> None:
    """Only its own errors escape; whatever is made of a file can be recorded and is read back."""
    with contextlib.suppress(FormatError, NotInIt):
        made = bulletin_batch(data, "fuzz", "OP", LEAPS, "0" * 64)
        assert canonical.decode(canonical.encode(made)) == made
        parse_bulletin(made)
    with contextlib.suppress(CanonicalError, BatchError):
        said = canonical.decode(data)
        if isinstance(said, dict):
            memory = Memory()
            take_bulletin(memory, parse_bulletin(said), str(said.get("laboratory")), FAR_NS)
            assert Memory.from_payload(canonical.decode(canonical.encode(memory.to_payload()))) == memory
