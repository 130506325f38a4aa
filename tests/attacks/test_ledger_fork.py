"""Attacks on witnesses with the stolen log key: a fork shown to several, a rollback, cosignatures moved about.

The attacker signs whatever it likes as the log and shows each witness what it likes. Each attack has its control: the
same steps work where the defence is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import Cosigner, add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import LedgerError, NoteError, PolicyError, QuorumError, Refusal
from timeball.ledger.merkle import MerkleTree, hash_leaf, make_consistency_proof, make_inclusion_proof
from timeball.ledger.note import make_signer
from timeball.ledger.policy import Policy, parse_policy
from timeball.ledger.proof import TlogProof, verify_tlog_proof
from timeball.ledger.witnessing import judge, parse_add_checkpoint, write_add_checkpoint

STOLEN = make_signer("log.example/a", bytes(range(32)))
OTHER_LOG = make_signer("log.example/b", bytes(range(1, 33)))
NAMES = ("a", "b", "c")
SHARED = 10
HONEST, FORGED = MerkleTree(), MerkleTree()
for leaf in range(40):
    HONEST.append(hash_leaf(b"%d" % leaf))
    FORGED.append(hash_leaf(b"%d" % leaf if leaf != SHARED else b"altered"))
TREES = {False: HONEST, True: FORGED}


@cache
def cosigner(name: str) -> Cosigner:
    return make_cosigner(f"{name}.example", name.encode() * 32)


@cache
def policy(threshold: int) -> Policy:
    witnesses = "".join(f"witness {name} {cosigner(name).verifier.vkey}\n" for name in NAMES)
    log = f"log {STOLEN.verifier.vkey}\nlog {OTHER_LOG.verifier.vkey}\n"
    return parse_policy(f"{log}{witnesses}group w {threshold} {' '.join(NAMES)}\nquorum w\n")


def signed(size: int, tree: MerkleTree) -> bytes:
    return sign_checkpoint(Checkpoint(STOLEN.name, size, tree.root(size)), [STOLEN])


@dataclass
class Witness:
    """An honest witness: it remembers one head, and asks for a proof from there; a lying one cosigns anything."""

    name: str
    lies: bool = False
    known: Checkpoint | None = None
    cosigned: dict[bytes, str] = field(default_factory=dict)

    def show(self, size: int, tree: MerkleTree) -> None:
        """The attacker's best try to have this head cosigned."""
        old = self.known.size if self.known else 0
        proof = make_consistency_proof(old, size, tree.node) if 0 < old <= size else []
        request = parse_add_checkpoint(write_add_checkpoint(min(old, size), proof, signed(size, tree)))
        if not self.lies:
            self.known = judge(request, self.known, [STOLEN.verifier])
        text = Checkpoint(STOLEN.name, size, tree.root(size)).text
        self.cosigned[signed(size, tree)] = cosign(text, cosigner(self.name), 1_800_000_000)


def accepted(witnesses: list[Witness], size: int, tree: MerkleTree, threshold: int) -> bool:
    note = signed(size, tree)
    lines = [witness.cosigned[note] for witness in witnesses if note in witness.cosigned]
    try:
        policy(threshold).check(add_cosignatures(note, lines))
    except QuorumError:
        return False
    return True


shows = st.lists(st.tuples(st.sampled_from(range(3)), st.booleans(), st.sampled_from((5, 15, 30))), max_size=14)


@given(shows)
@settings(max_examples=60)
def test_no_two_histories_reach_a_majority(asked: list[tuple[int, bool, int]]) -> None:
    witnesses = [Witness(name) for name in NAMES]
    for number, forged, size in asked:
        try:
            witnesses[number].show(size, TREES[forged])
        except Refusal:
            continue
    sizes = {size for _, _, size in asked if size > SHARED}
    reached = {forged for forged in (False, True) for size in sizes if accepted(witnesses, size, TREES[forged], 2)}
    assert len(reached) < 2, "both histories have a majority"


def test_control_one_of_three_is_no_majority() -> None:
    witnesses = [Witness(name) for name in NAMES]
    witnesses[0].show(20, HONEST)
    witnesses[1].show(20, FORGED)
    assert accepted(witnesses, 20, HONEST, 1)
    assert accepted(witnesses, 20, FORGED, 1)
    assert not accepted(witnesses, 20, HONEST, 2)
    assert not accepted(witnesses, 20, FORGED, 2)


def test_control_a_witness_that_lies_breaks_the_majority() -> None:
    witnesses = [Witness("a"), Witness("b"), Witness("c", lies=True)]
    for number, tree in ((0, HONEST), (1, FORGED), (2, HONEST), (2, FORGED)):
        witnesses[number].show(20, tree)
    assert accepted(witnesses, 20, HONEST, 2)
    assert accepted(witnesses, 20, FORGED, 2)


def test_a_fork_of_the_size_already_cosigned_is_named_a_fork() -> None:
    witness = Witness("a")
    witness.show(20, HONEST)
    with pytest.raises(Refusal, match="409") as caught:
        witness.show(20, FORGED)
    assert caught.value.fork
    witness.show(20, HONEST)  # control: the same head again


def test_an_altered_entry_is_refused_at_the_next_checkpoint() -> None:
    witness = Witness("a")
    witness.show(SHARED + 1, HONEST)
    with pytest.raises(Refusal, match="422"):
        witness.show(30, FORGED)
    witness.show(30, HONEST)


def test_a_rollback_is_refused() -> None:
    witness = Witness("a")
    witness.show(30, HONEST)
    for size in (29, 1):
        with pytest.raises(Refusal, match="409: 30"):
            witness.show(size, HONEST)
    witness.show(31, HONEST)


@dataclass(frozen=True)
class Genuine:
    """What a customer holds: entry 3 of 20, cosigned by a and b."""

    note: bytes
    lines: tuple[str, ...]
    path: tuple[bytes, ...]


@pytest.fixture
def genuine() -> Genuine:
    text = Checkpoint(STOLEN.name, 20, HONEST.root(20)).text
    lines = tuple(cosign(text, cosigner(name), 1_800_000_000) for name in ("a", "b"))
    return Genuine(signed(20, HONEST), lines, tuple(make_inclusion_proof(3, 20, HONEST.node)))


def test_control_a_genuine_proof_is_accepted(genuine: Genuine) -> None:
    proof = TlogProof(3, genuine.path, add_cosignatures(genuine.note, genuine.lines))
    assert verify_tlog_proof(proof, b"3", policy(2)).checkpoint.size == 20


def test_cosignatures_moved_to_another_history(genuine: Genuine) -> None:
    moved = add_cosignatures(signed(20, FORGED), genuine.lines)
    with pytest.raises(NoteError, match="invalid cosignature"):
        policy(2).check(moved)


def test_cosignatures_moved_to_another_log(genuine: Genuine) -> None:
    head = Checkpoint(OTHER_LOG.name, 20, HONEST.root(20))
    with pytest.raises(NoteError, match="invalid cosignature"):
        policy(2).check(add_cosignatures(sign_checkpoint(head, [OTHER_LOG]), genuine.lines))
    with pytest.raises(PolicyError, match="another origin"):
        policy(2).check(sign_checkpoint(Checkpoint(STOLEN.name, 20, HONEST.root(20)), [OTHER_LOG]))


def test_one_witness_counted_twice(genuine: Genuine) -> None:
    twice = genuine.note + (genuine.lines[0] * 2).encode()
    with pytest.raises(QuorumError, match="cosigned by a; missing b, c"):
        policy(2).check(twice)


def test_a_witness_key_under_a_name_of_the_attackers(genuine: Genuine) -> None:
    # the attacker renames its own key to a witness' name: another key id, so it is nobody
    imposter = make_cosigner("b.example", bytes(32))
    line = cosign(Checkpoint(STOLEN.name, 20, HONEST.root(20)).text, imposter, 1_800_000_000)
    with pytest.raises(QuorumError):
        policy(2).check(add_cosignatures(genuine.note, [genuine.lines[0], line]))


def test_the_log_key_used_as_a_witness(genuine: Genuine) -> None:
    # the stolen seed under the type of a cosigner is no key of the policy
    line = cosign(Checkpoint(STOLEN.name, 20, HONEST.root(20)).text, make_cosigner("a.example", STOLEN.seed), 1)
    with pytest.raises(QuorumError):
        policy(1).check(add_cosignatures(genuine.note, [line]))
    vkey = make_cosigner("w.example", STOLEN.seed).verifier.vkey
    with pytest.raises(LedgerError, match="a log signs with"):
        parse_policy(f"log {vkey}\nquorum none\n")


def test_a_back_dated_cosignature(genuine: Genuine) -> None:
    first, *rest = genuine.lines
    raw = bytearray(first.encode())
    place = raw.rindex(b" ") + 1 + 8  # within the time: bytes 4 to 11 behind the key id
    raw[place] = ord("B") if raw[place] == ord("A") else ord("A")
    with pytest.raises(NoteError, match="invalid cosignature"):
        policy(2).check(genuine.note + bytes(raw) + "".join(rest).encode())
