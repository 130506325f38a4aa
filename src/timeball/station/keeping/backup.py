"""A backup of a state folder that is good whenever it was taken: the ledger under one head, and what else is lasting.

The recorder may be running. Entries of its last half second may be missing: that is what a backup is. Keys are copied
only when asked for. What is in `run/`, the locks, the caches and the place file say nothing elsewhere and stay.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from timeball.ledger.checkpoint import Checkpoint
from timeball.ledger.note import parse_vkey
from timeball.station.keeping.copying import VKEY, Progress, copy_ledger
from timeball.station.keeping.errors import RestoreError
from timeball.station.keeping.lock import keeping_lock
from timeball.station.recording.integration import LEDGER

KEYS = "keys"
# beside the ledger: the simulated laboratory, and the stepper's own record, from which the hard limit counts
LASTING = ("simulation.json", "actuator")


def back_up(state: Path, folder: Path, *, keys: bool = False, progress: Progress | None = None) -> Checkpoint:
    """Make or bring up to date the backup of a state folder; gives the head that it now covers.

    Raises RestoreError for a folder that holds another log's backup, KeepingBusyError, EvidenceError, OSError.
    """
    log = parse_vkey((state / LEDGER / VKEY).read_text("ascii"))
    theirs = folder / LEDGER / VKEY
    if theirs.exists() and theirs.read_text("ascii").strip() != log.vkey:
        raise RestoreError(f"{folder} holds the backup of another log: {theirs.read_text('ascii').strip()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # an erasure or an archive run in the middle would give a mixture
    with keeping_lock(state):
        head = copy_ledger(state, folder, log, progress)
    copy_lasting(state, folder, (*LASTING, KEYS) if keys else LASTING)
    os.sync()
    return head


def copy_lasting(source: Path, target: Path, names: tuple[str, ...] = LASTING) -> None:
    """Copy files and folders that stand beside the ledger, where they exist; keys stay their owner's alone."""
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        elif (source / name).exists():
            shutil.copy2(source / name, target / name)
