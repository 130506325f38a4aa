"""Cosignatures: what is signed, byte for byte; keys as text; what is no cosignature."""

from __future__ import annotations

import base64
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import (
    KINDS,
    CosignerKey,
    Kind,
    add_cosignatures,
    cosign,
    make_cosigner,
    parse_cosigner_key,
    parse_cosigner_vkey,
    parse_log_vkey,
)
from timeball.ledger.errors import NoteError
from timeball.ledger.merkle import EMPTY_ROOT, hash_leaf
from timeball.ledger.note import MAX_SIGNATURES, make_signer, open_note, parse_note, parse_signature, parse_vkey

LOG = make_signer("log.example/a", bytes(range(32)))
HEAD = Checkpoint("log.example/a", 1, hash_leaf(b"x"))
EXTENDED = Checkpoint("log.example/a", 1, hash_leaf(b"x"), ("extension",))
NOTE = sign_checkpoint(HEAD, [LOG])
SEED = bytes([7]) * 32
TIME_S = 1679315147


def raw_of(line: str) -> bytes:
    return base64.b64decode(line.split(" ")[2])


def test_an_ed25519_cosignature_byte_for_byte() -> None:
    witness = make_cosigner("witness.example/w1", SEED)
    message = b"cosignature/v1\ntime 1679315147\n" + HEAD.text.encode()
    signature = Ed25519PrivateKey.from_private_bytes(SEED).sign(message)
    line = cosign(HEAD.text, witness, TIME_S)
    assert line.startswith("\u2014 witness.example/w1 ")
    assert line.endswith("\n")
    assert raw_of(line) == witness.verifier.key_id + struct.pack(">Q", TIME_S) + signature


def test_an_ml_dsa_44_cosignature_byte_for_byte() -> None:
    witness = make_cosigner("witness.example/w1", SEED, "ml-dsa-44")
    message = b"subtree/v1\n\0" + b"\x12witness.example/w1" + struct.pack(">Q", TIME_S)
    message += b"\x0dlog.example/a" + struct.pack(">QQ", 0, 1) + hash_leaf(b"x")
    raw = raw_of(cosign(HEAD.text, witness, TIME_S))
    public = MLDSA44PrivateKey.from_seed_bytes(SEED).public_key()
    assert raw[:4] == witness.verifier.key_id
    assert len(raw) == 4 + 8 + 2420
    public.verify(raw[12:], message)
    assert isinstance(public, MLDSA44PublicKey)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_as_text(kind: Kind) -> None:
    cosigner = make_cosigner("witness.example/w1", SEED, kind)
    assert parse_cosigner_key(cosigner.skey) == cosigner
    assert parse_cosigner_key(cosigner.skey + "\n") == cosigner
    assert parse_cosigner_vkey(cosigner.verifier.vkey) == cosigner.verifier
    assert cosigner.skey.startswith("PRIVATE+KEY+witness.example/w1+" + cosigner.verifier.key_id.hex())
    assert repr(SEED) not in repr(cosigner)


def test_types_are_not_confused() -> None:
    ed25519, quantum = (make_cosigner("w.example", SEED, kind).verifier for kind in KINDS)
    assert base64.b64decode(ed25519.vkey.split("+", 2)[2])[0] == 4
    assert base64.b64decode(quantum.vkey.split("+", 2)[2])[0] == 6
    with pytest.raises(NoteError, match="type 0x04 or 0x06"):
        parse_cosigner_vkey(LOG.verifier.vkey)
    with pytest.raises(NoteError, match="0x01"):
        parse_vkey(ed25519.vkey)
    with pytest.raises(NoteError, match="not type 0x04"):
        parse_log_vkey(ed25519.vkey)
    assert parse_log_vkey(LOG.verifier.vkey) == LOG.verifier
    assert parse_log_vkey(quantum.vkey) == quantum


def test_a_plain_signature_is_no_cosignature() -> None:
    # the same private key as a log's: its note signature must not pass for a cosignature, nor the other way round
    key = make_cosigner("log.example/a", bytes(range(32))).verifier
    with pytest.raises(NoteError, match="72"):
        key.verify_cosignature(HEAD.text, LOG.sign(HEAD.text.encode()))
    with pytest.raises(NoteError):
        LOG.verifier.verify(HEAD.text.encode(), raw_of(cosign(HEAD.text, make_cosigner("w", SEED), 1))[12:])


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_covers(kind: Kind) -> None:
    cosigner = make_cosigner("witness.example/w1", SEED, kind)
    signature = cosigner.cosign_checkpoint(HEAD, TIME_S)
    assert cosigner.verifier.verify_cosignature(HEAD.text, signature) == TIME_S
    assert cosigner.verifier.verify_cosignature(HEAD, signature) == TIME_S
    for other in (
        Checkpoint("log.example/b", 1, HEAD.root),
        Checkpoint(HEAD.origin, 2, HEAD.root),
        Checkpoint(HEAD.origin, 1, hash_leaf(b"y")),
    ):
        with pytest.raises(NoteError, match="invalid cosignature"):
            cosigner.verifier.verify_cosignature(other.text, signature)
    later = (TIME_S + 1).to_bytes(8, "big") + signature[8:]
    with pytest.raises(NoteError, match="invalid cosignature"):
        cosigner.verifier.verify_cosignature(HEAD.text, later)


def test_extension_lines_are_covered_by_ed25519_and_refused_by_ml_dsa_44() -> None:
    ed25519, quantum = (make_cosigner("w.example", SEED, kind) for kind in KINDS)
    signature = ed25519.cosign_checkpoint(EXTENDED, 1)
    assert ed25519.verifier.verify_cosignature(EXTENDED, signature) == 1
    with pytest.raises(NoteError, match="invalid"):
        ed25519.verifier.verify_cosignature(HEAD, signature)
    with pytest.raises(NoteError, match="extension lines"):
        quantum.cosign_checkpoint(EXTENDED, 1)
    with pytest.raises(NoteError, match="extension lines"):
        quantum.verifier.verify(EXTENDED.text.encode(), quantum.cosign_checkpoint(HEAD, 1))


def test_ml_dsa_44_covers_the_cosigners_name() -> None:
    signature = make_cosigner("w.example", SEED, "ml-dsa-44").cosign_checkpoint(HEAD, 1)
    with pytest.raises(NoteError, match="invalid cosignature"):
        make_cosigner("v.example", SEED, "ml-dsa-44").verifier.verify_cosignature(HEAD, signature)


@pytest.mark.parametrize("kind", KINDS)
def test_times(kind: Kind) -> None:
    cosigner = make_cosigner("w.example", SEED, kind)
    for time_s in (0, -1, 2**63):
        with pytest.raises(NoteError, match="time"):
            cosign(HEAD.text, cosigner, time_s)
    assert cosigner.verifier.verify_cosignature(HEAD, cosigner.cosign_checkpoint(HEAD, 2**63 - 1)) == 2**63 - 1
    good = cosigner.cosign_checkpoint(HEAD, 1)
    for time_s in (0, 2**63, 2**64 - 1):
        with pytest.raises(NoteError, match="time"):
            cosigner.verifier.verify_cosignature(HEAD, time_s.to_bytes(8, "big") + good[8:])


def test_subtrees() -> None:
    cosigner = make_cosigner("w.example", SEED, "ml-dsa-44")
    root = hash_leaf(b"anything")
    signature = cosigner.cosign_subtree("log.example/a", 256, 512, root)
    assert cosigner.verifier.verify_subtree("log.example/a", 256, 512, root, signature) == 0
    for start, end, other in ((0, 256, root), (256, 511, root), (256, 512, EMPTY_ROOT)):
        with pytest.raises(NoteError, match="invalid"):
            cosigner.verifier.verify_subtree("log.example/a", start, end, other, signature)
    timed = cosigner.cosign_subtree("log.example/a", 0, 1, HEAD.root, TIME_S)
    assert cosigner.verifier.verify_cosignature(HEAD, timed) == TIME_S


def test_what_is_no_subtree() -> None:
    cosigner = make_cosigner("w.example", SEED, "ml-dsa-44")
    with pytest.raises(NoteError, match="begins at leaf 256 tells no time"):
        cosigner.cosign_subtree("log.example/a", 256, 512, EMPTY_ROOT, 1)
    with pytest.raises(NoteError, match="not aligned"):
        cosigner.cosign_subtree("log.example/a", 255, 512, EMPTY_ROOT)
    cosigner.cosign_subtree("log.example/a", 512, 512, EMPTY_ROOT)
    with pytest.raises(NoteError, match="of nothing"):
        cosigner.cosign_subtree("log.example/a", 512, 512, hash_leaf(b"x"))
    with pytest.raises(NoteError, match="32 bytes"):
        cosigner.cosign_subtree("log.example/a", 0, 1, b"short")
    with pytest.raises(NoteError, match="255 bytes"):
        cosigner.cosign_subtree("o" * 256, 0, 1, EMPTY_ROOT)
    with pytest.raises(NoteError, match="no subtrees"):
        make_cosigner("w.example", SEED).cosign_subtree("log.example/a", 0, 1, EMPTY_ROOT)
    with pytest.raises(NoteError, match="no subtrees"):
        make_cosigner("w.example", SEED).verifier.verify_subtree("o", 0, 1, EMPTY_ROOT, bytes(72))


def test_a_timeless_subtree_cosignature_opens_a_note_but_tells_no_time() -> None:
    cosigner = make_cosigner("w.example", SEED, "ml-dsa-44")
    timeless = cosigner.cosign_subtree(HEAD.origin, 0, 1, HEAD.root)
    cosigner.verifier.verify(HEAD.text.encode(), timeless)
    with pytest.raises(NoteError, match="tells no time"):
        cosigner.verifier.verify_cosignature(HEAD, timeless)


def test_a_note_is_opened_by_keys_of_every_kind() -> None:
    cosigners = [make_cosigner(f"w{number}.example", bytes([number]) * 32, kind) for number, kind in enumerate(KINDS)]
    note = add_cosignatures(NOTE, [cosign(HEAD.text, each, TIME_S) for each in cosigners])
    keys = [LOG.verifier, *(each.verifier for each in cosigners)]
    assert open_note(note, keys) == (HEAD.text, tuple(keys))
    assert open_note(NOTE, keys)[1] == (LOG.verifier,)
    assert note.startswith(NOTE)


def test_a_newer_cosignature_replaces_the_older() -> None:
    witness = make_cosigner("w.example", SEED)
    older, newer = (cosign(HEAD.text, witness, time_s) for time_s in (1, 2))
    note = add_cosignatures(add_cosignatures(NOTE, [older]), [newer.rstrip("\n")])
    assert note == NOTE + newer.encode()
    # two keys of one name are two cosigners
    other = cosign(HEAD.text, make_cosigner("w.example", bytes(32)), 3)
    assert add_cosignatures(note, [other]) == note + other.encode()


def test_repeated_lines_of_a_note_are_kept_as_they_are() -> None:
    line = cosign(HEAD.text, make_cosigner("w.example", SEED), 1).encode()
    assert add_cosignatures(NOTE + line + line, []) == NOTE + line + line


def test_lines_that_are_not_added() -> None:
    with pytest.raises(NoteError, match="em dash"):
        add_cosignatures(NOTE, ["- w.example AAAAAAA="])
    with pytest.raises(NoteError, match=r"base64|malformed"):
        add_cosignatures(NOTE, [cosign(HEAD.text, make_cosigner("w.example", SEED), 1) + "\n"])
    many = [cosign(HEAD.text, make_cosigner(f"w{number}", SEED), 1) for number in range(MAX_SIGNATURES)]
    with pytest.raises(NoteError, match="more than 64"):
        add_cosignatures(NOTE, many)


def test_what_cosigners_refuse_to_sign() -> None:
    with pytest.raises(NoteError, match="a cosignature is of a checkpoint"):
        cosign("some text\n", make_cosigner("w.example", SEED), 1)
    for name, seed, kind, words in (
        ("two words", SEED, "ed25519", "printable"),
        ("w" * 256, SEED, "ed25519", "255 bytes"),
        ("w", SEED[1:], "ed25519", "32 bytes"),
        ("w", SEED, "rsa", "kind"),
    ):
        with pytest.raises(NoteError, match=words):
            make_cosigner(name, seed, kind)  # type: ignore[arg-type]


def test_secrets_are_not_repeated() -> None:
    skey = make_cosigner("w.example", SEED, "ml-dsa-44").skey
    for text in (skey.replace("w.example", "v.example"), skey[12:], skey[:-3], skey.replace("+", "-"), skey[:12]):
        with pytest.raises(NoteError) as caught:
            parse_cosigner_key(text)
        assert skey[-20:] not in str(caught.value)
        assert caught.value.__cause__ is None


def test_malformed_vkeys() -> None:
    vkey = make_cosigner("w.example", SEED, "ml-dsa-44").verifier.vkey
    with pytest.raises(NoteError, match="does not belong"):
        parse_cosigner_vkey(vkey.replace("w.example", "v.example"))
    short = CosignerKey("w.example", "ml-dsa-44", bytes(1311)).vkey
    with pytest.raises(NoteError, match="1312 bytes"):
        parse_cosigner_vkey(short)
    with pytest.raises(NoteError, match="Ed25519"):
        parse_log_vkey(CosignerKey("w.example", "ed25519", bytes(31)).vkey)


def test_signature_lines() -> None:
    line = cosign(HEAD.text, make_cosigner("w.example", SEED), 1)
    assert parse_signature(line.rstrip("\n")) == parse_note(NOTE + line.encode()).signatures[1]
