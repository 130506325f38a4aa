"""NTS as an association's authentication (RFC 8915 section 5.7): one cookie a request, eight kept, never a downgrade.

A cookie is spent when it is sent, whether or not a reply comes; placeholders ask for as many as are missing. A NAK is
told as `KeysRefused` and believed by the association only when nothing better comes in time. `KeyPatience` says when
keys may be exchanged again after that failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from timeball.protocols.ntp.clientevents import AuthenticationFailed, KeysExhausted, KeysRefused
from timeball.protocols.ntp.packet import NS
from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.cookies import Session
from timeball.protocols.nts.errors import NTSError, NTSNak

MOST_COOKIES = 8
UNIQUE_ID_BYTES = 32
MOST_PLACEHOLDER_BYTES = 1000
"""A request asks for no more cookies than fit into one datagram on any way (IPv6's least packet has 1280 bytes)."""


class NTSAuthentication:
    """What one key exchange gave: `session`, and the cookies it begins with."""

    verifies = True

    def __init__(self, session: Session, cookies: Iterable[bytes], random_bytes: Callable[[int], bytes]) -> None:
        self.session = session
        self._cookies = deque(cookies, maxlen=MOST_COOKIES)
        self._random_bytes = random_bytes
        self._unique_id = b""

    @property
    def cookies(self) -> int:
        """How many cookies are left."""
        return len(self._cookies)

    @property
    def cookie_bytes(self) -> int:
        """The length of the oldest cookie; 0 when none is left."""
        return len(self._cookies[0]) if self._cookies else 0

    def set_aside(self, count: int) -> tuple[bytes, ...]:
        """Give up the newest `count` cookies, fewer when there are not so many: they are never sent from here."""
        return tuple(self._cookies.pop() for _ in range(min(count, len(self._cookies))))

    def seal(self, header: bytes) -> bytes:
        """The datagram of a request; spends a cookie. Raises `KeysExhausted`."""
        if not self._cookies:
            raise KeysExhausted("cookies", 0, "none is left, no reply has brought new ones")
        cookie = self._cookies.popleft()
        wanted = MOST_COOKIES - len(self._cookies) - 1
        placeholders = min(wanted, MOST_PLACEHOLDER_BYTES // (len(cookie) + 4))
        self._unique_id = self._random_bytes(UNIQUE_ID_BYTES)
        nonce = self._random_bytes(aead(self.session.aead).nonce_bytes)
        return build_request(self.session, cookie, self._unique_id, placeholders, nonce, header)

    def open(self, data: bytes) -> bytes:
        """The reply's header; keeps its cookies. Raises `KeysRefused` for a NAK, `AuthenticationFailed`."""
        try:
            reply = open_reply(self.session, self._unique_id, data)
        except NTSNak as error:
            raise KeysRefused("NTS", "NAK", str(error)) from error
        except NTSError as error:
            raise AuthenticationFailed(error.field, error.text, str(error)) from error
        self._cookies.extend(reply.cookies)
        return reply.packet


@dataclass
class KeyPatience:
    """When keys may be exchanged: 10 s after a failure, half as long again after each, 5 days at most (section 4.2)."""

    first_ns: int = 10 * NS
    longest_ns: int = 5 * 86_400 * NS
    _wait_ns: int = 0
    _not_before_ns: int = 0

    def may(self, now: int) -> bool:
        """Whether to try at `now`."""
        return now >= self._not_before_ns

    def failed(self, now: int) -> int:
        """Another exchange failed; gives when the next may be tried (ns)."""
        self._wait_ns = min(self.longest_ns, self._wait_ns * 3 // 2 if self._wait_ns else self.first_ns)
        self._not_before_ns = now + self._wait_ns
        return self._not_before_ns

    def worked(self) -> None:
        """An authenticated reply came: begin anew."""
        self._wait_ns = self._not_before_ns = 0
