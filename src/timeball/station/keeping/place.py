"""Where a state folder is: what a copy or a restore of it changes, kept in STATE/ledger.place.

The place is a hash of the file system's id, the inodes of the folder `ledger` and of `ledger.lock`, and the machine's
id. A copy by files (cp, tar, rsync, a backup program) has other inodes; a disk moved to another machine has another
machine id. What keeps all of these it cannot notice: a virtual machine's snapshot, a disk image put back, a file
system's own snapshot rolled back. So an unchanged place is no proof, and the witnesses are asked then as well.
"""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import msgspec

from timeball.station.supervision.files import write_atomically

PLACE = "ledger.place"
_CONTEXT = b"timeball place v1\x00"
_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last place a recorder signed at; `unwitnessed` when the operator lets it go on unasked at the next one."""

    place: str = ""
    unwitnessed: bool = False


def current_place(state: Path) -> str:
    """The place of a state folder now, as hex; its parts cannot be read from it."""
    parts = [str(os.statvfs(state).f_fsid), _inode(state / "ledger"), _inode(state / "ledger.lock"), machine_id()]
    return hashlib.sha256(_CONTEXT + "\n".join(parts).encode()).hexdigest()


def read_place(state: Path) -> Place | None:
    """The place recorded in a state folder; None when there is none, or no longer one that can be read."""
    try:
        return msgspec.json.decode((state / PLACE).read_bytes(), type=Place)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_place(state: Path, *, unwitnessed: bool = False) -> None:
    """Record, durably, that this folder is at its present place; or that the next one need not ask its witnesses."""
    place = Place("" if unwitnessed else current_place(state), unwitnessed)
    write_atomically(state / PLACE, msgspec.json.encode(place) + b"\n", durable=True)


def machine_id() -> str:
    """What tells this machine from another: the id of its installation, or else its name."""
    for path in _MACHINE_IDS:
        try:
            found = Path(path).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if found:
            return found
    return socket.gethostname()


def _inode(path: Path) -> str:
    try:
        return str(path.stat().st_ino)
    except FileNotFoundError:
        return "-"
