"""Notes, checkpoints, paths, bundles, envelopes, frames, batches: round trips, and only typed errors for any bytes."""

from __future__ import annotations

import base64
import hashlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.ledger.batch import CONTEXT, is_batch, sign_batch, verify_batch
from timeball.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint_text, sign_checkpoint
from timeball.ledger.entry import Envelope, make_envelope, parse_envelope, verify_payload, write_envelope
from timeball.ledger.errors import (
    BatchError,
    CheckpointError,
    EntryError,
    LedgerError,
    NoteError,
    TileError,
    UnverifiedNoteError,
)
from timeball.ledger.note import make_signer, open_note, parse_note, parse_skey, parse_vkey, sign_note
from timeball.ledger.payload import erase_frame, parse_frame, write_frame
from timeball.ledger.tiles import TilePath, index_path, parse_bundle, parse_index_path, parse_tile_path, write_bundle

SIGNER = make_signer("example.com/log", bytes(range(32)))
OTHER = make_signer("example.org/other", b"o" * 32)
NAMES = st.text(string.ascii_letters + string.digits + "./-_é", min_size=1, max_size=20)
LINES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=20)
TEXTS = st.lists(LINES, min_size=1, max_size=5).map(lambda lines: "\n".join(lines) + "\n")
STREAMS = st.from_regex(r"\A[a-z][a-z0-9_.:/-]{0,63}\Z")


# -- notes


@given(NAMES, st.binary(min_size=32, max_size=32))
def test_keys_round_trip(name: str, seed: bytes) -> None:
    signer = make_signer(name, seed)
    assert parse_skey(signer.skey) == signer
    assert parse_vkey(signer.verifier.vkey + "\n") == signer.verifier
    assert signer.skey not in repr(signer)


@given(TEXTS, st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=16, unique=True))
def test_notes_round_trip_with_sixteen_signatures(text: str, seeds: list[bytes]) -> None:
    signers = [make_signer(f"key{number}", seed) for number, seed in enumerate(seeds)]
    data = sign_note(text, signers)
    opened, signed = open_note(data, [signer.verifier for signer in signers])
    assert opened == text
    assert signed == tuple(signer.verifier for signer in signers)


@settings(max_examples=200)
@given(TEXTS, st.data())
def test_no_flipped_bit_in_a_note_passes(text: str, data: st.DataObject) -> None:
    note = bytearray(sign_note(text, [SIGNER]))
    note[data.draw(st.integers(0, len(note) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NoteError):
        open_note(bytes(note), [SIGNER.verifier])


def test_unknown_keys_are_ignored_and_known_ones_must_hold() -> None:
    data = sign_note("text\n", [OTHER, SIGNER])
    assert open_note(data, [SIGNER.verifier])[1] == (SIGNER.verifier,)
    with pytest.raises(UnverifiedNoteError, match=r"example\.com/log"):
        open_note(data, [make_signer("example.com/log", b"z" * 32).verifier])
    spoiled = data.replace(sign_note("text\n", [SIGNER])[-20:], sign_note("tent\n", [SIGNER])[-20:])
    assert open_note(spoiled, [OTHER.verifier])[0] == "text\n"
    with pytest.raises(NoteError, match="invalid signature"):
        open_note(spoiled, [OTHER.verifier, SIGNER.verifier])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"text\n\n",
        b"text\n\n\xe2\x80\x94 name\n",
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"text\n\n- name AAAAAAAAAA==\n",
        b"text\r\n\n\xe2\x80\x94 name AAAAAAAAAAA=\n",
        b"\xff\n\n\xe2\x80\x94 name AAAAAAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 na+me AAAAAAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAAAAAB=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAAAAAA=",
        b"text\n\n" + b"\xe2\x80\x94 name AAAAAAAAAAA=\n" * 65,
    ],
)
def test_malformed_notes(data: bytes) -> None:
    with pytest.raises(NoteError):
        parse_note(data)


@pytest.mark.parametrize(
    "text", ["", "name", "name+1", "name+00000000+AAAA", "na me+00000000+AAAA", "+00000000+AQ==", "n+xx+AQ=="]
)
def test_malformed_keys(text: str) -> None:
    with pytest.raises(NoteError):
        parse_vkey(text)


def test_a_key_id_belongs_to_its_key() -> None:
    name, _, key = SIGNER.verifier.vkey.partition("+")
    with pytest.raises(NoteError, match="does not belong"):
        parse_vkey(f"{name}+00000000+{key.partition('+')[2]}")


@given(st.binary(max_size=200))
def test_any_bytes_as_a_note(data: bytes) -> None:
    try:
        note = parse_note(data)
    except NoteError:
        return
    assert data.startswith(note.text.encode())


# -- checkpoints


@given(NAMES, st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(LINES.filter(bool), max_size=3))
def test_checkpoints_round_trip(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    signer = make_signer(origin, b"s" * 32)
    head = Checkpoint(origin, size, root, tuple(extensions))
    assert open_checkpoint(sign_checkpoint(head, [signer]), signer.verifier) == head


def test_a_checkpoint_of_another_origin() -> None:
    head = Checkpoint("example.com/log", 1, bytes(32))
    data = sign_checkpoint(head, [OTHER])
    assert open_checkpoint(data, OTHER.verifier, "example.com/log") == head
    with pytest.raises(CheckpointError, match="origin"):
        open_checkpoint(data, OTHER.verifier)


ROOT = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        f"o\n01\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n1\n{ROOT}",
        f"o\n1\n{ROOT}\n\n",
        f"o o\n1\n{ROOT}\n",
        f"o+\n1\n{ROOT}\n",
        f"o\n9223372036854775808\n{ROOT}\n",
        "o\n1\nAAAA\n",
        f"o\n1\n{ROOT[:-2]}B=\n",
        f"o\n0\n{ROOT}\n",
        f"o\n١\n{ROOT}\n",
    ],
)
def test_malformed_checkpoints(text: str) -> None:
    with pytest.raises(CheckpointError):
        parse_checkpoint_text(text)


# -- tiles


def test_the_index_path_of_the_specification() -> None:
    assert index_path(1234067) == "x001/x234/067"
    assert str(TilePath(2, 5, 17)) == "tile/2/005.p/17"


@given(st.none() | st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_tile_paths_round_trip(level: int | None, index: int, width: int) -> None:
    path = TilePath(level, index, width)
    assert parse_tile_path(str(path)) == path
    assert parse_index_path(index_path(index)) == index


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/0000",
        "tile/64/000",
        "tile/00/000",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/x/000",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/entries/000.p",
        "checkpoint",
        "tile/0/٠٠٠",
    ],
)
def test_no_other_spelling_of_a_path(path: str) -> None:
    with pytest.raises(TileError):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    assert parse_bundle(write_bundle(entries), len(entries)) == entries


@given(st.binary(max_size=100), st.integers(0, 256))
def test_any_bytes_as_a_bundle(data: bytes, width: int) -> None:
    try:
        entries = parse_bundle(data, width)
    except TileError:
        return
    assert write_bundle(entries) == data


def test_an_entry_too_long_for_a_bundle() -> None:
    assert len(write_bundle([bytes(65535)])) == 65537
    with pytest.raises(TileError, match="at most 65535"):
        write_bundle([bytes(65536)])


# -- entries


@given(
    STREAMS,
    st.integers(1, 2**53 - 1),
    st.integers(0, 2**63 - 1),
    STREAMS,
    st.binary(min_size=16, max_size=32),
    st.binary(max_size=50),
    st.none() | st.integers(0, 2**53 - 1),
)
def test_envelopes_round_trip_and_are_canonical(
    by: str, seq: int, time_ns: int, kind: str, salt: bytes, payload: bytes, supersedes: int | None
) -> None:
    envelope = make_envelope(
        by=by, seq=seq, time_ns=time_ns, type=kind, version=1, salt=salt, payload=payload, supersedes=supersedes
    )
    leaf = write_envelope(envelope)
    assert parse_envelope(leaf) == envelope
    assert canonical.encode(canonical.decode(leaf)) == leaf
    assert envelope.time_ns == time_ns
    verify_payload(envelope, salt, payload)
    with pytest.raises(EntryError, match="do not match"):
        verify_payload(envelope, salt, payload + b"x")


GOOD = write_envelope(make_envelope(by="a", seq=1, time_ns=5, type="t", version=1, salt=bytes(16), payload=b"{}"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":1', b'"seq":0'),
        (b'"seq":1', b'"seq":1.0'),
        (b'"seq":1', b'"seq":"1"'),
        (b'"seq":1', b'"seq":9007199254740992'),
        (b'"time":"5"', b'"time":"05"'),
        (b'"time":"5"', b'"time":5'),
        (b'"time":"5"', b'"time":"-5"'),
        (b'"time":"5"', b'"time":"5\\n"'),
        (b'"time":"5"', b'"time":"9999999999999999999"'),
        (b'"by":"a"', b'"by":"A"'),
        (b'"by":"a"', b'"by":""'),
        (b'"by":"a"', b'"by":"\\u0061"'),
        (b'"type":"t"', b'"type":"t "'),
        (b"=", b""),
        (b'"by"', b' "by"'),
        (b'"by":"a",', b""),
        (b'"version":1', b'"version":1,"z":1'),
        (b'"version":1', b'"version":0'),
        (b'"time"', b'"supersedes":null,"time"'),
        (b'"time"', b'"supersedes":-1,"time"'),
        (b"}", b"}\n"),
    ],
)
def test_envelopes_are_read_strictly(old: bytes, new: bytes) -> None:
    assert old in GOOD
    with pytest.raises(EntryError):
        parse_envelope(GOOD.replace(old, new, 1))


@given(st.binary(max_size=200))
def test_any_bytes_as_an_envelope(data: bytes) -> None:
    with pytest.raises(EntryError):
        parse_envelope(data)


def test_the_digest_is_over_salt_and_payload() -> None:
    salt, payload = bytes(range(16)), b'{"x_fs":"1"}'
    envelope = make_envelope(by="a", seq=1, time_ns=0, type="t", version=1, salt=salt, payload=payload)
    assert base64.b64decode(envelope.digest) == hashlib.sha256(salt + payload).digest()
    for wrong in (bytes(15), bytes(33), b""):
        with pytest.raises(EntryError, match="salt"):
            make_envelope(by="a", seq=1, time_ns=0, type="t", version=1, salt=wrong, payload=payload)
    assert isinstance(envelope, Envelope)


# -- payload frames


@given(
    st.lists(st.tuples(st.binary(min_size=16, max_size=32), st.binary(max_size=100)), min_size=1, max_size=8), st.data()
)
def test_frames_round_trip_and_erase_in_place(frames: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    written = [write_frame(salt, payload) for salt, payload in frames]
    gone = data.draw(st.integers(0, len(frames) - 1))
    written[gone] = erase_frame(written[gone])
    blob, offset = b"".join(written), 0
    for number, (salt, payload) in enumerate(frames):
        frame = parse_frame(blob, offset)
        assert (frame.salt, frame.payload) == ((b"", None) if number == gone else (salt, payload))
        offset = frame.end
    assert offset == len(blob)


@given(st.binary(max_size=80))
def test_any_bytes_as_a_frame(data: bytes) -> None:
    try:
        frame = parse_frame(data)
    except TileError:
        return
    if frame.payload is not None:
        assert data.startswith(write_frame(frame.salt, frame.payload))


# -- batches


@given(
    st.dictionaries(st.text(string.ascii_lowercase, max_size=5), st.integers(-9, 9) | st.text(max_size=5), max_size=4)
)
def test_batches_round_trip(batch: dict[str, object]) -> None:
    payload = sign_batch(batch, SIGNER)
    assert is_batch(payload)
    assert verify_batch(canonical.decode(canonical.encode(payload)), SIGNER.verifier) == batch


def test_batches_that_must_not_pass() -> None:
    payload = sign_batch({"x_fs": "1"}, SIGNER)
    bad: list[dict[str, object]] = [
        {**payload, "batch": {"x_fs": "2"}},
        {**payload, "batch": [1]},
        {**payload, "key": OTHER.verifier.vkey},
        {**payload, "key": 5},
        {**payload, "signature": "AAAA"},
        {**payload, "signature": "?"},
        {**payload, "more": 1},
        {"batch": {}},
    ]
    for changed in bad:
        with pytest.raises(BatchError):
            verify_batch(changed, SIGNER.verifier)
    with pytest.raises(BatchError, match="expected"):
        verify_batch(payload, OTHER.verifier)
    with pytest.raises(LedgerError):
        sign_batch({"x": 1.5}, SIGNER)


def test_a_note_signature_is_no_batch_signature() -> None:
    """The context keeps the two kinds of signature apart, also for the same key and the same bytes."""
    bare = base64.b64encode(SIGNER.sign(canonical.encode({"x": 1}))).decode()
    with pytest.raises(BatchError):
        verify_batch({"batch": {"x": 1}, "key": SIGNER.verifier.vkey, "signature": bare}, SIGNER.verifier)
    assert CONTEXT.endswith(b"\0")
