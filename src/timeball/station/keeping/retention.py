"""An archive run over a folder on disk: the lock, the folder of cold storage, and which bundles are old enough."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.hosttime.realtime import tai_of_utc
from timeball.station.keeping.archiving import Archive, Archived, Progress, bundles_before, leaves_of
from timeball.station.keeping.cold import cold_folder
from timeball.station.keeping.errors import ColdStorageError
from timeball.station.keeping.lock import keeping_lock
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.recording.integration import PAYLOADS
from timeball.station.recording.ledger_reader import LedgerReader

VKEY = "log.vkey"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_BEGINS = datetime(1972, 1, 1, tzinfo=UTC)


def archive_state(state: Path, folder: Path, before: datetime, progress: Progress | None = None) -> Archived:
    """Move what was recorded before a time from a state folder (or a mirror) into the cold storage `folder`.

    Raises KeepingBusyError, ColdStorageError, EvidenceError and OSError; run again, it goes on.
    """
    with keeping_lock(state):
        folder.mkdir(parents=True, exist_ok=True)
        # the names of all folders on the way to it
        os.sync()
        claim_folder(state, folder)
        reader = LedgerReader(state)
        end = bundles_before(reader, tai_ns(before))
        run = Archive(OSFileSystem(state), OSFileSystem(folder), str(folder.resolve()), leaves_of(reader))
        return run.run(end, progress)


def claim_folder(state: Path, folder: Path) -> None:
    """Make `folder` the cold storage of this log and of no other; raises ColdStorageError."""
    known = cold_folder(state / PAYLOADS)
    if known is not None and known.resolve() != folder.resolve():
        raise ColdStorageError(f"{PAYLOADS}/cold", f"cold storage of this ledger is at {known}, not at {folder}")
    ours, theirs = (state / "ledger" / VKEY).read_bytes(), folder / VKEY
    try:
        with theirs.open("xb") as file:
            file.write(ours)
    except FileExistsError:
        if theirs.read_bytes() != ours:
            raise ColdStorageError(str(theirs), "this folder is the cold storage of another log") from None


def tai_ns(utc: datetime) -> int:
    """A UTC time as ns of TAI since 1970-01-01 00:00:00 TAI; 0 before UTC as it is now began, when nothing was kept."""
    if utc < _UTC_BEGINS:
        return 0
    return tai_of_utc((utc - _EPOCH) // timedelta(microseconds=1) * 1000, load_leap_table())
