"""The compiled verification and the plain one say the same of every log, sound or damaged, word for word."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timeball.ledger import canonical, verify
from timeball.ledger.batch import sign_batch
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.entry import make_envelope, write_envelope
from timeball.ledger.errors import EvidenceError
from timeball.ledger.kernels import COMPILED
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.note import make_signer
from timeball.ledger.payload import WITHHELD, erase_frame, write_frame
from timeball.ledger.tiles import WIDTH, Edge, index_path, parse_bundle, write_bundle

SIZE = 4 * WIDTH + 17
LOG = make_signer("timeball.example/log", b"l" * 32)
COLLECTOR = make_signer("timeball.example/collector", b"c" * 32)
STRANGER = make_signer("timeball.example/collector", b"x" * 32)
SEED = 20261122
Files = dict[str, bytes]
Change = Callable[[int, dict[str, object]], object]


def payload_of(index: int) -> tuple[str, bytes]:
    """Type and payload of an entry: a key, signed batches, an erasure, and things that mean nothing here."""
    if index == 0:
        return "key", canonical.encode({"name": "c", "purpose": "readings", "vkey": COLLECTOR.verifier.vkey})
    if index == 700:
        return "erasure", canonical.encode({"indices": [5, 300], "reason": "asked for"})
    if index % 50 == 9:
        return "readings", canonical.encode(sign_batch({"epoch": str(index)}, COLLECTOR))
    return f"kind{index % 3}", canonical.encode({"text": "x" * (index % 90), "values": [index, -index, None, "é\n"]})


def build(change: Change = lambda _index, _fields: None, erased: tuple[int, ...] = (5, 300)) -> Files:
    """A whole log in memory, signed; `change` may alter the fields of an entry, or give the frame to put there."""
    rng = random.Random(SEED)
    files: Files = {"log.vkey": LOG.verifier.vkey.encode()}
    edge, numbers = Edge(), dict.fromkeys("abcde", 0)
    for number in range((SIZE + WIDTH - 1) // WIDTH):
        leaves, frames = [], []
        for index in range(number * WIDTH, min(SIZE, (number + 1) * WIDTH)):
            stream = rng.choice("abcde")
            numbers[stream] += 1
            kind, payload = payload_of(index)
            fields: dict[str, object] = {
                "by": stream, "seq": numbers[stream], "time_ns": 10**18 + index // 2, "type": kind, "version": 1,
                "salt": rng.randbytes(16 + index % 17), "payload": payload,
                "supersedes": index - 1 if index % 40 == 1 else None,
            }  # fmt: skip
            frame = change(index, fields)
            leaves.append(write_envelope(make_envelope(**fields)))  # type: ignore[arg-type]
            whole = write_frame(fields["salt"], fields["payload"])  # type: ignore[arg-type]
            frames.append(frame if isinstance(frame, bytes) else erase_frame(whole) if index in erased else whole)
        suffix = "" if len(leaves) == WIDTH else f".p/{len(leaves)}"
        files[f"tile/entries/{index_path(number)}{suffix}"] = write_bundle(leaves)
        files[f"payloads/{index_path(number)}"] = b"".join(frames)
        for leaf in leaves:
            files |= {str(path): content for path, content in edge.append(hash_leaf(leaf))}
    files |= {str(path): content for path, content in edge.partial_tiles()}
    files["checkpoint"] = sign_checkpoint(Checkpoint(LOG.name, SIZE, edge.root()), [LOG])
    return files


def judge(files: Files, compiled: bool, since: Checkpoint | None = None, with_payloads: bool = True) -> object:
    """What the verification says: its report, or file, entry, byte and words of the first contradiction."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "COMPILED", compiled)
        payloads = (lambda path: files.get(f"payloads/{path}")) if with_payloads else None
        try:
            report = verify.verify_log(files.get, list(files), LOG.verifier, payloads=payloads, since=since)
        except EvidenceError as error:
            return str(error)
        contents = report.contents
        assert contents is not None
        contents.payloads = None
        return report


def judge_both(files: Files, since: Checkpoint | None = None, with_payloads: bool = True) -> object:
    assert COMPILED  # else the two are one
    fast = judge(files, True, since, with_payloads)
    assert fast == judge(files, False, since, with_payloads)
    return fast


@pytest.fixture(scope="module")
def sound() -> Files:
    files = build()
    report = judge_both(files)
    assert isinstance(report, verify.Report)
    assert report.contents is not None
    assert report.contents.types["readings"] == report.contents.batches == 21
    assert report.contents.erased == {5, 300}
    assert sum(report.contents.streams.values()) == SIZE
    return files


def test_without_payloads(sound: Files) -> None:
    assert isinstance(judge_both(sound, with_payloads=False), verify.Report)


def test_withheld_payloads() -> None:
    report = judge_both(build(lambda index, _: WITHHELD if 20 <= index < 600 else None, erased=(5,)))
    assert isinstance(report, verify.Report)
    assert report.contents is not None
    assert report.contents.withheld == 580


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 1000, SIZE])
def test_an_older_head_inside_any_bundle(sound: Files, size: int) -> None:
    edge = Edge()
    leaves = [
        leaf
        for number in range(5)
        for leaf in parse_bundle(
            *((sound[f"tile/entries/00{number}"], WIDTH) if number < 4 else (sound["tile/entries/004.p/17"], 17))
        )
    ]
    for leaf in leaves[:size]:
        edge.append(hash_leaf(leaf))
    assert isinstance(judge_both(sound, Checkpoint(LOG.name, size, edge.root())), verify.Report)
    assert "forked" in str(judge_both(sound, Checkpoint(LOG.name, size, bytes(32))))


def test_narrower_tiles_beside_complete_ones(sound: Files) -> None:
    """All 255 widths of a bundle and of its tile, as a log has them when each head left one behind."""
    bundle, tile = sound["tile/entries/001"], sound["tile/0/001"]
    leaves = parse_bundle(bundle, WIDTH)
    left = {f"tile/entries/001.p/{width}": write_bundle(leaves[:width]) for width in range(1, WIDTH)}
    left |= {f"tile/0/001.p/{width}": tile[: 32 * width] for width in range(1, WIDTH)}
    assert isinstance(judge_both(sound | left), verify.Report)
    left["tile/entries/001.p/77"] = left["tile/entries/001.p/77"][:-1] + b"?"
    assert "tile/entries/001.p/77: it differs" in str(judge_both(sound | left))


def test_missing_files(sound: Files) -> None:
    for path in ("tile/entries/002", "tile/0/002", "payloads/002", "tile/1/000.p/4"):
        files = {name: data for name, data in sound.items() if name != path}
        assert "missing" in str(judge_both(files)), path
        assert judge_both(sound | {path: b""}) != judge_both(sound)


def at(place: int, **changed: object) -> Change:
    def change(index: int, fields: dict[str, object]) -> None:
        if index == place:
            fields |= changed

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (at(300, seq=9999), "goes from sequence number"),
        (at(512, seq=1), "goes from sequence number"),
        (at(300, time_ns=5), "time goes back"),
        (at(512, time_ns=10**18), "time goes back"),
        (at(300, supersedes=300), "not before it"),
        (at(300, supersedes=2**53 - 1), "not before it"),
        (at(301, payload=b'{"b":1,"a":2}'), "not in canonical form"),
        (at(301, payload=b'{"a":1.5}'), "fraction"),
        (at(301, payload=b""), "not JSON"),
        (at(301, type="key", payload=b"{}"), "key"),
        (at(301, payload=canonical.encode({"batch": {}, "signature": ""})), "signed batch"),
        (at(301, payload=canonical.encode(sign_batch({"epoch": "1"}, STRANGER))), "which no key entry"),
        (at(701, type="erasure", payload=canonical.encode({"indices": []})), ""),
        (lambda index, _: write_frame(b"s" * 16, b"1") if index == 301 else None, "do not match the digest"),
        (lambda index, _: b"\0\0\0\0\x02\0\1" if index == 301 else None, "not all zero"),
        (lambda index, _: b"\x05\0\0\0\0" if index == 301 else None, "salt length 5"),
        (lambda index, _: b"" if index == 301 else None, ""),
        (lambda index, _: write_frame(b"s" * 16, b"1") + b"?" if index == 511 else None, "do not match the digest"),
        (lambda index, _: b"\0\0\0\0\0" if index == 301 else None, "no erasure entry says so"),
    ],
)  # fmt: skip
def test_what_the_holder_of_the_logs_key_could_sign(change: Change, words: str) -> None:
    assert words in str(judge_both(build(change)))


def test_bytes_behind_the_last_payload(sound: Files) -> None:
    assert "bytes after the last" in str(judge_both(sound | {"payloads/001": sound["payloads/001"] + b"?"}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit(sound: Files, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(set(sound) - {"log.vkey"})), label="file")
    flipped = bytearray(sound[path])
    position = data.draw(st.integers(0, len(flipped) - 1), label="byte")
    flipped[position] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    assert isinstance(judge_both(sound | {path: bytes(flipped)}), str)


def test_files_larger_than_the_first_buffers(tmp_path: Path) -> None:
    """From a folder, through the readers that fill kept buffers."""
    from timeball.station.recording.logfolder import LogFolder, verify_folder

    files = build(
        lambda index, fields: fields.update(type="text", payload=b'"' + b"y" * (40 * index) + b'"'), erased=()
    )
    for name, data in files.items():
        path = tmp_path / name if name.startswith("payloads/") else tmp_path / "ledger" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folder = LogFolder.find(tmp_path)
    assert folder is not None
    report = verify_folder(folder, None)
    assert report.contents is not None
    assert report.contents.payload_bytes == sum(len(d) for name, d in files.items() if name.startswith("payloads/"))
