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
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.entry import Envelope, parse_envelope, write_envelope
from timeball.ledger.errors import LedgerError
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import EMPTY_ROOT, hash_leaf
from timeball.ledger.note import Signer
from timeball.ledger.payload import Frame, erase_frames, parse_frame
from timeball.ledger.tiles import WIDTH, TilePath, tile_width
from timeball.station.recording.errors import (
    EntryRefusedError,
    LedgerFull,
    SequenceRefusedError,
    StoreDamagedError,
    StoreError,
    StoreFailedError,
    StoreLockedError,
)
from timeball.station.recording.filesystem import FileSystem, OSFileSystem, replace
from timeball.station.recording.group import Group, make_block
from timeball.station.recording.integration import LEDGER, Frontier, Integration, payload_path, plan_integration
from timeball.station.recording.journal import Journal
from timeball.station.recording.keys import key_path, load_or_create_key
from timeball.station.recording.recovery import (
    CHECKPOINT,
    VKEY,
    Guard,
    found_log,
    local_head,
    open_frontier,
    pending_groups,
    read_head,
    remove_uncovered,
    sweep_folder,
    sweep_partial_tiles,
)
from timeball.station.recording.staging import Asked, EntryBatch, NewEntry, Staging
from timeball.station.recording.tails import StreamTails, find_entry, last_envelope, load_tails

DEFAULT_ORIGIN = "timeball.example/tb"
LOCK = "ledger.lock"
TAILS = "ledger.tails"
CUT_BYTES = 1 << 20
TAILS_EVERY = 4096
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Store:
    """The one writer of the ledger below `state_dir`.

    `signer` is the log's key, whose name is the origin; by default STATE/keys/log.key, made on first use.
    `guard` is given the local head (size 0 where there is no log yet) before this life signs anything or brings the
    journal under a head; what it raises stops the store, and nothing has been written then.
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
        guard: Guard | None = None,
    ) -> None:
        if fs is None:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fs: FileSystem = OSFileSystem(state_dir) if fs is None else fs
        self._entropy = entropy
        self._journal = Journal(self._fs)
        self._head: Checkpoint
        self._frontier = Frontier()
        self._pending: list[Group] = []
        self._tails = StreamTails()
        self._time_ns = 0
        self._saved = 0
        self._stalled: LedgerFull | None = None
        # frames read back at open may never have reached the disk itself: once integrated they must go
        self._cut_due = True
        self._settled = False
        self._known_dirs: set[str] = set()
        try:
            self._fs.lock(LOCK)
        except BlockingIOError as error:
            raise StoreLockedError(f"another process writes the ledger in {state_dir}") from error
        try:
            self._signer = _log_key(state_dir, origin) if signer is None else signer
            self._recover(guard)
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
        return self._pending[-1].end if self._pending else self._head.size

    @property
    def pending(self) -> int:
        """Entries acknowledged but not yet under the signed head."""
        return self.size - self._head.size

    @property
    def pending_bytes(self) -> int:
        """Payload bytes of those entries: as much space again is needed to bring them under a head."""
        return sum(group.frames.size for group in self._pending)

    @property
    def stalled(self) -> LedgerFull | None:
        """Why nothing new is recorded just now; None when all is well."""
        return self._stalled

    def next_seq(self, stream: str) -> int:
        """The sequence number a stream must use next."""
        return self._tails.next_seq(stream)

    def append_many(self, entries: Iterable[NewEntry] | EntryBatch, time_ns: int) -> list[int]:
        """Record entries durably with one sync, and give their indices; all or none. A batch costs least.

        `time_ns` is the clock, ns of TAI; the recorded time never goes back. Entries already recorded with the same
        content answer the index they have. Raises SequenceRefusedError, EntryRefusedError, LedgerFull.
        """
        if self._stalled:
            self.integrate()
        answer = self.append_groups([entries if isinstance(entries, EntryBatch) else list(entries)], time_ns)[0]
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def append_groups(self, groups: Sequence[Asked], time_ns: int) -> list[list[int] | StoreError]:
        """Record several groups with one sync; each is accepted or refused as a whole, and answered in its place."""
        if self._stalled:
            return [self._stalled] * len(groups)
        answers: list[list[int] | StoreError] = []
        staged = Staging(self.size, max(time_ns, self._time_ns), self._tails, self._find)
        for asked in groups:
            try:
                answers.append(staged.stage_group(asked))
            except (SequenceRefusedError, EntryRefusedError) as error:
                answers.append(error)
        if staged.payloads:
            group = staged.group(self._entropy)
            try:
                self._journal.append(group)
            except OSError as error:
                failure = self._stall(error)
                return [answer if isinstance(answer, StoreError) else failure for answer in answers]
            self._accept(group)
        return answers

    def integrate(self) -> Checkpoint:
        """Bring what was acknowledged under a signed, durable head; raises LedgerFull when the disk refuses.

        Whatever fails, nothing acknowledged is lost and the next call does it again.
        """
        plan = plan_integration(self._frontier, make_block(self._pending)) if self._pending else None
        frontier = plan.frontier if plan else self._frontier
        head = Checkpoint(self.origin, frontier.edge.size, frontier.edge.root())
        try:
            # first: no file may hold entries that a power cut could still take out of the journal
            self._journal.mend()
            self._settle(head.size)
            if plan:
                self._write(plan)
                replace(self._fs, CHECKPOINT, sign_checkpoint(head, [self._signer]))
        except OSError as error:
            raise self._stall(error) from error
        completed = self._frontier.partial_tiles()
        self._head, self._frontier, self._pending, self._stalled = head, frontier, [], None
        with contextlib.suppress(OSError):
            self._tidy([tile for tile in completed if tile_width(tile.level or 0, tile.index, head.size) == WIDTH])
        return head

    def read(self, index: int) -> tuple[Envelope, bytes | None]:
        """An acknowledged entry: envelope and payload (None when erased or in cold storage)."""
        if index >= self._head.size:
            group = self._pending[bisect_right(self._pending, index, key=lambda group: group.first) - 1]
            return group.envelope(index - group.first), group.payload(index - group.first)
        bundle, position = divmod(index, WIDTH)
        # one look: an archive run may move the file away between two
        frames = self._fs.read(payload_path(bundle))
        payload = None if frames is None else _frame(frames, position).payload
        return parse_envelope(self._log().bundle(bundle)[position]), payload

    def last_index(self, stream: str) -> int:
        """Index of a stream's last entry, −1 when it has none."""
        return self._tails.last_index(stream)

    def holds_payloads(self, index: int) -> bool:
        """Whether the payload file of an entry's bundle is here, and not in cold storage."""
        return index >= self._head.size or self._fs.read(payload_path(index // WIDTH)) is not None

    def erase(self, index: int) -> None:
        """Put zeros in place of an entry's salt and payload; leaf, tree and every other payload stay as they are."""
        self.erase_all([index])

    def erase_all(self, indices: Iterable[int]) -> None:
        """Erase several payloads, each file replaced once; then forget the journal. Safe to repeat."""
        self.integrate()
        bundles: dict[int, list[int]] = {}
        for index in indices:
            bundles.setdefault(index // WIDTH, []).append(index % WIDTH)
        try:
            for bundle, positions in bundles.items():
                # anew also where zeros are seen already: what an earlier attempt wrote may never have reached the disk
                path = payload_path(bundle)
                replace(self._fs, path, erase_frames(self._fs.read(path) or b"", positions))
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

    def _recover(self, guard: Guard | None) -> None:
        found = read_head(self._fs, self._signer)
        head = found or Checkpoint(self.origin, 0, EMPTY_ROOT)
        self._frontier, log = open_frontier(self._fs, head)
        self._pending = pending_groups(self._journal.open(), self._frontier)
        if guard is not None:
            guard(local_head(head, log, self._pending))
        self._head = found_log(self._fs, self._signer) if found is None else found
        try:
            self._tails, self._saved = load_tails(self._fs.read(TAILS), log)
            if log.size:
                self._time_ns = last_envelope(log).time_ns
            for group in self._pending:
                self._note(group)
        except LedgerError as error:
            raise StoreDamagedError(str(error)) from error
        with contextlib.suppress(LedgerFull):
            self.integrate()
        with contextlib.suppress(OSError):
            sweep_partial_tiles(self._fs, self._frontier)

    # -- appending

    def _find(self, stream: str, seq: int) -> tuple[int, Envelope, bytes | None]:
        index = self._tails.recent(stream, seq)
        if index is None:
            last = min(self._tails.last_index(stream), self._head.size - 1)
            index = find_entry(self._log(), stream, seq, last)
        return index, *self.read(index)

    def _accept(self, group: Group) -> None:
        self._pending.append(group)
        self._note(group)

    def _note(self, group: Group) -> None:
        index = group.first
        for run in group.runs:
            self._tails.record(run.stream, run.first_seq, run.count, index)
            self._time_ns = max(self._time_ns, run.time_ns)
            index += run.count

    # -- integrating

    def _settle(self, end: int) -> None:
        """Once a life, before anything rests on the head found at open: that may be seen and yet not be durable."""
        if not self._settled:
            self._fs.sync_dir(LEDGER)
            remove_uncovered(self._fs, self._head.size, end)
            self._settled = True

    def _write(self, plan: Integration) -> None:
        folders = {path.rpartition("/")[0] for path, _, _ in plan.writes}
        for folder in sorted(folders - self._known_dirs):
            self._fs.make_dirs(folder)
        self._known_dirs |= {folder for folder in folders if not folder.endswith(".p")}
        for path, offset, data in plan.writes:
            self._fs.write_at(path, offset, data)
        self._fs.sync_all([path for path, _, _ in plan.writes], sorted(folders))

    def _tidy(self, completed: Iterable[TilePath]) -> None:
        """After a durable head: remove the partial tiles of complete ones, cut a long journal, save the cache at times.

        Partial tiles stay until then, so that an outsider who holds a slightly older head can still verify it.
        """
        for tile in completed:
            sweep_folder(self._fs, f"{LEDGER}/{TilePath(tile.level, tile.index)}.p")
        if self._cut_due or self._journal.length > CUT_BYTES:
            self._cut_due = False
            self._journal.cut()
        if self._head.size - self._saved >= TAILS_EVERY:
            self._save_tails()

    def _save_tails(self) -> None:
        if self._frontier.edge.size > self._saved and not self._pending:
            leaf = write_envelope(last_envelope(self._log()))
            replace(self._fs, TAILS, self._tails.to_json(self._head.size, hash_leaf(leaf)))
            self._saved = self._head.size

    def _stall(self, error: OSError) -> LedgerFull:
        kind = LedgerFull if error.errno in _FULL else StoreFailedError
        self._stalled = kind(f"nothing new is recorded: {error.strerror or error}")
        return self._stalled

    def _log(self) -> TiledLog:
        return TiledLog(lambda path: self._fs.read(f"{LEDGER}/{path}"), self._head.size)


def _frame(bundle: bytes, position: int) -> Frame:
    frame = parse_frame(bundle)
    for _ in range(position):
        frame = parse_frame(bundle, frame.end)
    return frame


def _log_key(state_dir: Path, origin: str) -> Signer:
    if (state_dir / VKEY).exists() and not key_path(state_dir, "log").exists():
        raise StoreDamagedError(f"{key_path(state_dir, 'log')} is missing although the log it signs is there")
    return load_or_create_key(state_dir, "log", origin)


__all__ = ["DEFAULT_ORIGIN", "EntryBatch", "Guard", "NewEntry", "Store"]
