"""The ledger on disk: one writer, durable before it acknowledges, whole again after any crash.

The order of every step is the invariant. Entries go to the journal and one sync makes them durable: then they count.
Later they are written into payload files, entry bundles and tiles, all synced; then the checkpoint is signed and
replaced atomically; then what it superseded is removed and the journal may be cut. A head is signed only over files
that are durable, and the journal is cut only after the head is, so no two heads can contradict each other.
It does not speak to other processes (see `recorder`) and does not verify the whole log (see `ledger.verify`).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.entry import Envelope, make_envelope, parse_envelope, write_envelope
from timeball.ledger.errors import LedgerError
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.note import Signer
from timeball.ledger.payload import MAX_PAYLOAD, Frame, erase_frame, parse_frame
from timeball.ledger.tiles import ENTRIES, WIDTH, index_path
from timeball.station.errors import (
    EntryRefusedError,
    LedgerFull,
    SequenceRefusedError,
    StoreDamagedError,
    StoreError,
    StoreFailedError,
    StoreLockedError,
)
from timeball.station.filesystem import FileSystem, OSFileSystem, replace
from timeball.station.integration import LEDGER, Frontier, Integration, payload_path, plan_integration
from timeball.station.journal import Journal, JournalFrame
from timeball.station.keys import key_path, load_or_create_key
from timeball.station.recovery import CHECKPOINT, VKEY, open_frontier, open_head, pending_frames
from timeball.station.tails import StreamTails, parse_cache

DEFAULT_ORIGIN = "timeball.example/tb"
LOCK = "ledger.lock"
TAILS = "ledger.tails"
SALT_BYTES = 16
CUT_BYTES = 1 << 20
TAILS_EVERY = 4096
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be recorded; `payload` is canonical JSON."""

    stream: str
    seq: int
    type: str
    version: int
    payload: bytes
    supersedes: int | None = None


class Store:
    """The one writer of the ledger below `state_dir`.

    `signer` is the log's key, whose name is the origin; by default STATE/keys/log.key, made on first use.
    Raises StoreLockedError when another process writes, StoreDamagedError when the files contradict each other.
    """

    def __init__(
        self,
        state_dir: Path,
        fs: FileSystem | None = None,
        *,
        origin: str = DEFAULT_ORIGIN,
        signer: Signer | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if fs is None:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fs: FileSystem = OSFileSystem(state_dir) if fs is None else fs
        self._entropy = entropy
        self._journal = Journal(self._fs)
        self._head: Checkpoint
        self._frontier = Frontier()
        self._pending: list[JournalFrame] = []
        self._tails = StreamTails()
        self._time_ns = 0
        self._saved = 0
        self._stalled: LedgerFull | None = None
        # frames read back at open may never have reached the disk itself: once integrated they must go
        self._cut_due = True
        self._known_dirs: set[str] = set()
        try:
            self._fs.lock(LOCK)
        except BlockingIOError as error:
            raise StoreLockedError(f"another process writes the ledger in {state_dir}") from error
        try:
            self._signer = _log_key(state_dir, origin) if signer is None else signer
            self._recover()
        except BaseException:
            self._fs.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """The log's origin, which is its key's name."""
        return self._signer.name

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest signed and durable head."""
        return self._head

    @property
    def size(self) -> int:
        """Entries acknowledged, those not yet under the signed head included."""
        return self._head.size + len(self._pending)

    @property
    def pending(self) -> int:
        """Entries acknowledged but not yet under the signed head."""
        return len(self._pending)

    @property
    def stalled(self) -> LedgerFull | None:
        """Why nothing new is recorded just now; None when all is well."""
        return self._stalled

    def next_seq(self, stream: str) -> int:
        """The sequence number a stream must use next."""
        return self._tails.next_seq(stream)

    def append_many(self, entries: Iterable[NewEntry], time_ns: int) -> list[int]:
        """Record entries durably with one sync, and give their indices; all or none.

        `time_ns` is the clock, ns of TAI; the recorded time never goes back. Entries already recorded with the same
        content answer the index they have. Raises SequenceRefusedError, EntryRefusedError, LedgerFull.
        """
        if self._stalled:
            self.integrate()
        answer = self.append_groups([list(entries)], time_ns)[0]
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def append_groups(self, groups: Sequence[Sequence[NewEntry]], time_ns: int) -> list[list[int] | StoreError]:
        """Record several groups with one sync; each is accepted or refused as a whole, and answered in its place."""
        if self._stalled:
            return [self._stalled] * len(groups)
        answers: list[list[int] | StoreError] = []
        staged = _Staged(self.size, max(time_ns, self._time_ns))
        for group in groups:
            mark = len(staged.entries)
            try:
                answers.append([self._stage(entry, staged) for entry in group])
            except StoreError as error:
                staged.drop_after(mark)
                answers.append(error)
        if staged.frames:
            try:
                self._journal.append(staged.frames)
            except OSError as error:
                failure = self._stall(error)
                return [answer if isinstance(answer, StoreError) else failure for answer in answers]
            self._accept(staged)
        return answers

    def integrate(self) -> Checkpoint:
        """Bring what was acknowledged under a signed, durable head; raises LedgerFull when the disk refuses.

        Whatever fails, nothing acknowledged is lost and the next call does it again.
        """
        plan = plan_integration(self._frontier, self._pending)
        head = Checkpoint(self.origin, plan.frontier.edge.size, plan.frontier.edge.root())
        try:
            if self._pending:
                self._write(plan)
                replace(self._fs, CHECKPOINT, sign_checkpoint(head, [self._signer]))
            self._journal.mend()
        except OSError as error:
            raise self._stall(error) from error
        superseded = set(self._frontier.partial_paths()) - set(plan.frontier.partial_paths())
        self._head, self._frontier, self._pending, self._stalled = head, plan.frontier, [], None
        with contextlib.suppress(OSError):
            self._tidy(superseded)
        return head

    def read(self, index: int) -> tuple[Envelope, bytes | None]:
        """An acknowledged entry: envelope and payload (None when erased)."""
        if index >= self._head.size:
            frame = self._pending[index - self._head.size]
            return parse_envelope(frame.leaf), frame.payload
        bundle, position = divmod(index, WIDTH)
        found, _, _ = self._payload_frame(bundle, position)
        return parse_envelope(self._log().bundle(bundle)[position]), found.payload

    def erase(self, index: int) -> None:
        """Put zeros in place of an entry's salt and payload; leaf, tree and every other payload stay as they are."""
        self.integrate()
        bundle, position = divmod(index, WIDTH)
        frame, offset, data = self._payload_frame(bundle, position)
        tombstone = erase_frame(data[offset : frame.end])
        try:
            replace(self._fs, payload_path(bundle), data[:offset] + tombstone + data[frame.end :])
            self._journal.cut()
        except OSError as error:
            raise self._stall(error) from error

    def close(self) -> None:
        """Integrate what is pending, if the disk lets us, and release the lock. The journal keeps the rest."""
        with contextlib.suppress(StoreError):
            self.integrate()
        with contextlib.suppress(OSError):
            self._save_tails()
        self._fs.close()

    # -- opening

    def _recover(self) -> None:
        self._head = open_head(self._fs, self._signer)
        self._frontier, log = open_frontier(self._fs, self._head)
        self._pending = pending_frames(self._journal.open(), self._frontier)
        try:
            self._load_tails(log)
            for frame in self._pending:
                self._note(frame.index, parse_envelope(frame.leaf))
        except LedgerError as error:
            raise StoreDamagedError(str(error)) from error
        with contextlib.suppress(LedgerFull):
            self.integrate()
        self._sweep()

    def _load_tails(self, log: TiledLog) -> None:
        cache = parse_cache(self._fs.read(TAILS))
        start = 0
        if cache and 0 < cache.size <= log.size:
            bundle, position = divmod(cache.size - 1, WIDTH)
            probe = StreamTails()
            probe.restore(cache.streams.items())
            if probe.to_json(cache.size, hash_leaf(log.bundle(bundle)[position])) == self._fs.read(TAILS):
                self._tails, start = probe, cache.size
        self._saved = start
        # the last entry is always read, for its time
        for bundle in range(min(start, max(0, log.size - 1)) // WIDTH, (log.size + WIDTH - 1) // WIDTH):
            for position, leaf in enumerate(log.bundle(bundle)):
                if bundle * WIDTH + position >= min(start, log.size - 1):
                    self._note(bundle * WIDTH + position, parse_envelope(leaf))

    def _note(self, index: int, envelope: Envelope) -> None:
        self._tails.record(envelope.by, envelope.seq, index)
        self._time_ns = max(self._time_ns, envelope.time_ns)

    def _sweep(self) -> None:
        """Remove partial tiles that an interrupted integration left beside the present ones."""
        keep = set(self._frontier.partial_paths())
        size = self._frontier.edge.size
        with contextlib.suppress(OSError):
            for number in range(-1, len(self._frontier.edge.levels)):
                position = size >> (8 * (max(number, 0) + 1))
                for index in (position - 1, position):
                    if index >= 0:
                        self._sweep_folder(_partial_folder(number, index), keep)

    def _sweep_folder(self, folder: str, keep: set[str]) -> None:
        for name in self._fs.list(folder):
            if f"{folder}/{name}" not in keep:
                self._fs.unlink(f"{folder}/{name}")
        if not any(path.startswith(folder + "/") for path in keep):
            self._fs.remove_dir(folder)

    # -- appending

    def _stage(self, entry: NewEntry, staged: _Staged) -> int:
        expected = staged.next_seq.get(entry.stream) or self._tails.next_seq(entry.stream)
        if entry.seq > expected:
            raise SequenceRefusedError(entry.stream, entry.seq, expected, "leaves a gap")
        if entry.seq < expected:
            return self._repeated(entry, staged, expected)
        if entry.supersedes is not None and entry.supersedes >= staged.size:
            raise EntryRefusedError(f"entry {entry.supersedes} cannot be superseded: it is not recorded")
        if len(entry.payload) > MAX_PAYLOAD:
            raise EntryRefusedError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(entry.payload)}")
        salt = self._entropy(SALT_BYTES)
        try:
            envelope = make_envelope(
                by=entry.stream,
                seq=entry.seq,
                time_ns=staged.time_ns,
                type=entry.type,
                version=entry.version,
                salt=salt,
                payload=entry.payload,
                supersedes=entry.supersedes,
            )
        except LedgerError as error:
            raise EntryRefusedError(str(error)) from error
        return staged.add(entry, JournalFrame(staged.size, write_envelope(envelope), salt, entry.payload))

    def _repeated(self, entry: NewEntry, staged: _Staged, expected: int) -> int:
        for other, frame in zip(staged.entries, staged.frames, strict=True):
            if (other.stream, other.seq) == (entry.stream, entry.seq):
                if other != entry:
                    raise SequenceRefusedError(entry.stream, entry.seq, expected, "is taken by other content")
                return frame.index
        index = self._find(entry.stream, entry.seq)
        envelope, payload = self.read(index)
        recorded = (envelope.type, envelope.version, envelope.supersedes)
        if recorded != (entry.type, entry.version, entry.supersedes) or payload not in (None, entry.payload):
            raise SequenceRefusedError(entry.stream, entry.seq, expected, "is taken by other content")
        return index

    def _find(self, stream: str, seq: int) -> int:
        index = self._tails.recent(stream, seq)
        if index is not None:
            return index
        log = self._log()
        last = min(self._tails.last_index(stream), self._head.size - 1)
        for bundle in range(last // WIDTH, -1, -1):
            for position, leaf in enumerate(log.bundle(bundle)):
                envelope = parse_envelope(leaf)
                if (envelope.by, envelope.seq) == (stream, seq):
                    return bundle * WIDTH + position
        raise StoreDamagedError(f"stream {stream} has no entry with sequence number {seq}")

    def _accept(self, staged: _Staged) -> None:
        self._pending += staged.frames
        self._time_ns = staged.time_ns
        for entry, frame in zip(staged.entries, staged.frames, strict=True):
            self._tails.record(entry.stream, entry.seq, frame.index)

    # -- integrating

    def _write(self, plan: Integration) -> None:
        folders = {path.rpartition("/")[0] for path, _, _ in plan.writes}
        for folder in sorted(folders - self._known_dirs):
            self._fs.make_dirs(folder)
        self._known_dirs |= {folder for folder in folders if not folder.endswith(".p")}
        for path, offset, data in plan.writes:
            self._fs.write_at(path, offset, data)
        for path, _, _ in plan.writes:
            self._fs.sync(path)
        for folder in sorted(folders):
            self._fs.sync_dir(folder)

    def _tidy(self, superseded: Iterable[str]) -> None:
        """After a durable head: remove what it superseded, cut a long journal, save the cache now and then."""
        for path in superseded:
            self._fs.unlink(path)
        for folder in {path.rpartition("/")[0] for path in superseded}:
            self._fs.remove_dir(folder)
        if self._cut_due or self._journal.length > CUT_BYTES:
            self._cut_due = False
            self._journal.cut()
        if self._head.size - self._saved >= TAILS_EVERY:
            self._save_tails()

    def _save_tails(self) -> None:
        if self._frontier.edge.size > self._saved and not self._pending:
            bundle, position = divmod(self._head.size - 1, WIDTH)
            leaf = self._log().bundle(bundle)[position]
            replace(self._fs, TAILS, self._tails.to_json(self._head.size, hash_leaf(leaf)))
            self._saved = self._head.size

    def _stall(self, error: OSError) -> LedgerFull:
        kind = LedgerFull if error.errno in _FULL else StoreFailedError
        self._stalled = kind(f"nothing new is recorded: {error.strerror or error}")
        return self._stalled

    def _log(self) -> TiledLog:
        return TiledLog(lambda path: self._fs.read(f"{LEDGER}/{path}"), self._head.size)

    def _payload_frame(self, bundle: int, position: int) -> tuple[Frame, int, bytes]:
        data = self._fs.read(payload_path(bundle)) or b""
        offset, frame = 0, parse_frame(data)
        for _ in range(position):
            offset = frame.end
            frame = parse_frame(data, offset)
        return frame, offset, data


class _Staged:
    """Entries of one journal group on their way: where they will stand, and what their streams expect next."""

    def __init__(self, size: int, time_ns: int) -> None:
        self._base = size
        self.time_ns = time_ns
        self.entries: list[NewEntry] = []
        self.frames: list[JournalFrame] = []
        self.next_seq: dict[str, int] = {}

    @property
    def size(self) -> int:
        return self._base + len(self.entries)

    def add(self, entry: NewEntry, frame: JournalFrame) -> int:
        self.entries.append(entry)
        self.frames.append(frame)
        self.next_seq[entry.stream] = entry.seq + 1
        return frame.index

    def drop_after(self, mark: int) -> None:
        for entry in reversed(self.entries[mark:]):
            self.next_seq[entry.stream] = entry.seq
        del self.entries[mark:], self.frames[mark:]


def _partial_folder(level: int, index: int) -> str:
    # level −1 stands for the entry bundles
    return f"{LEDGER}/tile/{ENTRIES if level < 0 else level}/{index_path(index)}.p"


def _log_key(state_dir: Path, origin: str) -> Signer:
    if (state_dir / VKEY).exists() and not key_path(state_dir, "log").exists():
        raise StoreDamagedError(f"{key_path(state_dir, 'log')} is missing although the log it signs is there")
    return load_or_create_key(state_dir, "log", origin)
