"""Offline proofs and the judgement of a witness: files and requests as specified, and what is refused."""

from __future__ import annotations

import base64

import pytest

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import NoteError, ProofError, QuorumError, Refusal
from timeball.ledger.merkle import EMPTY_ROOT, MerkleTree, hash_leaf, make_consistency_proof, make_inclusion_proof
from timeball.ledger.note import make_signer, sign_note
from timeball.ledger.policy import parse_policy
from timeball.ledger.proof import TlogProof, parse_tlog_proof, verify_tlog_proof
from timeball.ledger.witnessing import (
    AddCheckpoint,
    judge,
    parse_add_checkpoint,
    write_add_checkpoint,
)

LOG = make_signer("log.example/a", bytes(range(32)))
OTHER = make_signer("log.example/a", bytes(range(1, 33)))
WITNESS = make_cosigner("witness.example", bytes(32))
POLICY = parse_policy(f"log {LOG.verifier.vkey}\nwitness w {WITNESS.verifier.vkey}\nquorum w\n")
TREE = MerkleTree()
for leaf in range(300):
    TREE.append(hash_leaf(b"%d" % leaf))


def head_of(size: int) -> Checkpoint:
    return Checkpoint(LOG.name, size, TREE.root(size))


def note_of(size: int) -> bytes:
    return sign_checkpoint(head_of(size), [LOG])


def proof_of(index: int, size: int, extra: bytes | None = None) -> TlogProof:
    note = add_cosignatures(note_of(size), [cosign(head_of(size).text, WITNESS, 1000)])
    return TlogProof(index, tuple(make_inclusion_proof(index, size, TREE.node)), note, extra)


def test_a_proof_file_line_by_line() -> None:
    proof = proof_of(2, 3, b"hello")
    lines = proof.encode().decode().split("\n")
    assert lines[:5] == [
        "c2sp.org/tlog-proof@v1",
        "extra aGVsbG8=",
        "index 2",
        base64.b64encode(TREE.node(1, 0)).decode(),
        "",
    ]
    assert "\n".join(lines[5:]).encode() == proof.checkpoint
    assert proof_of(0, 1).encode().startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nlog.example/a\n1\n")


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (2, 3), (255, 256), (256, 257), (7, 300), (299, 300)])
@pytest.mark.parametrize("extra", [None, b"", b"\x00\xff" * 1000])
def test_written_read_and_verified(index: int, size: int, extra: bytes | None) -> None:
    proof = proof_of(index, size, extra)
    assert parse_tlog_proof(proof.encode()) == proof
    found = verify_tlog_proof(proof, b"%d" % index, POLICY)
    assert (found.checkpoint, found.times) == (head_of(size), {"w": 1000})


def test_proofs_that_prove_nothing() -> None:
    proof = proof_of(7, 300)
    for forged, leaf in (
        (proof, b"8"),
        (TlogProof(8, proof.path, proof.checkpoint), b"7"),
        (TlogProof(300, proof.path, proof.checkpoint), b"7"),
        (TlogProof(7, proof.path[:-1], proof.checkpoint), b"7"),
        (TlogProof(7, (*proof.path, bytes(32)), proof.checkpoint), b"7"),
        (TlogProof(7, proof.path[::-1], proof.checkpoint), b"7"),
        (TlogProof(7, proof.path, proof_of(7, 299).checkpoint), b"7"),
    ):
        with pytest.raises(ProofError):
            verify_tlog_proof(forged, leaf, POLICY)
    with pytest.raises(QuorumError):
        verify_tlog_proof(TlogProof(7, proof.path, note_of(300)), b"7", POLICY)


HASH = base64.b64encode(bytes(32)).decode()
NOTE = note_of(3).decode()
BAD_PROOFS = [
    ("", "empty line"),
    ("c2sp.org/tlog-proof@v1\nindex 0\n", "empty line"),
    (f"c2sp.org/tlog-proof@v2\nindex 0\n\n{NOTE}", "line 1"),
    (f"c2sp.org/tlog-proof@v1\r\nindex 0\n\n{NOTE}", "line 1"),
    (f"c2sp.org/tlog-proof@v1\n\n{NOTE}", "line 2: expected an index"),
    (f"c2sp.org/tlog-proof@v1\nextra AA==\n\n{NOTE}", "line 3: expected an index"),
    (f"c2sp.org/tlog-proof@v1\nextra AB==\nindex 0\n\n{NOTE}", "line 2"),
    (f"c2sp.org/tlog-proof@v1\nindex 0\nextra AA==\n\n{NOTE}", "line 3"),
    (f"c2sp.org/tlog-proof@v1\nindex 01\n\n{NOTE}", "line 2"),
    (f"c2sp.org/tlog-proof@v1\nindex -1\n\n{NOTE}", "line 2"),
    (f"c2sp.org/tlog-proof@v1\nindex  1\n\n{NOTE}", "line 2"),
    (f"c2sp.org/tlog-proof@v1\nindex {2**63}\n\n{NOTE}", "line 2"),
    (f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH}\n{HASH[:-1]}\n\n{NOTE}", "line 4"),
    (f"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n{NOTE}", "32 bytes, not 3"),
    (f"c2sp.org/tlog-proof@v1\nindex 0\n\u00e9\n\n{NOTE}", "ASCII"),
    (f"c2sp.org/tlog-proof@v1\nindex 0\n{(HASH + chr(10)) * 64}\n{NOTE}", "more than 63"),
]


@pytest.mark.parametrize(("text", "words"), BAD_PROOFS)
def test_what_is_no_proof_file(text: str, words: str) -> None:
    with pytest.raises(ProofError, match=words):
        parse_tlog_proof(text.encode())


def test_a_proof_needs_a_signed_note() -> None:
    with pytest.raises(NoteError):
        parse_tlog_proof(b"c2sp.org/tlog-proof@v1\nindex 0\n\nlog.example/a\n1\n")


def refused(old: int, size: int, known: int | None, proof: list[bytes] | None = None) -> tuple[int, str, str, bool]:
    path = proof if proof is not None else make_consistency_proof(old, size, TREE.node) if 0 < old <= size else []
    request = parse_add_checkpoint(write_add_checkpoint(old, path, note_of(size)))
    with pytest.raises(Refusal) as caught:
        judge(request, None if known is None else head_of(known), [LOG.verifier])
    refusal = caught.value
    return refusal.status, refusal.body, refusal.content_type, refusal.fork


@pytest.mark.parametrize(("old", "size"), [(0, 1), (0, 300), (1, 1), (1, 3), (200, 300), (256, 300), (300, 300)])
def test_heads_that_extend(old: int, size: int) -> None:
    proof = make_consistency_proof(old, size, TREE.node) if old else []
    request = parse_add_checkpoint(write_add_checkpoint(old, proof, note_of(size)))
    assert judge(request, head_of(old) if old else None, [LOG.verifier]) == head_of(size)


def test_a_first_head_may_be_empty() -> None:
    empty = Checkpoint(LOG.name, 0, EMPTY_ROOT)
    request = parse_add_checkpoint(write_add_checkpoint(0, [], sign_checkpoint(empty, [LOG])))
    assert judge(request, None, [LOG.verifier]) == empty
    assert judge(request, empty, [LOG.verifier]) == empty
    grown = parse_add_checkpoint(write_add_checkpoint(0, [], note_of(300)))
    assert judge(grown, empty, [LOG.verifier]) == head_of(300)


def test_conflicts_say_the_size_that_is_known() -> None:
    for old, size, known in ((0, 300, 200), (100, 300, 200), (200, 300, None), (200, 250, 300)):
        assert refused(old, size, known) == (409, f"{known or 0}\n", "text/x.tlog.size", False)


def test_an_old_size_above_the_checkpoint_comes_before_the_conflict() -> None:
    assert refused(300, 200, 300)[0] == 400
    assert refused(300, 200, 100)[0] == 400


def test_bad_consistency_proofs() -> None:
    good = make_consistency_proof(200, 300, TREE.node)
    for proof in ([], good[:-1], good[1:], [*good, bytes(32)], [bytes(32), *good[1:]]):
        status, body, _, _ = refused(200, 300, 200, proof)
        assert status == 422
        assert "consistency proof" in body
    assert refused(0, 300, None, good)[0] == 422
    assert refused(300, 300, 300, good)[0] == 422


def test_two_heads_of_one_size_are_a_fork() -> None:
    forged = sign_checkpoint(Checkpoint(LOG.name, 300, bytes(32)), [LOG])
    for proof in ([], [bytes(32)]):
        with pytest.raises(Refusal) as caught:
            judge(AddCheckpoint(300, tuple(proof), forged), head_of(300), [LOG.verifier])
        assert (caught.value.status, caught.value.fork) == (409, True)


def test_signatures_come_before_everything_that_the_checkpoint_says() -> None:
    request = parse_add_checkpoint(write_add_checkpoint(300, [], sign_checkpoint(head_of(200), [OTHER])))
    with pytest.raises(Refusal, match="403: invalid signature"):
        judge(request, head_of(100), [LOG.verifier])
    with pytest.raises(Refusal, match=r"404: unknown log: log\.example/a"):
        judge(request, None, [])
    both = parse_add_checkpoint(write_add_checkpoint(0, [], sign_checkpoint(head_of(200), [OTHER, LOG])))
    assert judge(both, None, [LOG.verifier]) == head_of(200)  # unknown keys are ignored


def test_a_signed_text_that_is_no_checkpoint() -> None:
    request = parse_add_checkpoint(write_add_checkpoint(0, [], sign_note("log.example/a\nten\n", [LOG])))
    with pytest.raises(Refusal, match="400: malformed checkpoint"):
        judge(request, None, [LOG.verifier])


BAD_BODIES = [
    "",
    "old 0\n",
    f"old 0\n{NOTE}",
    f"old\n\n{NOTE}",
    f"old 00\n\n{NOTE}",
    f"old 01\n\n{NOTE}",
    f"old -1\n\n{NOTE}",
    f"old {2**63}\n\n{NOTE}",
    f"Old 0\n\n{NOTE}",
    f"old 1\n{HASH[:-1]}\n\n{NOTE}",
    f"old 1\nAAAA\n\n{NOTE}",
    f"old 1\n{(HASH + chr(10)) * 64}\n{NOTE}",
    "old 0\n\nlog.example/a\n1\n",
    "old 0\n\n\n\n",
]


@pytest.mark.parametrize("body", BAD_BODIES)
def test_what_is_no_request(body: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_add_checkpoint(body.encode())
    assert caught.value.status == 400
    assert caught.value.body.endswith("\n")


def test_a_request_too_long_to_read() -> None:
    with pytest.raises(Refusal, match="longer than"):
        parse_add_checkpoint(b"old 0\n\n" + bytes(2_000_000))
