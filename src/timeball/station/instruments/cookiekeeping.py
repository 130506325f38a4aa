"""When a source's cookies are kept and when kept ones are used: once at the start, then replaced now and then.

What goes wrong here is told and costs a key exchange after the next restart, or now; it stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from timeball.instants import NS_PER_SECOND
from timeball.station.instruments.cookiejar import KEPT, LEAST_LEFT, CookieJar, CookiesUnusable
from timeball.station.instruments.ntskeys import Keys

KEEP_ANEW_NS = 6 * 3600 * NS_PER_SECOND
"""A server forgets its keys after days, and the cookies under them are worth nothing then."""


class CookieKeeping:
    """For one source. `jar` None: nothing is kept; `say` takes a sentence for the log. `now` is RAW (ns)."""

    def __init__(self, jar: CookieJar | None, say: Callable[[str], None]) -> None:
        self._jar, self._say = jar, say
        self._looked = False
        self._keys: Keys | None = None
        self._due_ns = 0

    def first(self) -> Keys | None:
        """What an earlier run has kept; asked once, None ever after."""
        if self._jar is None or self._looked:
            return None
        self._looked = True
        try:
            return self._jar.take()
        except CookiesUnusable as error:
            self._say(f"kept cookies ({self._jar.path.name}) are thrown away: {error}")
            return None

    def begun(self, keys: Keys) -> None:
        """These keys are used from now on; their cookies are kept as soon as there are enough."""
        self._keys, self._due_ns = keys, 0

    def answered(self, now: int) -> None:
        """An authentic reply has come: keep some of the cookies, when it is time and enough are left to go on with."""
        enough = self._keys is not None and self._keys.authentication.cookies >= KEPT + LEAST_LEFT
        if self._jar is None or self._keys is None or not enough or now < self._due_ns:
            return
        self._due_ns = now + KEEP_ANEW_NS
        try:
            self._jar.put(self._keys)
        except OSError as error:
            self._say(f"cookies are not kept for a restart: {error.strerror or error}")

    def refused(self) -> None:
        """The keys are worth nothing any more."""
        self._keys = None
        if self._jar is not None:
            try:
                self._jar.forget()
            except OSError as error:
                self._say(f"kept cookies cannot be thrown away: {error.strerror or error}")
