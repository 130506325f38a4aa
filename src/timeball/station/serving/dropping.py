"""Privileges given up for good, once everything that needs them is open (setpriv(1), credentials(7)).

The state folder stays reachable: its own group and that of STATE/run become the user's, with leave to pass through and
not to list, since pages that are put in place anew must be found, and its lock may be looked at, or the process would
take itself for an orphan. Whoever was not started by root keeps what it is.

Who must go on reading what root alone may read keeps that one right (capabilities(7)): it changes nothing any more.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import Any

from timeball.station.paths import lock_file, run_dir
from timeball.station.supervision.orphan import watch_from
from timeball.station.supervision.process import CannotStartError

PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 8, 38
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522
PASSABLE, READABLE = 0o710, 0o040


def become(user: str, state: Path, *, reads_all: bool = False) -> Path:
    """Become `user`, in no group but its own, without a way back; gives the path of the state folder from then on.

    `reads_all`: files that others may not read stay readable, for this thread and those it starts from then on.
    Raises CannotStartError when it cannot be done.
    """
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CannotStartError(f"there is no user {user!r} to become; change ntp.user") from None
    if os.geteuid() != 0:
        if os.geteuid() != entry.pw_uid:
            raise CannotStartError(f"only root can become {user!r}; start the station as root, or empty ntp.user")
        return state
    try:
        return _give_up(entry, state, reads_all=reads_all)
    except OSError as error:
        words = f"cannot become {user!r}: {error.strerror}; give root the right to (CAP_SETUID, CAP_SETGID, CAP_CHOWN)"
        raise CannotStartError(f"{words}, or empty ntp.user") from error


def _give_up(entry: pwd.struct_passwd, state: Path, *, reads_all: bool) -> Path:
    """Root becomes this user. Raises OSError."""
    # the key exchange may not have made its folder yet
    (state / "nts").mkdir(mode=0o700, exist_ok=True)
    for folder in (state, run_dir(state), state / "nts"):
        let_group(folder, entry.pw_gid, PASSABLE)
    let_group(lock_file(state), entry.pw_gid, READABLE)
    # paths are walked from here on: what lies above the state folder may be closed to this user
    os.chdir(state)
    here = Path()
    watch_from(here)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    if reads_all:
        _call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    if reads_all:
        keep_reading()
    forbid_new_privileges()
    return here


def let_group(path: Path, group: int, mode: int) -> None:
    """Give a group of its own a right to something of ours."""
    with suppress(FileNotFoundError):
        if path.stat().st_uid == 0:
            os.chown(path, -1, group)
            path.chmod(path.stat().st_mode & 0o777 | mode)


def may_read_all() -> bool:
    """Whether root has the right to read everything, and so may keep it: a container may have taken it away."""
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    permitted = next((line.split()[1] for line in lines if line.startswith("CapPrm:")), "0")
    return bool(int(permitted, 16) >> CAP_DAC_READ_SEARCH & 1)


def keep_reading() -> None:
    """Of all that root could do, this thread keeps to read what others may not. Raises OSError."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << CAP_DAC_READ_SEARCH
    # effective, permitted and inheritable, of the lower 32 capabilities and then of the upper
    _call("capset", header, (ctypes.c_uint32 * 6)(bit, bit, 0, 0, 0, 0))


def forbid_new_privileges() -> None:
    """No program that this process starts may get more than it has (prctl(2)). Raises OSError."""
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _call(name: str, *arguments: Any) -> None:
    """A function of libc that gives 0 when it could. Raises OSError."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)
