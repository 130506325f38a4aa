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
    """The newest keys; `version` counts how often they changed."""

    def __init__(self, state: Path) -> None:
        self._path = keys_file(state)
        self._mark: Mark | None = None
        self._ring: KeyRing | None = None
        self.version = 0
        self.refresh(logging.getLogger("server"))

    def ring(self) -> KeyRing | None:
        """The keys of the moment; None until there are any."""
        return self._ring

    def refresh(self, log: logging.Logger) -> None:
        """Look at the file; keys that cannot be read leave the old ones in use, and are told once."""
        mark = self._look()
        if mark is None or mark == self._mark:
            return
        self._mark = mark
        try:
            ring = read_keys(self._path)
        except KeyFileError as error:
            log.warning("cookie keys not taken: %s", error)
            return
        if ring != self._ring:
            self._ring = ring
            self.version += 1
            log.info("cookie keys: sealing under %08x, %d older", ring.current.id, len(ring.older))

    def _look(self) -> Mark | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
