"""What a command does to the ledger of a state folder: asked of the recorder when one runs, else done here.

Whoever does it here is the recorder for that moment: he holds its lock, keeps its restore rule, and signs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from timeball.station.configuration.config import Config, ConfigError, read_effective
from timeball.station.hosttime.realtime import realtime_tai_ns, station_leaps
from timeball.station.keeping.erasing import erase_entries
from timeball.station.keeping.guard import RestoreGuard, load_policy
from timeball.station.recording.errors import RecorderUnavailable
from timeball.station.recording.recorder_client import RecorderClient
from timeball.station.recording.store import Store

ERASE_TIMEOUT_S = 60.0
_KNOCK_S = 1.0


def erase(state: Path, indices: Sequence[int], reason: str, *, force: bool = False) -> int:
    """Erase payloads and give the index of the entry that says so.

    Raises EntryRefusedError, LedgerFull, StoreLockedError when a recorder has the lock and does not answer, and what
    the restore rule raises.
    """
    if recorder_answers(state):
        with RecorderClient(state, "erasure", ERASE_TIMEOUT_S) as recorder:
            return recorder.erase(indices, reason, force=force)
    with opened(state) as (store, time_ns):
        return erase_entries(store, indices, reason, time_ns, force=force, state=state)


def recorder_answers(state: Path) -> bool:
    """Whether a recorder serves this folder."""
    with RecorderClient(state, "erasure", _KNOCK_S) as recorder:
        try:
            recorder.next_seq()
        except RecorderUnavailable:
            return False
    return True


@contextmanager
def opened(state: Path) -> Iterator[tuple[Store, int]]:
    """The store of a folder where no recorder runs, and the time (ns of TAI) for what is recorded now."""
    config = effective_config(state)
    guard = RestoreGuard(state, load_policy(config.ledger.policy))
    time_ns = realtime_tai_ns(station_leaps(config))[1]
    with Store(state, origin=config.station.origin, guard=guard) as store:
        guard.settle(store, time_ns)
        yield store, time_ns


def effective_config(state: Path) -> Config:
    """The configuration the folder's station ran with last; the defaults when it never ran."""
    try:
        return read_effective(state)
    except (ConfigError, OSError):
        return Config()
