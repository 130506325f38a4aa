"""Cookies of our own NTS client kept over a restart: STATE/nts-client/, one file a server, mode 0600, written whole.

A cookie is used at most once (RFC 8915 section 5.7 asks it, so that nobody can link two requests), whatever is killed
when. So what stands in the file is nowhere else: cookies leave the memory before they are written there, whether or not
the writing works; and the file is gone from the disk, durably, before a cookie of it is used. Where it cannot be
removed, it is not used.

A file that is damaged, too old, of somebody else, open to others, or about other authorities is thrown away, with a
sentence. One process reads and writes it. It exchanges no keys.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from timeball.protocols.ntp.clientnts import MOST_COOKIES, NTSAuthentication
from timeball.protocols.nts.cookies import Session
from timeball.protocols.nts.errors import NTSError
from timeball.station.configuration.following import NTPInstrument
from timeball.station.instruments.ntskeys import Keys
from timeball.station.nts.secretfile import SECRET_MODE, write_secret
from timeball.station.supervision.files import sync_folder

KEPT = 3
"""Cookies in the file: so many requests may stay unanswered after a restart until keys are exchanged after all."""
LEAST_LEFT = 4
OLDEST_S = 7 * 86400.0
"""A server forgets keys after a week at the latest (RFC 8915 section 6 speaks of daily rotation)."""
LARGEST_FILE = 16384

Hex = Annotated[str, Meta(pattern="^([0-9a-f]{2}){1,512}$")]
Cookie = Annotated[str, Meta(pattern="^([0-9a-f]{8}){1,256}$")]


class CookiesUnusable(Exception):
    """Kept cookies that are not used, and are gone where that could be done; one sentence, never a key."""


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. `asked` and `authorities` (SHA-256 of the file `ca`, empty for the system's) must be as configured."""

    version: Literal[1]
    asked: str
    authorities: str
    host: Annotated[str, Meta(min_length=1, max_length=255)]
    port: Annotated[int, Meta(ge=1, le=65535)]
    aead: int
    c2s: Hex
    s2c: Hex
    cookies: Annotated[list[Cookie], Meta(min_length=1, max_length=MOST_COOKIES)]

    def __repr__(self) -> str:
        return f"_Stored(asked={self.asked!r})"  # a traceback or a log must not show keys

    def keys(self) -> Keys:
        """As an association takes them. Raises CookiesUnusable."""
        try:
            session = Session(self.aead, bytes.fromhex(self.c2s), bytes.fromhex(self.s2c))
        except NTSError as error:
            raise CookiesUnusable(f"damaged: {error}") from error
        cookies = dict.fromkeys(bytes.fromhex(one) for one in self.cookies)
        return Keys(NTSAuthentication(session, cookies, secrets.token_bytes), self.host, self.port)


class CookieJar:
    """The kept cookies of one server; nothing is touched before `take`."""

    def __init__(self, state: Path, settings: NTPInstrument) -> None:
        name = hashlib.sha256(f"{settings.clock}\n{settings.server}".encode()).hexdigest()[:16]
        self.path = state / "nts-client" / f"{name}.json"
        self._settings = settings

    def take(self) -> Keys | None:
        """The kept cookies, which are on the disk no more; None when there are none. Raises CookiesUnusable."""
        why, data = "", b""
        try:
            data = _read_own(self.path)
        except FileNotFoundError:
            return None
        except CookiesUnusable as error:
            why = str(error)
        except OSError as error:
            why = f"cannot be read: {error.strerror or error}"
        try:
            self.path.unlink()
            sync_folder(self.path.parent)
        except OSError as error:
            words = f"cannot be removed, and could be used twice: {error.strerror or error}"
            raise CookiesUnusable(words) from error
        if why:
            raise CookiesUnusable(why)
        return self._parsed(data).keys()

    def put(self, keys: Keys) -> None:
        """Set some cookies aside and keep them in place of older ones. Raises OSError; they are lost then."""
        session = keys.authentication.session
        cookies = [one.hex() for one in keys.authentication.set_aside(KEPT)]
        stored = _Stored(
            1,
            self._settings.server,
            self._authorities(),
            keys.host,
            keys.port,
            session.aead,
            session.c2s.hex(),
            session.s2c.hex(),
            cookies,
        )
        write_secret(self.path, msgspec.json.encode(stored) + b"\n")

    def forget(self) -> None:
        """Throw away what is kept: the server does not know these keys any more. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def _parsed(self, data: bytes) -> _Stored:
        try:
            stored = msgspec.json.decode(data, type=_Stored)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CookiesUnusable("damaged: no such document") from error
        if stored.asked != self._settings.server:
            raise CookiesUnusable("of another server")
        if stored.authorities != self._authorities():
            raise CookiesUnusable("exchanged under other authorities than are configured now")
        return stored

    def _authorities(self) -> str:
        """What is trusted, as a digest; an unreadable file is no digest of anything."""
        if not self._settings.ca:
            return ""
        try:
            return hashlib.sha256(Path(self._settings.ca).read_bytes()).hexdigest()
        except OSError:
            return secrets.token_hex(32)


def _read_own(path: Path) -> bytes:
    """A small plain file that we own and alone can read, not too old. Raises CookiesUnusable, OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise CookiesUnusable("no plain file")
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & ~SECRET_MODE:
            raise CookiesUnusable("of another user, or open to others")
        if not -OLDEST_S < time.time() - facts.st_mtime < OLDEST_S:
            raise CookiesUnusable("too old")
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise CookiesUnusable("too large")
    return data
