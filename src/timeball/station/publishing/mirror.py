"""A mirror: follows a log's signed heads and keeps what they cover, in a folder laid out as a state folder.

A head is stored only after everything it covers was fetched, checked and made durable, and only when it extends the
one before it. Killed at any moment the mirror still holds its last head whole, and what it had fetched beyond is used
again. It believes the server in nothing; it does not judge what the entries say (see `auditing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.contents import is_envelope
from timeball.ledger.cosignature import parse_log_vkey
from timeball.ledger.entry import parse_envelope
from timeball.ledger.errors import CanonicalError, EntryError, EvidenceError, LedgerError
from timeball.ledger.log import AttestedLog
from timeball.ledger.note import NoteKey
from timeball.ledger.tiles import WIDTH, TilePath, index_path, parse_bundle, tile_width
from timeball.station.publishing.attested import Trust, check_extends, check_payloads, new_tiles
from timeball.station.publishing.errors import EntryContradiction, HeadContradiction
from timeball.station.publishing.frames import erase_frames, erasures_in, merge_frames
from timeball.station.publishing.mirrorfiles import HEAD, KEY, MirrorFiles, name_of_evidence
from timeball.station.publishing.source import Source

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Update:
    """What came of asking once.

    `what` is `new`, `same`, `older` (the server shows a head that this mirror has long passed) or `none` (no head yet).
    `head` is the mirror's, `times` when witnesses cosigned it (POSIX s), `withheld` payloads that were not given.
    """

    what: Literal["new", "same", "older", "none"]
    head: Checkpoint | None
    shown: int = 0
    added: int = 0
    withheld: int = 0
    times: dict[str, int] = field(default_factory=dict)


class Mirror:
    """The mirror of the log at `source` in `folder`.

    `trust` says whose heads count; without a key or policy the key in the folder is taken, at first contact the
    server's own (`log.vkey`). Raises EvidenceError when the folder is another log's.
    """

    def __init__(self, source: Source, folder: Path, trust: Trust | None = None) -> None:
        self._source = source
        self._files = MirrorFiles(folder)
        self._trust = self._settle(trust or Trust())
        self._head = self._stored()

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self._files.folder

    @property
    def head(self) -> Checkpoint | None:
        """The newest head that is kept."""
        return self._head

    @property
    def key(self) -> NoteKey | None:
        """The log's key, as far as it is known."""
        return self._trust.key

    def update(self, progress: Progress | None = None) -> Update:
        """Ask once, and keep what is new.

        Raises SourceUnreachable, SourceDenied, EvidenceError for bytes that no signed head covers, HeadContradiction
        for a head that does not extend the one that is kept, EntryContradiction for an entry under a signed head that
        is none. Nothing is changed by any of these.
        """
        note = self._source.head()
        if note is None:
            return Update("none", self._head)
        if self._trust.key is None and self._trust.policy is None:
            self._trust = Trust(self._first_key())
        try:
            shown, key, times = self._trust.open(note)
        except LedgerError as error:
            raise EvidenceError("checkpoint", str(error)) from error
        if self._trust.key is not None and self._trust.key != key:
            raise EvidenceError("checkpoint", f"it is a head of the log of {key.vkey}, not of {self._trust.key.vkey}")
        old = self._head
        if old is not None and shown.size < old.size:
            self._expect_past(note, shown, old)
            return Update("older", old, shown.size)
        if old is not None:
            self._expect_extends(note, shown, old)
        if old is None or shown.size > old.size:
            withheld = self._fetch(note, shown, 0 if old is None else old.size, progress)
        elif self._files.read(HEAD) == note:
            return Update("same", old, shown.size, times=times)
        else:
            withheld = 0
        self._keep(note, shown, key)
        return Update(
            "new" if old != shown else "same", shown, shown.size, shown.size - (old.size if old else 0), withheld, times
        )

    def _fetch(self, note: bytes, head: Checkpoint, old_size: int, progress: Progress | None) -> int:
        try:
            return self._take(note, AttestedLog(self._read_any, head.size, head.root), old_size, progress)
        except EvidenceError:
            # it may have been a file left by a crash: then the server's own is good
            return self._take(note, AttestedLog(self._source.read, head.size, head.root), old_size, progress)

    def _take(self, note: bytes, log: AttestedLog, old_size: int, progress: Progress | None) -> int:
        withheld, size = 0, log.size
        has_envelopes = size > 0 and is_envelope(log.attested_bundle(0)[0])
        erased: set[int] = set()
        for number in range(old_size // WIDTH, (size + WIDTH - 1) // WIDTH):
            leaves = log.attested_bundle(number)
            bundle = log.tile_path(None, number)
            if has_envelopes:
                self._expect_envelopes(note, log, number, leaves)
            self._files.write_tile(bundle, log.read_tile(bundle))
            self._files.write_tile(log.tile_path(0, number), log.read_tile(log.tile_path(0, number)))
            if has_envelopes:
                withheld += self._take_payloads(number, leaves, erased)
            if progress is not None:
                progress(number * WIDTH + len(leaves), size)
        for path, data in new_tiles(log, old_size, size):
            self._files.write_tile(path, data)
        self._follow_erasures(erased, size)
        return withheld

    def _expect_envelopes(self, note: bytes, log: AttestedLog, number: int, leaves: Sequence[bytes]) -> None:
        """Raise EntryContradiction for an entry that the head covers and that is none of ours."""
        for position, leaf in enumerate(leaves):
            try:
                parse_envelope(leaf)
            except EntryError as error:
                index = number * WIDTH + position
                paths = (log.tile_path(None, number), log.tile_path(0, number))
                files = {"served": note, **{str(path): log.read_tile(path) for path in paths}}
                folder = self._files.keep_evidence(f"entry-{index}-{name_of_evidence(note)}", files)
                raise EntryContradiction(index, str(error), folder) from error

    def _take_payloads(self, number: int, leaves: Sequence[bytes], erased: set[int]) -> int:
        held = self._files.read_payloads(number)
        data, withheld = b"", 1
        if held is not None:
            with suppress(EvidenceError):
                data, withheld = check_payloads(number, leaves, held)
        if withheld:
            data, withheld = check_payloads(number, leaves, self._source.payloads(index_path(number)))
            if held is not None:
                data, withheld = check_payloads(number, leaves, merge_frames(leaves, held, data))
            self._files.write_payloads(number, data)
        with suppress(CanonicalError):  # such an entry names nothing; whoever judges the contents convicts it
            erased.update(erasures_in(leaves, data))
        return withheld

    def _follow_erasures(self, indices: set[int], size: int) -> None:
        """Erase here what the log says it erased, but never a payload from which time is decided."""
        for number in sorted({index // WIDTH for index in indices if 0 <= index < size}):
            bundle = TilePath(None, number, tile_width(0, number, size))
            leaves = parse_bundle(self._files.read(f"ledger/{bundle}") or b"", bundle.width)
            data = self._files.read_payloads(number)
            if data is not None:
                self._files.write_payloads(number, erase_frames(number, leaves, data, indices))

    def _keep(self, note: bytes, head: Checkpoint, key: NoteKey) -> None:
        if self._files.read(KEY) is None:
            self._files.write(KEY, key.vkey.encode() + b"\n")
        self._files.sync()
        self._files.write(HEAD, note)
        self._files.sync()
        self._files.drop_partial(0 if self._head is None else self._head.size, head.size)
        self._head, self._trust = head, Trust(key, self._trust.policy)

    def _expect_extends(self, note: bytes, shown: Checkpoint, old: Checkpoint) -> None:
        tiles = check_extends(self._source.read, old, shown)
        if tiles is not None:
            self._convict(note, shown, tiles)

    def _expect_past(self, note: bytes, shown: Checkpoint, old: Checkpoint) -> None:
        tiles = check_extends(lambda path: self._files.read(f"ledger/{path}"), shown, old)
        if tiles is not None:
            self._convict(note, shown, tiles)

    def _convict(self, note: bytes, shown: Checkpoint, tiles: dict[str, bytes]) -> None:
        assert self._head is not None
        files = {"served": note, "held": self._files.read(HEAD) or b"", "log.vkey": self._files.read(KEY) or b""}
        folder = self._files.keep_evidence(f"{shown.size}-{name_of_evidence(note)}", {**tiles, **files})
        raise HeadContradiction(
            f"the log {shown.origin} signed a head of {shown.size} entries that contradicts its head of "
            f"{self._head.size} entries",
            folder,
        )

    def _settle(self, trust: Trust) -> Trust:
        stored = self._files.read(KEY)
        if stored is None:
            return trust
        key = _key(stored, KEY)
        if trust.key is not None and trust.key != key:
            raise EvidenceError(KEY, f"this folder mirrors the log of {key.vkey}, not of {trust.key.vkey}")
        if trust.key is None and trust.policy is not None and all(log.verifier != key for log in trust.policy.logs):
            raise EvidenceError(KEY, f"this folder mirrors the log of {key.vkey}, which the policy does not name")
        return Trust(key, trust.policy)

    def _first_key(self) -> NoteKey:
        served = self._source.key()
        if served is None:
            raise EvidenceError("log.vkey", "the server names no key; give the log's own")
        return _key(served, "log.vkey")

    def _stored(self) -> Checkpoint | None:
        note = self._files.read(HEAD)
        if note is None:
            return None
        try:
            if self._trust.key is None:
                raise EvidenceError(KEY, "the mirror has a head and no key")
            return open_checkpoint(note, self._trust.key)
        except LedgerError as error:
            raise EvidenceError(HEAD, str(error)) from error

    def _read_any(self, path: str) -> bytes | None:
        # what an interrupted run had fetched is checked as if it came from the server
        return self._files.read(f"ledger/{path}") or self._source.read(path)


def _key(text: bytes, file: str) -> NoteKey:
    try:
        return parse_log_vkey(text.decode())
    except (LedgerError, UnicodeDecodeError) as error:
        raise EvidenceError(file, str(error)) from error
