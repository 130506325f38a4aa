"""What a witness has cosigned: one newest head a log, and the one step that judges, stores and cosigns the next.

A cosignature leaves this file only after the head it stands on would survive a power cut, so a witness that was killed,
restarted or on a failing disk never gives two that contradict each other. The file of a log is the very checkpoint that
is served: the log's note with the witness's cosignatures, whose time is never before that of the one it replaces.
It opens no sockets; `clock` tells POSIX seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from timeball.ledger.checkpoint import Checkpoint, parse_checkpoint_text
from timeball.ledger.cosignature import Cosigner, CosignerKey, add_cosignatures, cosign
from timeball.ledger.errors import EvidenceError, LedgerError, NoteError, Refusal
from timeball.ledger.note import NoteKey, open_note, parse_note, write_signature
from timeball.ledger.witnessing import AddCheckpoint, judge
from timeball.station.recording.filesystem import FileSystem, replace
from timeball.station.witnessing.client import origin_hash

FOLDER = "heads"
FORKS = "forks"
LOCK = "lock"
MAX_FORKS = 64


@dataclass(frozen=True, slots=True)
class Head:
    """The newest head of a log: what it says, its signed note with our cosignatures, the time of those (s)."""

    checkpoint: Checkpoint
    note: bytes
    time_s: int


class Heads:
    """The heads of the logs whose keys are given, below the root of `fs`; safe to use from several threads.

    A key's name is the origin of its log; a log may have several keys. Raises BlockingIOError when another witness
    holds the folder, EvidenceError for a file that does not hold, OSError when the disk fails.
    """

    def __init__(
        self, fs: FileSystem, logs: Iterable[NoteKey], cosigners: Sequence[Cosigner], clock: Callable[[], int]
    ) -> None:
        self._fs, self._cosigners, self._clock = fs, cosigners, clock
        self._turn = threading.Lock()
        self._logs: dict[str, list[NoteKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)
        fs.lock(LOCK)
        fs.make_dirs(FOLDER)
        self._heads = {origin: head for origin in self._logs if (head := self._load(origin)) is not None}
        self._by_hash = {origin_hash(origin): origin for origin in self._logs}

    @property
    def origins(self) -> list[str]:
        """The logs, by origin."""
        return list(self._logs)

    def newest(self, origin: str) -> Head | None:
        """The newest cosigned head of a log."""
        return self._heads.get(origin)

    def by_hash(self, hashed: str) -> Head | None:
        """The newest cosigned head of the log whose origin hashes to that."""
        return self._heads.get(self._by_hash.get(hashed, ""))

    def add(self, request: AddCheckpoint) -> list[str]:
        """Judge a request; when the head follows, store it durably and give the cosignature lines.

        Raises Refusal with the status to answer, and OSError when it could not be stored: then nothing was cosigned,
        and what follows is judged against the head before.
        """
        with self._turn:
            known, keys = self._heads.get(request.origin), self._logs.get(request.origin, [])
            try:
                checkpoint = judge(request, None if known is None else known.checkpoint, keys)
            except Refusal as refusal:
                if refusal.fork and known is not None:
                    self._keep_fork(known, signed_by(request.note, keys))
                raise
            # a clock that was set back must not say that we saw a larger tree earlier than a smaller one
            time_s = max(self._clock(), 0 if known is None else known.time_s, 1)
            lines, note = self._cosigned(checkpoint, signed_by(request.note, keys), time_s)
            head = Head(checkpoint, note, time_s)
            replace(self._fs, _path(checkpoint.origin), head.note)
            self._heads[checkpoint.origin] = head
            return lines

    def close(self) -> None:
        """Give the folder back."""
        with self._turn:
            self._fs.close()

    def _cosigned(self, checkpoint: Checkpoint, note: bytes, time_s: int) -> tuple[list[str], bytes]:
        """Our signature lines and the note with them; raises Refusal 400 for a head that cannot carry them."""
        try:
            lines = [cosign(checkpoint.text, cosigner, time_s) for cosigner in self._cosigners]
            return lines, add_cosignatures(note, lines)
        except NoteError as error:
            raise Refusal(400, f"this witness cannot cosign such a checkpoint: {error}\n") from error

    def _keep_fork(self, known: Head, other: bytes) -> None:
        """Keep two heads that the log signed and that cannot both be true: whoever holds them can convict the log."""
        path = f"{FORKS}/{origin_hash(known.checkpoint.origin)}-{known.checkpoint.size}"
        with suppress(OSError):  # evidence that does not fit on the disk is no reason to answer otherwise
            self._fs.make_dirs(FORKS)
            if len(self._fs.list(FORKS)) < 2 * MAX_FORKS:
                replace(self._fs, f"{path}.cosigned", known.note)
                replace(self._fs, f"{path}.refused", other)

    def _load(self, origin: str) -> Head | None:
        path = _path(origin)
        data = self._fs.read(path)
        if data is None:
            return None
        head = read_head(data, path, origin, self._logs[origin], [cosigner.verifier for cosigner in self._cosigners])
        # a process that died may have left it visible but not durable: nothing is judged against it before it is
        replace(self._fs, path, data)
        return head


def read_head(data: bytes, path: str, origin: str, logs: Sequence[NoteKey], ours: Sequence[CosignerKey]) -> Head:
    """Verify a stored head; raises EvidenceError with its path."""
    try:
        text, _ = open_note(data, logs)
        checkpoint = parse_checkpoint_text(text)
        time_s = max((_time_of(data, checkpoint, key) for key in ours), default=0)
    except LedgerError as error:
        raise EvidenceError(path, str(error)) from error
    if checkpoint.origin != origin:
        raise EvidenceError(path, f"it is a head of {checkpoint.origin!r}, not of {origin!r}")
    return Head(checkpoint, data, time_s)


def signed_by(note: bytes, keys: Iterable[NoteKey]) -> bytes:
    """A note with the signatures of these keys alone: a stranger's lines are neither stored nor served."""
    parsed, known = parse_note(note), {(key.name, key.key_id) for key in keys}
    lines = {
        write_signature(signature.name, signature.key_id, signature.signature)
        for signature in parsed.signatures
        if (signature.name, signature.key_id) in known
    }
    return (parsed.text + "\n" + "".join(sorted(lines))).encode()


def _time_of(data: bytes, checkpoint: Checkpoint, key: CosignerKey) -> int:
    """Time of a key's cosignature on a note, 0 when it has none (a key made since)."""
    for signature in parse_note(data).signatures:
        if (signature.name, signature.key_id) == (key.name, key.key_id):
            return key.verify_cosignature(checkpoint, signature.signature)
    return 0


def _path(origin: str) -> str:
    return f"{FOLDER}/{origin_hash(origin)}"
