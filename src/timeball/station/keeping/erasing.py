"""Erasing payloads: first the entry that says so, durable; then zeros in their place, in the files and in the journal.

A crash between the two is made good at the next start: only the last erasure can be unfinished, because none is begun
before the one before it is finished. What an entry *was* stays in the tree for ever; what it *said* is gone.
It does not reach into backups and mirrors: those follow the `erasure` entry themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from timeball.ledger import canonical
from timeball.ledger.contents import ERASURE, KEY, erased_by
from timeball.ledger.errors import CanonicalError, LedgerError
from timeball.station.keeping.cold import cold_folder
from timeball.station.keeping.lock import keeping_lock
from timeball.station.recording.errors import EntryRefusedError, StoreFailedError
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.recording.integration import PAYLOADS
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.store import NewEntry, Store

STREAM = "erasure"
VERSION = 1
LONGEST_REASON = 500
# what a replay computes from, or compares with
DECIDING = frozenset(
    {"config", "readings", "bulletin", "instruction", "scale", "doubt", "steer", "snapshot", "actuation", "witnessing"}
)
# without these the ledger itself does not verify any more: whose signatures count, and what was erased
KEPT = frozenset({KEY, ERASURE})


def erase_entries(
    store: Store, indices: Sequence[int], reason: str, time_ns: int, *, force: bool = False, state: Path | None = None
) -> int:
    """Erase the payloads of entries for a reason, and give the index of the entry that says so; safe to repeat.

    `force` allows types that decide time: replay then says "cannot check" where they stood. `state` is the store's
    folder, where cold storage is found. Raises EntryRefusedError, and LedgerFull when a disk refuses: asked again, it
    is finished.
    """
    asked = sorted(set(indices))
    payload = _payload(asked, reason)
    with keeping_lock(state):
        done = _finish(store, state)
        if done is not None and store.read(done)[1] == payload:
            return done
        _check_entries(store, asked, force)
        [entry] = store.append_many([NewEntry(STREAM, store.next_seq(STREAM), ERASURE, VERSION, payload)], time_ns)
        _overwrite(store, asked, state)
    return entry


def finish_erasures(store: Store, state: Path | None = None) -> int | None:
    """Finish what the last recorded erasure began, and give its entry's index; None when nothing was ever erased."""
    with keeping_lock(state):
        return _finish(store, state)


def _finish(store: Store, state: Path | None) -> int | None:
    last = store.last_index(STREAM)
    if last < 0:
        return None
    envelope, payload = store.read(last)
    if envelope.type == ERASURE and payload is not None:
        # whoever reaches the recorder may have written it: what could not have been asked for is nobody's order
        named = [index for index in erased_by(canonical.decode(payload)) if index < last]
        _overwrite(store, [index for index in named if store.read(index)[0].type not in KEPT], state)
    return last


def _overwrite(store: Store, indices: list[int], state: Path | None) -> None:
    store.erase_all(index for index in indices if store.holds_payloads(index))
    # also those that are still in both places
    try:
        folder = None if state is None else cold_folder(state / PAYLOADS)
        if folder is None or state is None:
            return
        # only now: it needs the package for Parquet
        from timeball.station.keeping.archiving import erase_cold, leaves_of

        erase_cold(OSFileSystem(folder), leaves_of(LedgerReader(state)), indices)
    except (LedgerError, OSError) as error:
        raise StoreFailedError(f"what is in cold storage is not erased yet: {error}") from error


def _payload(indices: list[int], reason: str) -> bytes:
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise EntryRefusedError(f"an erasure needs a reason of at most {LONGEST_REASON} characters")
    try:
        return canonical.encode({"indices": indices, "reason": reason})
    except CanonicalError as error:
        raise EntryRefusedError(f"there is no such entry: {error}") from error


def _check_entries(store: Store, indices: Sequence[int], force: bool) -> None:
    if not indices:
        raise EntryRefusedError("an erasure names at least one entry")
    for index in indices:
        if not 0 <= index < store.size:
            raise EntryRefusedError(f"there is no entry {index}: the ledger has {store.size}")
        kind = store.read(index)[0].type
        if kind in KEPT:
            raise EntryRefusedError(f"entry {index} is a {kind} entry: without it the ledger does not verify")
        if kind in DECIDING and not force:
            raise EntryRefusedError(
                f"entry {index} is a {kind} entry, and time was decided by it: a replay could not check what follows "
                "from it any more; only with --force"
            )
