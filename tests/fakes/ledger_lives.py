"""What the fault tests of the ledger share: a witness of every head, clients that repeat, and checks of a whole log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from timeball.ledger.checkpoint import Checkpoint, parse_checkpoint_text
from timeball.ledger.entry import parse_envelope
from timeball.ledger.merkle import MerkleTree, hash_leaf
from timeball.ledger.note import make_signer, open_note
from timeball.ledger.payload import parse_frame
from timeball.ledger.verify import verify_log
from timeball.simulation.disk import SimulatedDisk
from timeball.station.recording.errors import LedgerFull
from timeball.station.recording.integration import payload_path
from timeball.station.recording.staging import Asked
from timeball.station.recording.store import EntryBatch, NewEntry, Store

SIGNER = make_signer("timeball.example/tb", bytes(range(32)))
NOWHERE = Path("/nonexistent")
STREAMS = ("collector", "timekeeper", "observer")


class Witness:
    """Sees every head that is ever written, also one that never got its name or that a crash takes back."""

    def __init__(self) -> None:
        self.heads: dict[int, Checkpoint] = {}
        self.notes: set[bytes] = set()

    def __call__(self, disk: SimulatedDisk) -> None:
        for path in ("ledger/checkpoint.tmp", "ledger/checkpoint"):
            data = disk.read(path)
            if data and data not in self.notes:
                self.notes.add(data)
                head = parse_checkpoint_text(data.decode().split("\n\n")[0] + "\n")
                assert self.heads.setdefault(head.size, head) == head, f"two heads of {head.size} entries"

    def check(self, store: Store) -> None:
        """Every head ever seen is signed, and the root of that many of the present entries."""
        for note in self.notes:
            open_note(note, [SIGNER.verifier])
        tree = MerkleTree()
        log = store._log()
        for bundle in range((store.checkpoint.size + 255) // 256):
            for leaf in log.bundle(bundle):
                tree.append(hash_leaf(leaf))
        for size, head in self.heads.items():
            assert size <= tree.size, "a head was signed that the log has not reached again"
            assert tree.root(size) == head.root, f"the head of {size} entries is not of this log"


def open_store(disk: SimulatedDisk, rng: np.random.Generator, kind: type[Store] = Store) -> Store:
    return kind(NOWHERE, disk, signer=SIGNER, entropy=rng.bytes)


def verify_whole(disk: SimulatedDisk) -> None:
    files = disk.files()
    present = [path.removeprefix("ledger/") for path in files if path.startswith("ledger/")]
    verify_log(
        lambda path: files.get(f"ledger/{path}"),
        present,
        SIGNER.verifier,
        payloads=lambda path: files.get(f"payloads/{path}"),
    )


def check_partial_tiles(disk: SimulatedDisk) -> None:
    """No partial tile lies beside its complete one."""
    files = disk.files()
    for path in files:
        complete = path.split(".p/")[0]
        assert complete == path or complete not in files, path


def read_all(store: Store) -> Iterator[tuple[str, int, bytes | None]]:
    """Stream, number and payload of every acknowledged entry: those under the head in one pass, then the rest."""
    log = store._log()
    for bundle in range((store.checkpoint.size + 255) // 256):
        data, offset = store._fs.read(payload_path(bundle)) or b"", 0
        for leaf in log.bundle(bundle):
            frame = parse_frame(data, offset)
            offset = frame.end
            envelope = parse_envelope(leaf)
            yield envelope.by, envelope.seq, frame.payload
    for index in range(store.checkpoint.size, store.size):
        envelope, payload = store.read(index)
        yield envelope.by, envelope.seq, payload


class Clients:
    """Three streams that repeat what was not acknowledged, and remember what was. They send entries or batches."""

    def __init__(self, rng: np.random.Generator, longest: int = 3000, largest_batch: int = 4) -> None:
        self.rng = rng
        self.longest = longest
        self.largest_batch = largest_batch
        self.acknowledged: dict[tuple[str, int], tuple[int, bytes]] = {}
        self.waiting: dict[str, EntryBatch] = {}
        self.last = dict.fromkeys(STREAMS, 0)

    def ask(self) -> list[EntryBatch]:
        batches = []
        for stream in self.last:
            if self.rng.random() < 0.8:
                if stream not in self.waiting:
                    self.waiting[stream] = self.batch(stream, int(self.rng.integers(1, self.largest_batch + 1)))
                batches.append(self.waiting[stream])
        return batches

    def batch(self, stream: str, count: int) -> EntryBatch:
        fill = self.rng.bytes(int(self.rng.integers(1, self.longest))).hex().encode()
        payloads = [b'{"bytes":"%s","n":%d}' % (fill, number) for number in range(count)]
        return EntryBatch(stream, self.last[stream] + 1, "readings", 1, payloads)

    def hear(self, batches: Sequence[EntryBatch], answers: Sequence[list[int] | Exception]) -> None:
        for batch, answer in zip(batches, answers, strict=True):
            if isinstance(answer, list):
                for position, index in enumerate(answer):
                    seq = batch.first_seq + position
                    self.acknowledged[batch.stream, seq] = (index, batch.payloads[position])
                    self.last[batch.stream] = seq
                self.waiting.pop(batch.stream, None)
            else:
                assert isinstance(answer, LedgerFull), answer

    def turn(self, store: Store, time_ns: int) -> None:
        batches = self.ask()
        asked = [batch if self.rng.random() < 0.5 else one_by_one(batch) for batch in batches]
        self.hear(batches, store.append_groups(asked, time_ns))

    def check(self, store: Store) -> None:
        everything = list(read_all(store))
        for (stream, seq), (index, payload) in self.acknowledged.items():
            assert index < len(everything), f"entry {index} is lost"
            assert everything[index] == (stream, seq, payload), f"entry {index} is another one"

    def check_ends(self, store: Store) -> None:
        """Where each stream ends, and one last entry: a quick look at what a crash would take first."""
        for stream, seq in self.last.items():
            assert store.next_seq(stream) > seq, f"entry {seq} of {stream} is lost"
        stream = str(self.rng.choice(STREAMS))
        if seq := self.last[stream]:
            index, payload = self.acknowledged[stream, seq]
            envelope, found = store.read(index)
            assert (envelope.by, envelope.seq, found) == (stream, seq, payload), f"entry {index} is another one"


def one_by_one(batch: EntryBatch) -> Asked:
    return [
        NewEntry(batch.stream, seq, batch.type, batch.version, payload)
        for seq, payload in enumerate(batch.payloads, batch.first_seq)
    ]
