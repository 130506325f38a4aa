"""Privileges given up for good, once everything that needs them is open (setpriv(1), credentials(7)).

The state folder stays reachable: its own group and that of STATE/run become the user's, with leave to pass through and
not to list, since pages that are put in place anew must be found. Whoever was not started by root keeps what it is.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from contextlib import suppress
from pathlib import Path

from timeball.station.paths import run_dir
from timeball.station.supervision.process import CannotStartError

PR_SET_NO_NEW_PRIVS = 38
PASSABLE = 0o710


def become(user: str, state: Path) -> None:
    """Become `user` with its groups, without a way back. Raises CannotStartError when it cannot be done."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CannotStartError(f"there is no user {user!r} to become; change ntp.user") from None
    if os.geteuid() != 0:
        if os.geteuid() != entry.pw_uid:
            raise CannotStartError(f"only root can become {user!r}; start the station as root, or empty ntp.user")
        return
    for folder in (state, run_dir(state), state / "nts"):
        let_pass(folder, entry.pw_gid)
    # paths are walked from here on: what lies above the state folder may be closed to this user
    os.chdir(state)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    forbid_new_privileges()


def let_pass(folder: Path, group: int) -> None:
    """A group may pass through a folder of ours."""
    with suppress(FileNotFoundError):
        if folder.stat().st_uid == 0:
            os.chown(folder, -1, group)
            folder.chmod(folder.stat().st_mode & 0o777 | PASSABLE)


def forbid_new_privileges() -> None:
    """No program that this process starts may get more than it has (prctl(2)). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
