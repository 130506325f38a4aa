"""Fuzz target: any bytes as a proof of served time, its extra data, and a time-stamp response. Only typed errors."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from timeball.ledger import canonical
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.entry import make_envelope, write_envelope
from timeball.ledger.errors import LedgerError
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.note import make_signer
from timeball.ledger.proof import TlogProof
from timeball.station.proving.der import DERError, parse_response
from timeball.station.proving.errors import StatementError
from timeball.station.proving.extra import FORMAT, Extra, Leaps, make_item, parse_extra, write_extra
from timeball.station.proving.verifying import verify_proof

SIGNER = make_signer("example.com/log", bytes(range(32)))


def _seed() -> bytes:
    """A file that is whole up to its statement, which lacks a configuration."""
    salt, payload = bytes(16), b"{}"
    envelope = make_envelope(by="served", seq=1, time_ns=1, type="served", version=1, salt=salt, payload=payload)
    head = Checkpoint("example.com/log", 1, hash_leaf(write_envelope(envelope)))
    item = make_item("served", 0, envelope, salt, payload, [])
    extra = Extra(FORMAT, SIGNER.verifier.vkey, "2026-11-22T09:31:07Z", Leaps("x", ((0, 37),)), (item,), (), {})
    return TlogProof(0, (), sign_checkpoint(head, [SIGNER]), write_extra(extra)).encode()


SEED = _seed()


def seeds() -> Iterable[bytes]:
    """Inputs to start from."""
    return SEED, b"\x30\x03\x02\x01\x00", canonical.encode({"format": FORMAT})


def target(data: bytes) -> None:
    """Verify, parse the extra data, read as a time stamp."""
    try:
        verify_proof(data, vkey=SIGNER.verifier.vkey)
        raise AssertionError("a proof that nobody made was believed")
    except LedgerError:
        pass
    with suppress(StatementError):
        assert write_extra(parse_extra(data)) == data
    with suppress(DERError):
        parse_response(data)
