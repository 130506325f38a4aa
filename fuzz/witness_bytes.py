"""Fuzz target: any bytes sent to a witness, answered by one, or lying in its folder. Only typed errors may escape."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import EvidenceError, Refusal
from timeball.ledger.note import make_signer
from timeball.ledger.witnessing import parse_add_checkpoint, write_add_checkpoint
from timeball.simulation.disk import SimulatedDisk
from timeball.station.witnessing.client import parse_cosignatures
from timeball.station.witnessing.heads import Heads, read_head

LOG = make_signer("log.example", bytes(32))
COSIGNER = make_cosigner("witness.example", bytes(range(32)))
HEAD = Checkpoint("log.example", 1, bytes(32))
NOTE = sign_checkpoint(HEAD, [LOG])


def seeds() -> Iterable[bytes]:
    """A good request, a good answer, a good file."""
    line = cosign(HEAD.text, COSIGNER, 1)
    return [write_add_checkpoint(0, [], NOTE), line.encode(), add_cosignatures(NOTE, [line])]


def target(data: bytes) -> None:
    """Whatever is cosigned is then the newest, and was signed by the log."""
    with contextlib.suppress(ValueError):
        assert "".join(parse_cosignatures(data)).encode() == data
    with contextlib.suppress(EvidenceError):
        assert read_head(data, "heads/x", LOG.name, [LOG.verifier], [COSIGNER.verifier]).checkpoint.origin == LOG.name
    heads = Heads(SimulatedDisk(), [LOG.verifier], [COSIGNER], lambda: 1)
    try:
        lines = heads.add(parse_add_checkpoint(data))
    except Refusal:
        assert heads.newest(LOG.name) is None
        return
    newest = heads.newest(LOG.name)
    assert newest is not None
    assert newest.note.endswith("".join(lines).encode())
