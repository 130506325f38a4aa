"""The online keys of a running server: made from a long-term key on this host, or read from a file made offline.

A key is replaced before its time is over: one made here when a quarter of its life is left, one of a file by the next
in the file, or in a new file under the same name, which is noticed within a second. All times are those of the clock
page, never of the host.
"""

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from timeball.protocols.roughtime.delegation import (
    OnlineKey,
    delegate,
    parse_delegations,
    parse_long_term_key,
    public_key_of,
    write_long_term_key,
)
from timeball.protocols.roughtime.errors import KeyFileError
from timeball.protocols.roughtime.replies import Signer
from timeball.protocols.roughtime.versions import version_name
from timeball.station.paths import keys_dir
from timeball.station.recording.keys import keep_secret
from timeball.station.supervision.files import sync_folder

KEY_BYTES = 32
MINT_SLACK_S = 60
"""A delegation begins so long before it is made: a leap second may count one second twice."""


class Keys(Protocol):
    """Where signers come from. `public_key` is the long-term one."""

    public_key: bytes

    def signer(self, unix_s: int) -> Signer | None:
        """The key that may sign `unix_s`, or None."""

    def refresh(self) -> str:
        """Look for new keys; a sentence when something is to be said."""

    def check(self) -> None:
        """Raises KeyFileError when new keys could not be read."""


def long_term_key_file(state: Path) -> Path:
    """STATE/keys/roughtime.key."""
    return keys_dir(state) / "roughtime.key"


def read_secret(path: Path) -> str:
    """The text of a file that only its owner may read. Raises KeyFileError."""
    try:
        with open(path, encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyFileError(f"{path} may be read by others: chmod 600 it, or better make a new key")
            return file.read()
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is no text file of ours") from error


def load_or_make_long_term_key(path: Path) -> bytes:
    """The seed of the long-term key on this host, made at first use. Raises KeyFileError."""
    if not path.exists():
        keep_secret(path, write_long_term_key(secrets.token_bytes(KEY_BYTES)))
    return parse_long_term_key(read_secret(path))


class KeysMadeHere:
    """Online keys under a long-term key on this host, each for `life_s`."""

    def __init__(self, seed: bytes, versions: Sequence[int], life_s: float) -> None:
        self.public_key = public_key_of(seed)
        self._seed, self._versions, self._life_s = seed, tuple(versions), int(life_s)
        self._lock = threading.Lock()
        self._signer: Signer | None = None

    def signer(self, unix_s: int) -> Signer | None:
        """The key that may sign `unix_s`, made when there is none or the last is about to end."""
        with self._lock:
            held = self._signer
            if held is None or not held.holds_at(unix_s) or held.key.maxt_s - unix_s < self._life_s // 4:
                mint_s = max(0, unix_s - MINT_SLACK_S)
                seed = secrets.token_bytes(KEY_BYTES)
                self._signer = Signer(delegate(self._seed, seed, mint_s, unix_s + self._life_s, self._versions))
            return self._signer

    def refresh(self) -> str:
        """Nothing comes from outside."""
        return ""

    def check(self) -> None:
        """Nothing is read."""


class KeysFromFile:
    """The online keys in a file of delegations. Raises KeyFileError."""

    def __init__(self, path: Path, versions: Sequence[int]) -> None:
        self._path, self._versions = path, tuple(versions)
        self._stamp = self._look()
        self.public_key, self._signers = self._read()

    def signer(self, unix_s: int) -> Signer | None:
        """The key that may sign `unix_s` and began last."""
        holding = [signer for signer in self._signers if signer.holds_at(unix_s)]
        return max(holding, key=lambda signer: signer.key.mint_s, default=None)

    def refresh(self) -> str:
        """Read the file again when it has changed; a bad one changes nothing."""
        if (stamp := self._look()) == self._stamp:
            return ""
        self._stamp = stamp
        try:
            public_key, signers = self._read()
        except KeyFileError as error:
            return f"the delegations in use stay: {error}"
        if public_key != self.public_key:
            return f"the delegations in use stay: {self._path} is of another long-term key"
        self._signers = signers
        return f"{len(signers)} delegations read from {self._path}"

    def check(self) -> None:
        """Raises KeyFileError when the file cannot be read, as after rights were given up."""
        self._read()

    def _look(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _read(self) -> tuple[bytes, tuple[Signer, ...]]:
        public_key, keys = parse_delegations(read_secret(self._path))
        for key in keys:
            self._check(key)
        return public_key, tuple(Signer(key) for key in keys)

    def _check(self, key: OnlineKey) -> None:
        for version in self._versions:
            if version not in key.certificates:
                raise KeyFileError(f"{self._path}: a delegation is not signed for version {version_name(version)}")


def write_secret(path: Path, text: str, *, replace: bool) -> None:
    """Write a file for its owner alone, durably and whole. Raises KeyFileError; without `replace`, when it exists."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            beside.replace(path)
        else:
            os.link(beside, path)
            beside.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        beside.unlink(missing_ok=True)
        raise KeyFileError(f"{path} exists: a key is never written over") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error
