"""The newest entry of a type that the right stream wrote: a stranger's entry of the same type is nobody's word.

Reads only what a signed checkpoint covers; what an entry says is not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.recording.ledger_reader import Entry, LedgerReader


def newest_entries(
    reader: LedgerReader, kind: str, by: str, before: int | None = None, since: int = 0
) -> Iterator[Entry]:
    """Entries of a type by a stream whose payload is here, the newest first: below index `before`, from `since` on."""
    entry = reader.last(kind, before, by=by, since=since)
    while entry is not None:
        if entry.payload is not None:
            yield entry
        entry = reader.last(kind, entry.index, by=by, since=since)


def newest_entry(reader: LedgerReader, kind: str, by: str, before: int | None = None, since: int = 0) -> Entry | None:
    """The newest of `newest_entries`, None when there is none."""
    return next(newest_entries(reader, kind, by, before, since), None)
