"""Attacks on a recorded ledger, each with its positive control: before the attack the same files verify."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timeball.cli.verify import command
from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.entry import make_envelope, write_envelope
from timeball.ledger.errors import EvidenceError
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.note import make_signer
from timeball.ledger.payload import erase_frame, parse_frame, write_frame
from timeball.ledger.tiles import Edge, parse_bundle, write_bundle
from timeball.ledger.verify import Report
from timeball.station.recording.group import join_block
from timeball.station.recording.integration import Frontier, plan_integration
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.logfolder import LogFolder, verify_folder
from timeball.station.recording.store import NewEntry, Store

ENTRIES = 600
COLLECTOR = make_signer("timeball.example/collector", b"c" * 32)
STRANGER = make_signer("timeball.example/collector", b"x" * 32)


def payload_of(number: int) -> bytes:
    if number == 1:
        return canonical.encode({"name": "collector", "vkey": COLLECTOR.verifier.vkey, "purpose": "readings"})
    batch: dict[str, object] = {"epoch": str(number), "x_fs": [str(number * 7), "-12"]}
    return canonical.encode(sign_batch(batch, COLLECTOR) if number % 10 == 9 else batch)


def entry_of(number: int) -> NewEntry:
    return NewEntry("collector", number, "key" if number == 1 else "readings", 1, payload_of(number))


def verify(state: Path, **options: object) -> Report:
    folder = LogFolder.find(state)
    assert folder is not None
    return verify_folder(folder, None, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder of 600 entries with an older head kept aside and some narrower tiles left lying about."""
    state = tmp_path_factory.mktemp("ledger")
    with Store(state) as store:
        store.append_many([entry_of(number) for number in range(1, 301)], 1_000)
        store.integrate()
        (state / "older").write_bytes((state / "ledger/checkpoint").read_bytes())
        shutil.copytree(state / "ledger/tile", state / "old-tiles")
        store.append_many([entry_of(number) for number in range(301, ENTRIES + 1)], 2_000)
    shutil.copytree(state / "old-tiles", state / "ledger/tile", dirs_exist_ok=True)
    shutil.rmtree(state / "old-tiles")
    assert (state / "ledger/tile/0/001.p/44").exists()
    assert verify(state).head.size == ENTRIES
    return state


@pytest.fixture
def state(recorded: Path, tmp_path: Path) -> Path:
    """A copy to attack; the control is that it verifies as it is."""
    copy = tmp_path / "state"
    shutil.copytree(recorded, copy)
    report = verify(copy, since=copy / "older")
    assert report.contents is not None
    assert report.contents.batches == ENTRIES // 10
    assert report.contents.unattested_batches == 0
    return copy


def convict(state: Path, words: str, **options: object) -> EvidenceError:
    with pytest.raises(EvidenceError, match=words) as caught:
        verify(state, **options)
    return caught.value


def rewrite_bundle(state: Path, change: Callable[[list[bytes]], None]) -> None:
    """Change the entries of the second bundle and nothing else."""
    path = state / "ledger/tile/entries/001"
    leaves = parse_bundle(path.read_bytes(), 256)
    change(leaves)
    path.write_bytes(write_bundle(leaves))


def resign(state: Path, leaves: list[bytes], frames: list[tuple[bytes, bytes]]) -> None:
    """Rewrite the whole ledger with the recorder's own key: what an intruder who holds that key can do."""
    signer = load_or_create_key(state, "log")
    for folder in ("ledger/tile", "payloads"):
        shutil.rmtree(state / folder)
    plan = plan_integration(Frontier(Edge()), join_block(leaves, [write_frame(*frame) for frame in frames]))
    for path, _, data in plan.writes:
        (state / path).parent.mkdir(parents=True, exist_ok=True)
        (state / path).write_bytes(data)
    edge = plan.frontier.edge
    head = sign_checkpoint(Checkpoint(signer.name, edge.size, edge.root()), [signer])
    (state / "ledger/checkpoint").write_bytes(head)


def resigned_entries(
    state: Path, count: int = 20, **changed: Callable[[int], object]
) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
    """Entries made anew, with some envelope fields under the attacker's control."""
    leaves, frames = [], []
    for number in range(1, count + 1):
        salt, payload = number.to_bytes(16), payload_of(number)
        fields: dict[str, object] = {
            "by": "collector", "seq": number, "time_ns": 1000 + number, "type": "key" if number == 1 else "readings",
            "version": 1, "payload": payload,
        }  # fmt: skip
        fields |= {name: change(number) for name, change in changed.items()}
        leaves.append(write_envelope(make_envelope(salt=salt, **fields)))  # type: ignore[arg-type]
        frames.append((salt, fields["payload"]))
    return leaves, frames  # type: ignore[return-value]


def test_altered_entry(state: Path) -> None:
    def change(leaves: list[bytes]) -> None:
        leaves[44] = leaves[44].replace(b'"version":1', b'"version":2')

    rewrite_bundle(state, change)
    error = convict(state, "the entry was altered")
    assert (error.file, error.index) == ("tile/entries/001", 300)
    assert error.offset == sum(
        2 + len(leaf) for leaf in parse_bundle((state / "ledger/tile/entries/001").read_bytes(), 256)[:44]
    )


def test_altered_entry_with_its_leaf_tile(state: Path) -> None:
    def change(leaves: list[bytes]) -> None:
        leaves[44] = leaves[44].replace(b'"version":1', b'"version":2')
        (state / "ledger/tile/0/001").write_bytes(b"".join(map(hash_leaf, leaves)))

    rewrite_bundle(state, change)
    convict(state, "is not that of the entries below it")


def test_altered_leaf_tile_is_told_from_an_altered_entry(state: Path) -> None:
    path = state / "ledger/tile/0/001"
    data = bytearray(path.read_bytes())
    data[44 * 32 + 5] ^= 1
    path.write_bytes(data)
    error = convict(state, "hash 44 is not that of the entries below it")
    assert (error.file, error.offset) == ("tile/0/001", 44 * 32 + 5)


def test_deleted_entry(state: Path) -> None:
    rewrite_bundle(state, lambda leaves: leaves.pop(100))
    error = convict(state, "bundle ends at byte")
    assert error.file == "tile/entries/001"


def test_reordered_entries(state: Path) -> None:
    def change(leaves: list[bytes]) -> None:
        leaves[10], leaves[11] = leaves[11], leaves[10]

    rewrite_bundle(state, change)
    assert convict(state, "the entry was altered").index == 266


def test_appended_entry_without_a_head(state: Path) -> None:
    """Entries beyond the head are no evidence: they neither count nor convict."""
    (state / "ledger/tile/entries/002.p/99").write_bytes(b"\x00\x02{}")
    assert verify(state).head.size == ENTRIES


def test_rewritten_by_the_holder_of_the_log_key_is_a_fork(state: Path) -> None:
    """With the log's own key everything can be written anew; the older head in other hands convicts."""
    resign(state, *resigned_entries(state, 400))
    assert verify(state).head.size == 400  # the control: by itself it is consistent
    convict(state, "forked", since=state / "older")


def test_back_dated_entry_by_the_holder_of_the_log_key(state: Path) -> None:
    resign(state, *resigned_entries(state))
    assert verify(state).head.size == 20
    resign(state, *resigned_entries(state, time_ns=lambda number: 500 if number == 15 else 1000 + number))
    assert convict(state, "time goes back from 1014 to 500").index == 14


def test_left_out_entry_by_the_holder_of_the_log_key(state: Path) -> None:
    leaves, frames = resigned_entries(state)
    del leaves[7], frames[7]
    resign(state, leaves, frames)
    assert convict(state, "stream collector goes from sequence number 7 to 9").index == 7


def test_readings_forged_by_the_holder_of_the_log_key(state: Path) -> None:
    """The log's key does not make readings: those are signed where they are taken."""
    forged = canonical.encode(sign_batch({"epoch": "9", "x_fs": ["1"]}, STRANGER))
    resign(state, *resigned_entries(state, payload=lambda number: forged if number == 9 else payload_of(number)))
    assert convict(state, "which no key entry before it names").index == 8
    moved = payload_of(9).replace(b'"-12"', b'"-13"')
    resign(state, *resigned_entries(state, payload=lambda number: moved if number == 9 else payload_of(number)))
    assert convict(state, "signature of a batch").index == 8


def test_payload_that_is_not_canonical(state: Path) -> None:
    loose = b'{"b":1, "a":2}'
    resign(state, *resigned_entries(state, payload=lambda number: loose if number == 3 else payload_of(number)))
    assert convict(state, "not in canonical form").index == 2


def test_swapped_payload(state: Path) -> None:
    path = state / "payloads/000"
    data = path.read_bytes()
    first = parse_frame(data)
    second = parse_frame(data, first.end)
    frames = [write_frame(frame.salt, frame.payload or b"") for frame in (second, first)]
    path.write_bytes(b"".join(frames) + data[second.end :])
    assert convict(state, "do not match the digest").index == 0


def test_erased_payload_needs_an_entry_that_says_so(state: Path) -> None:
    with Store(state) as store:
        store.erase(5)
        assert store.read(5)[1] is None
        assert store.read(6)[1] == payload_of(7)
    assert convict(state, "no erasure entry says so").index == 5
    with Store(state) as store:
        reason = canonical.encode({"indices": [5], "reason": "asked for"})
        store.append_many([NewEntry("operator", 1, "erasure", 1, reason)], 3_000)
    report = verify(state)
    assert report.contents is not None
    assert report.contents.erased == {5}


def test_half_erased_payload(state: Path) -> None:
    path = state / "payloads/000"
    data = path.read_bytes()
    frame = parse_frame(data)
    tombstone = bytearray(erase_frame(data[: frame.end]))
    tombstone[-1] = 7
    path.write_bytes(bytes(tombstone) + data[frame.end :])
    assert convict(state, "not all zero").index == 0


def test_rolled_back_to_an_older_state(state: Path, recorded: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.write_bytes((state / "ledger/checkpoint").read_bytes())
    (state / "ledger/checkpoint").write_bytes((state / "older").read_bytes())
    assert verify(state).head.size == 300  # an old state is consistent in itself
    convict(state, "rolled back: an earlier signed head covers 600 entries, this one 300", since=newer)


@pytest.mark.parametrize(
    "missing", ["checkpoint", "tile/entries/001", "tile/0/000", "tile/1/000.p/2", "tile/0/002.p/88"]
)
def test_missing_file(state: Path, missing: str) -> None:
    (state / "ledger" / missing).unlink()
    assert convict(state, "the file is missing").file == missing


def test_missing_payloads(state: Path) -> None:
    (state / "payloads/001").unlink()
    assert convict(state, "the file is missing").file == "payloads/001"


def test_checkpoint_of_another_log(state: Path) -> None:
    other = make_signer("timeball.example/tb", b"o" * 32)
    head = verify(state).head
    (state / "ledger/checkpoint").write_bytes(sign_checkpoint(head, [other]))
    convict(state, "no signature of a known key")
    unsigned = head.text + "\n\u2014 timeball.example/tb " + base64.b64encode(bytes(68)).decode() + "\n"
    (state / "ledger/checkpoint").write_text(unsigned)
    convict(state, "no signature of a known key")


def covered_files(state: Path) -> list[Path]:
    tree = [path for path in sorted((state / "ledger").rglob("*")) if path.is_file() and path.name != "log.vkey"]
    return tree + sorted((state / "payloads").iterdir())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_convicts(recorded: Path, data: st.DataObject) -> None:
    """Every class of byte: checkpoint, bundles, tiles of both levels, stale partial tiles, payloads."""
    path = data.draw(st.sampled_from(covered_files(recorded)), label="file")
    content = path.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1), label="byte")
    bit = data.draw(st.integers(0, 7), label="bit")
    flipped = bytearray(content)
    flipped[position] ^= 1 << bit
    path.write_bytes(flipped)
    try:
        with pytest.raises(EvidenceError):
            verify(recorded)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["ledger/checkpoint", "ledger/tile/1/000.p/2", "ledger/tile/1/000.p/1"])
def test_every_bit_of_the_short_files(recorded: Path, name: str) -> None:
    path = recorded / name
    content = path.read_bytes()
    try:
        for position in range(len(content)):
            flipped = bytearray(content)
            flipped[position] ^= 1 << (position % 8)
            path.write_bytes(flipped)
            with pytest.raises(EvidenceError):
                verify(recorded)
    finally:
        path.write_bytes(content)


def test_the_command_says_where_and_exits_with_4(state: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(command, [str(state), "--json", "--since", str(state / "older")])
    assert good.exit_code == 0, good.output
    assert json.loads(good.stdout)["size"] == ENTRIES
    rewrite_bundle(state, lambda leaves: leaves.__setitem__(0, leaves[0].replace(b"readings", b"verdicts")))
    bad = runner.invoke(command, [str(state)])
    assert bad.exit_code == 4
    assert "tile/entries/001, entry 256, byte 0: the entry was altered" in bad.output
    in_json = runner.invoke(command, [str(state), "--json"])
    assert '"ok": false' in in_json.stdout
    assert '"index": 256' in in_json.stdout
    nothing = runner.invoke(command, [str(state / "payloads")])
    assert nothing.exit_code == 2
