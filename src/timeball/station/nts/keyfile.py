"""The keys of the cookies on disk: STATE/nts/keys, mode 0600, written whole or not at all.

One process owns them (station.keyexchange): it makes, announces, uses and drops keys, and everybody else reads. A key
is in this file before any cookie is sealed under it. `next` is announced here, and known to every server, before it
becomes `current`; what is sealed under `older` is still opened.

`read_keys` gives what a server needs; `read_key_set` the whole, with what the owner must know to go on after a restart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from timeball.protocols.nts.keyring import MOST_KEYS, CookieKey, KeyRing
from timeball.station.nts.secretfile import Owner, write_secret

VERSION = 1
LARGEST_FILE = 16384

KeyId = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class KeyFileError(Exception):
    """Keys that cannot be read: no file, a torn one, or one of another form; one sentence, never a key."""


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instant by the host's clocks: `unix_s` of REALTIME, and `boottime_s` of BOOTTIME in the boot `boot`."""

    unix_s: float
    boottime_s: float
    boot: str


class StoredKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key: its number, which stands in every cookie under it, and 32 bytes in hexadecimal."""

    id: KeyId
    key: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

    def __repr__(self) -> str:
        return f"StoredKey(id={self.id})"  # a traceback or a log must not show the key

    def cookie_key(self) -> CookieKey:
        """The key as the protocol takes it."""
        return CookieKey(self.id, bytes.fromhex(self.key))


class KeySet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every key there is. `used`: since when `current` is; `announced`: since when `next` is known (None without one).

    `older` begins with the newest. `source` is empty for keys made here, else the cluster's leader they came from.
    """

    version: int = VERSION
    current: StoredKey
    used: Moment
    next: StoredKey | None = None
    announced: Moment | None = None
    older: tuple[StoredKey, ...] = ()
    source: str = ""

    def ring(self) -> KeyRing:
        """The keys as a server uses them: it seals under `current` and opens what is sealed under any."""
        others = ((self.next,) if self.next is not None else ()) + self.older
        return KeyRing(self.current.cookie_key(), tuple(key.cookie_key() for key in others))

    def ids(self) -> list[int]:
        """The numbers of all keys."""
        return [key.id for key in (self.current, *((self.next,) if self.next is not None else ()), *self.older)]


def keys_file(state: Path) -> Path:
    """STATE/nts/keys."""
    return state / "nts" / "keys"


def read_keys(path: Path) -> KeyRing:
    """The keys that a server uses. Raises KeyFileError."""
    return read_key_set(path).ring()


def read_key_set(path: Path) -> KeySet:
    """All that the file says. Raises KeyFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise KeyFileError(f"no keys of cookies in {path}: {error.strerror}") from error
    try:
        return parse_key_set(data)
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from None


def parse_key_set(data: bytes) -> KeySet:
    """A key set from the bytes of a file or of the cluster's channel. Raises KeyFileError without the bytes."""
    if len(data) > LARGEST_FILE:
        raise KeyFileError(f"more than {LARGEST_FILE} bytes are no set of keys")
    try:
        keys = msgspec.json.decode(data, type=KeySet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # msgspec's own words may quote what it met
        raise KeyFileError("this is no set of keys") from None
    if keys.version != VERSION:
        raise KeyFileError(f"keys of version {keys.version}; this software knows version {VERSION}")
    ids = keys.ids()
    if len(set(ids)) < len(ids):
        raise KeyFileError("two keys have one number")
    if len(ids) > MOST_KEYS:
        raise KeyFileError(f"{len(ids)} keys; there are at most {MOST_KEYS}")
    if (keys.next is None) != (keys.announced is None):
        raise KeyFileError("a key is announced without its time, or a time without its key")
    return keys


def encode_key_set(keys: KeySet) -> bytes:
    """The bytes of the file."""
    return msgspec.json.format(msgspec.json.encode(keys), indent=1) + b"\n"


def write_keys(path: Path, keys: KeySet, owner: Owner | None = None) -> None:
    """Replace the file durably; when it returns, a power cut leaves these keys. Raises OSError, the old file kept.

    `owner` is who the NTP server becomes, and must read it, where root started the station.
    """
    write_secret(path, encode_key_set(keys), owner)
