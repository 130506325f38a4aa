"""Fuzz target: any bytes as a policy file. Only PolicyError may escape; what is accepted is written back the same."""

from __future__ import annotations

from collections.abc import Iterable

from timeball.ledger.cosignature import make_cosigner
from timeball.ledger.errors import PolicyError
from timeball.ledger.note import make_signer
from timeball.ledger.policy import parse_policy, write_policy

LOG = make_signer("log.example", bytes(32)).verifier.vkey
WITNESSES = [make_cosigner(f"w{number}.example", bytes([number]) * 32).verifier.vkey for number in range(3)]


def seeds() -> Iterable[bytes]:
    """A policy with everything in it."""
    witnesses = "".join(f"witness {number} {vkey} http://w.example\n" for number, vkey in enumerate(WITNESSES))
    yield f"# words\nlog {LOG} http://log.example\n{witnesses}group g any 0 1\ngroup h 2 2 g\nquorum h\n".encode()
    yield b"quorum none\n"


def target(data: bytes) -> None:
    """Parse, write, parse; and no empty set of witnesses makes a quorum that is asked for."""
    try:
        policy = parse_policy(data)
    except PolicyError:
        return
    assert parse_policy(write_policy(policy).encode("utf-8", "surrogateescape")) == policy
    assert policy.satisfied(policy.witnesses)
    assert policy.satisfied(()) == (policy.quorum == "none")
