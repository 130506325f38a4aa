"""The cookie keys as the server has them: read from STATE/nts/keys whenever that file was replaced.

The key exchange owns them (station.nts). A server without that file runs all the same: it knows no cookie.
"""

from __future__ import annotations

import logging
from pathlib import Path

from timeball.protocols.nts.keyring import KeyRing
from timeball.station.nts.keyfile import KeyFileError, keys_file, read_keys

Mark = tuple[int, int, int]


class CookieKeys:
    """The newest keys."""

    def __init__(self, state: Path) -> None:
        self._path = keys_file(state)
        self._mark: Mark | None = None
        self._ring: KeyRing | None = None
        self.refresh(logging.getLogger("server"))

    def ring(self) -> KeyRing | None:
        """The keys of the moment; None until there are any."""
        return self._ring

    def refresh(self, log: logging.Logger) -> bool:
        """Look at the file; whether there are other keys now. What cannot be read leaves the old ones, told once."""
        mark = self._look()
        if mark is None or mark == self._mark:
            return False
        self._mark = mark
        try:
            ring = read_keys(self._path)
        except KeyFileError as error:
            log.warning("cookie keys not taken: %s", error)
            return False
        if ring == self._ring:
            return False
        self._ring = ring
        log.info("cookie keys: sealing under %08x, %d others", ring.current.id, len(ring.older))
        return True

    def _look(self) -> Mark | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
