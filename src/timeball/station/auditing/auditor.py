"""One audited log: its mirror, its judge, and what is published about it, in one folder.

`FOLDER/log` is the mirror. `statement` is the newest signed statement, `contradictions/` holds every one that ever told
of a contradiction, for ever; `heads` says which heads witnesses had cosigned when; `accepted-keys` is written by a
person, one verifier key a line. After a restart everything is judged again from the first entry: a judge believes
nothing that it was told yesterday.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from timeball.ledger.errors import LedgerError
from timeball.ledger.note import Signer
from timeball.station.auditing.judging import TOLERANCE_S, Judge
from timeball.station.auditing.statement import CONTRADICTION, Finding, Statement, open_statement, sign_statement
from timeball.station.publishing.attested import Trust
from timeball.station.publishing.errors import EntryContradiction, HeadContradiction, SourceDenied, SourceUnreachable
from timeball.station.publishing.following import FIRST_PAUSE_S, LONGEST_PAUSE_S
from timeball.station.publishing.mirror import Mirror, Update
from timeball.station.publishing.source import Source
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.supervision.files import write_atomically

STATEMENT = "statement"
CONTRADICTIONS = "contradictions"
HEADS = "heads"
ACCEPTED = "accepted-keys"

log = logging.getLogger("auditing")


class Auditor:
    """Audits the log at `source` in `folder`, and signs with `signer`. `now_s` is the auditor's clock (POSIX s)."""

    def __init__(
        self, source: Source, folder: Path, trust: Trust, signer: Signer, now_s: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder
        self._signer = signer
        self._now_s = now_s
        (folder / CONTRADICTIONS).mkdir(parents=True, exist_ok=True)
        self._mirror = Mirror(source, folder / "log", trust)
        self._judge = Judge(_lines(folder / ACCEPTED))
        self._newest_seen = -1
        for line in _lines(folder / HEADS):
            size, _, time_s = line.partition(" ")
            # the end of the file may be torn
            with suppress(ValueError):
                self._saw(int(size), int(time_s))
        self._kept = self._kept_finding()

    def step(self) -> Statement | None:
        """Follow, judge what is new, publish; gives the newest statement, None while there is nothing to judge.

        Raises SourceUnreachable, SourceDenied and EvidenceError, after which asking again is right.
        """
        try:
            update = self._mirror.update()
        except HeadContradiction as found:
            # the first one says it; a log's key can sign any number of them
            self._kept = self._kept or Finding(None, found.reason)
        except EntryContradiction as found:
            self._kept = self._kept or Finding(found.index, found.reason)
        else:
            self._note_head(update)
        head = self._mirror.head
        if head is None:
            return None
        if head.size > self._judge.size:
            reader = LedgerReader(self._mirror.folder)
            for entry in reader.entries(self._judge.size, head.size):
                self._judge.take(entry)
        statement = self._judge.statement(head.origin, head.root, int(self._now_s()))
        if self._kept is not None:
            statement = replace(statement, verdict=CONTRADICTION, index=self._kept.index, words=self._kept.words)
        self._publish(statement)
        return statement

    def run(self, stop: threading.Event, every_s: float) -> None:
        """Step until `stop` is set, whatever goes wrong; trouble is logged once and asked about ever more rarely."""
        pause_s, last = FIRST_PAUSE_S, ""
        while not stop.is_set():
            try:
                self.step()
            except Exception as trouble:
                expected = isinstance(trouble, (SourceUnreachable, SourceDenied, LedgerError, OSError))
                if str(trouble) != last:
                    log.warning("%s", trouble, exc_info=not expected)
                last = str(trouble)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                pause_s, last = FIRST_PAUSE_S, ""
                stop.wait(every_s)

    def newest(self) -> bytes | None:
        """The newest signed statement."""
        return _read(self.folder / STATEMENT)

    def contradictions(self) -> list[str]:
        """Names of the statements that told of a contradiction."""
        return sorted(path.name for path in (self.folder / CONTRADICTIONS).iterdir() if "." not in path.name)

    def contradiction(self, name: str) -> bytes | None:
        """One of them."""
        return _read(self.folder / CONTRADICTIONS / name) if name in self.contradictions() else None

    def _note_head(self, update: Update) -> None:
        """Remember when a head was cosigned; the earliest of its cosignatures binds, whoever was late.

        A time of the future binds nothing: one witness that lies about it shall not convict a log.
        """
        times = [time_s for time_s in update.times.values() if time_s <= self._now_s() + TOLERANCE_S]
        if update.head is None or update.what == "older" or not times or update.shown <= self._newest_seen:
            return
        time_s = min(times)
        with (self.folder / HEADS).open("ab") as file:
            file.write(f"{update.shown} {time_s}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        self._saw(update.shown, time_s)

    def _saw(self, size: int, time_s: int) -> None:
        self._newest_seen = max(size, self._newest_seen)
        self._judge.saw(size, time_s)

    def _kept_finding(self) -> Finding | None:
        """What an earlier run convicted and judging again would not show: a fork, or an entry that was not mirrored."""
        for name in self.contradictions():
            with suppress(LedgerError):
                statement = open_statement(self.contradiction(name) or b"", self._signer.verifier)
                if statement.index is None or statement.index >= statement.size:
                    return Finding(statement.index, statement.words)
        return None

    def _publish(self, statement: Statement) -> None:
        newest = self.newest()
        if newest is not None:
            with suppress(LedgerError):
                before = open_statement(newest, self._signer.verifier)
                same = (before.size, before.root, before.verdict, before.words)
                if same == (statement.size, statement.root, statement.verdict, statement.words):
                    return
        note = sign_statement(statement, self._signer)
        if statement.verdict == CONTRADICTION:
            where = "head" if statement.index is None else str(statement.index)
            told = hashlib.sha256(statement.words.encode()).hexdigest()[:16]
            path = self.folder / CONTRADICTIONS / f"{where}-{told}"
            if not path.exists():
                log.error("CONTRADICTION in %s: entry %s: %s", statement.origin, where, statement.words)
                write_atomically(path, note, durable=True)
        write_atomically(self.folder / STATEMENT, note, durable=True)


def _lines(path: Path) -> list[str]:
    data = _read(path) or b""
    return [line for line in data.decode("ascii", "replace").splitlines() if line and not line.startswith("#")]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
