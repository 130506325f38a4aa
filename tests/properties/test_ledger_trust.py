"""Policies, proofs, cosignatures and requests to witnesses: round trips, whatever bytes, and no head beside another."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import (
    KINDS,
    Kind,
    add_cosignatures,
    cosign,
    make_cosigner,
    parse_cosigner_key,
    parse_cosigner_vkey,
)
from timeball.ledger.errors import LedgerError, NoteError, PolicyError, ProofError, Refusal
from timeball.ledger.merkle import MerkleTree, hash_leaf, make_consistency_proof, make_inclusion_proof
from timeball.ledger.note import make_signer, parse_note
from timeball.ledger.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness, parse_policy, write_policy
from timeball.ledger.proof import TlogProof, parse_tlog_proof, verify_tlog_proof
from timeball.ledger.witnessing import judge, parse_add_checkpoint, write_add_checkpoint

LOG = make_signer("log.example/a", bytes(range(32)))
KEYS = [make_cosigner(f"w{number}.example", bytes([number]) * 32).verifier for number in range(8)]
QUANTUM = make_cosigner("q.example", bytes(32), "ml-dsa-44")
names = st.text(st.characters(exclude_characters="\x7f", min_codepoint=33, exclude_categories=["Cs"]), min_size=1)
names = names.filter(lambda name: name != "none")
urls = st.none() | names
kinds = st.sampled_from(KINDS)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy: witnesses, and groups over what stands before them."""
    chosen = draw(st.lists(names, unique=True, max_size=10))
    count = draw(st.integers(0, min(len(chosen), len(KEYS))))
    witnesses = {name: PolicyWitness(name, key, draw(urls)) for name, key in zip(chosen[:count], KEYS, strict=False)}
    free = list(witnesses)
    groups: dict[str, PolicyGroup] = {}
    for name in chosen[count:]:
        if not free:
            break
        members = draw(st.lists(st.sampled_from(free), unique=True, min_size=1))
        groups[name] = PolicyGroup(name, draw(st.integers(1, len(members))), tuple(members))
        free = [each for each in free if each not in members] + [name]
    quorum = draw(st.sampled_from(["none", *witnesses, *groups]))
    logs = tuple(PolicyLog(make_signer("l", bytes([number]) * 32).verifier, draw(urls)) for number in range(2))
    return Policy(logs[: draw(st.integers(0, 2))], witnesses, groups, quorum)


def refusal_of(parse: Callable[[Any], object], data: object) -> LedgerError | None:
    """The typed error of a parser, or None; whatever else is raised goes through."""
    try:
        parse(data)
    except LedgerError as error:
        return error
    return None


def has_witnessed(policy: Policy, name: str, cosigned: set[str]) -> bool:
    """The definition, word by word."""
    if name in policy.witnesses:
        return name in cosigned
    group = policy.groups[name]
    return sum(has_witnessed(policy, member, cosigned) for member in group.members) >= group.threshold


@given(policies(), st.data())
def test_policies_come_back(policy: Policy, data: st.DataObject) -> None:
    assert parse_policy(write_policy(policy)) == policy
    assert parse_policy(write_policy(policy).encode()) == policy
    cosigned = data.draw(st.sets(st.sampled_from(sorted(policy.witnesses)))) if policy.witnesses else set()
    expected = policy.quorum == "none" or has_witnessed(policy, policy.quorum, cosigned)
    assert policy.satisfied(cosigned) == expected


@given(st.text() | st.binary())
def test_whatever_stands_in_a_policy_file(data: str | bytes) -> None:
    said = refusal_of(parse_policy, data)
    assert said is None or re.match(r"policy(, line \d+)?: |policy of ", str(said))


words = st.sampled_from(["log", "witness", "group", "quorum", "none", "any", "all", "1", "2", "a", "b", KEYS[0].vkey])
words |= st.sampled_from([KEYS[1].vkey, LOG.verifier.vkey, "#", "\t", "\r"])


@given(st.lists(st.lists(words, max_size=6).map(" ".join), max_size=8).map("\n".join))
def test_whatever_words_stand_in_a_policy_file(text: str) -> None:
    try:
        policy = parse_policy(text)
    except PolicyError:
        return
    assert parse_policy(write_policy(policy)) == policy


TREE = MerkleTree()
FORK = MerkleTree()
SHARED = 20
for leaf in range(60):
    TREE.append(hash_leaf(b"%d" % leaf))
    FORK.append(hash_leaf(b"%d" % (leaf if leaf < SHARED else -leaf)))


def note_of(size: int, tree: MerkleTree = TREE) -> bytes:
    return sign_checkpoint(Checkpoint(LOG.name, size, tree.root(size)), [LOG])


@given(st.integers(1, 60), st.data(), st.none() | st.binary(max_size=50), kinds)
@settings(max_examples=40)
def test_proofs_come_back(size: int, data: st.DataObject, extra: bytes | None, kind: Kind) -> None:
    index = data.draw(st.integers(0, size - 1))
    witness = make_cosigner("w.example", bytes(32), kind)
    policy = parse_policy(f"log {LOG.verifier.vkey}\nwitness w {witness.verifier.vkey}\nquorum w\n")
    note = note_of(size)
    cosigned = add_cosignatures(note, [cosign(parse_note(note).text, witness, 12345)])
    proof = TlogProof(index, tuple(make_inclusion_proof(index, size, TREE.node)), cosigned, extra)
    assert parse_tlog_proof(proof.encode()) == proof
    assert verify_tlog_proof(proof, b"%d" % index, policy).times == {"w": 12345}
    with pytest.raises(ProofError):
        verify_tlog_proof(proof, b"%d" % (index + 1), policy)


WITNESS = make_cosigner("w.example", bytes(32))
POLICY = parse_policy(f"log {LOG.verifier.vkey}\nwitness w {WITNESS.verifier.vkey}\nquorum w\n")
COSIGNED = add_cosignatures(note_of(13), [cosign(parse_note(note_of(13)).text, WITNESS, 12345)])
PROOF = TlogProof(7, tuple(make_inclusion_proof(7, 13, TREE.node)), COSIGNED).encode()


def test_every_flipped_bit_of_a_proof_is_found() -> None:
    assert verify_tlog_proof(parse_tlog_proof(PROOF), b"7", POLICY).checkpoint.size == 13
    for position in range(len(PROOF)):
        for bit in range(8):
            forged = bytearray(PROOF)
            forged[position] ^= 1 << bit
            with pytest.raises(LedgerError):
                verify_tlog_proof(parse_tlog_proof(bytes(forged)), b"7", POLICY)


pieces = st.sampled_from([b"c2sp.org/tlog-proof@v1\n", b"extra AAAA\n", b"index 7\n", b"old 0\n", b"old 7\n", b"\n"])
pieces |= st.sampled_from([b"A" * 43 + b"=\n", COSIGNED, PROOF]) | st.binary(max_size=20)


@given(st.lists(pieces, max_size=6).map(b"".join))
def test_whatever_bytes_are_a_proof_or_a_request(data: bytes) -> None:
    said = refusal_of(parse_tlog_proof, data)
    assert isinstance(said, ProofError | NoteError | None)
    assert said is not None or parse_tlog_proof(data).encode() == data
    refusal = refusal_of(parse_add_checkpoint, data)
    if refusal is None:
        request = parse_add_checkpoint(data)
        assert write_add_checkpoint(request.old_size, request.proof, request.note) == data
    else:
        assert isinstance(refusal, Refusal)
        assert refusal.status in (400, 403)


few = st.sampled_from((1, 15, SHARED, 21, 40, 60))


@given(st.lists(st.tuples(st.booleans(), few, few | st.just(0)), max_size=12))
def test_a_witness_never_cosigns_two_histories(asked: list[tuple[bool, int, int]]) -> None:
    known: Checkpoint | None = None
    accepted: list[tuple[MerkleTree, int]] = []
    for forked, size, guess in asked:
        tree = FORK if forked else TREE
        old = known.size if known and guess % 2 else min(guess, size)
        proof = make_consistency_proof(old, size, tree.node) if 0 < old <= size else []
        request = parse_add_checkpoint(write_add_checkpoint(old, proof, note_of(size, tree)))
        try:
            head = judge(request, known, [LOG.verifier])
        except Refusal as refusal:
            expected = refusal.status != 409 or refusal.fork or refusal.body == f"{known.size if known else 0}\n"
            assert expected
            genuine = known is None or tree.root(known.size) == known.root
            stale = old != (known.size if known else 0) or old > size
            assert stale or not genuine, "a head that extends the known one was refused"
            continue
        assert known is None or head.size >= known.size
        known = head
        accepted.append((tree, size))
    for number, (tree, size) in enumerate(accepted):
        assert all(tree.root(older) == old_tree.root(older) for old_tree, older in accepted[:number]), size


@given(names.filter(lambda name: "+" not in name and name.isprintable() and not re.search(r"\s", name)), kinds)
@settings(max_examples=40)
def test_keys_come_back(name: str, kind: Kind) -> None:
    if len(name.encode()) > 255:
        with pytest.raises(NoteError):
            make_cosigner(name, bytes(32), kind)
        return
    cosigner = make_cosigner(name, bytes(32), kind)
    assert parse_cosigner_key(cosigner.skey) == cosigner
    assert parse_cosigner_vkey(cosigner.verifier.vkey) == cosigner.verifier


@given(st.text() | st.sampled_from([KEYS[0].vkey, QUANTUM.skey]).flatmap(lambda text: st.text().map(text.__add__)))
def test_whatever_text_is_a_key(text: str) -> None:
    for parse in (parse_cosigner_key, parse_cosigner_vkey):
        try:
            parse(text)
        except NoteError:
            continue


@given(st.binary(max_size=80) | st.binary(min_size=2428, max_size=2428), kinds)
def test_whatever_bytes_are_no_cosignature(signature: bytes, kind: Kind) -> None:
    key = make_cosigner("w.example", bytes(32), kind).verifier
    with pytest.raises(NoteError):
        key.verify_cosignature(parse_note(note_of(3)).text, signature)


@given(st.binary(max_size=200), st.integers(1, 2**63 - 1), st.integers(1, 60), kinds)
@settings(max_examples=40)
def test_a_changed_text_is_not_cosigned(text: bytes, time_s: int, size: int, kind: Kind) -> None:
    cosigner = make_cosigner("w.example", bytes(32), kind)
    genuine = parse_note(note_of(size)).text
    signature = cosigner.cosign_checkpoint(Checkpoint(LOG.name, size, TREE.root(size)), time_s)
    assert cosigner.verifier.verify_cosignature(genuine, signature) == time_s
    with pytest.raises(NoteError):
        cosigner.verifier.verify_cosignature(genuine + text.decode("latin-1"), bytes(8) + signature[8:])
    with pytest.raises(NoteError):
        cosigner.verifier.verify_cosignature(text.decode("latin-1"), signature)
