"""Fuzz target: any bytes as a .tlog-proof file and as a request to a witness. Nothing forged is accepted."""

from __future__ import annotations

from collections.abc import Iterable

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import LedgerError, Refusal
from timeball.ledger.merkle import hash_children, hash_leaf
from timeball.ledger.note import make_signer
from timeball.ledger.policy import parse_policy
from timeball.ledger.proof import TlogProof, parse_tlog_proof, verify_tlog_proof
from timeball.ledger.witnessing import judge, parse_add_checkpoint, write_add_checkpoint

LOG = make_signer("log.example", bytes(32))
WITNESS = make_cosigner("w.example", bytes([1]) * 32)
POLICY = parse_policy(f"log {LOG.verifier.vkey}\nwitness w {WITNESS.verifier.vkey}\nquorum w\n")
OLD = Checkpoint("log.example", 1, hash_leaf(b"a"))
HEAD = Checkpoint("log.example", 2, hash_children(hash_leaf(b"a"), hash_leaf(b"b")))
NOTE = sign_checkpoint(HEAD, [LOG])
COSIGNED = add_cosignatures(NOTE, [cosign(HEAD.text, WITNESS, 1)])


def seeds() -> Iterable[bytes]:
    """A genuine proof and a genuine request."""
    yield TlogProof(0, (hash_leaf(b"b"),), COSIGNED, b"extra").encode()
    yield write_add_checkpoint(1, [hash_leaf(b"b")], NOTE)


def target(data: bytes) -> None:
    """Parse, write back, verify, judge."""
    try:
        proof = parse_tlog_proof(data)
        assert proof.encode() == data
        found = verify_tlog_proof(proof, b"a", POLICY)
        assert (found.checkpoint, proof.index) == (HEAD, 0), "a proof nobody made was accepted"
    except LedgerError:
        pass
    try:
        request = parse_add_checkpoint(data)
        assert write_add_checkpoint(request.old_size, request.proof, request.note) == data
        assert judge(request, OLD, [LOG.verifier]) == HEAD, "a head nobody signed was accepted"
    except Refusal as refusal:
        if refusal.status not in (400, 403, 409, 422) or not refusal.body.endswith("\n"):
            raise AssertionError("no answer of the protocol") from refusal
