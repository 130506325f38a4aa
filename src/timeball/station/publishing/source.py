"""Fetching a log's files over HTTP: one connection kept, every answer bounded in size and time, redirects not followed.

Nothing that comes back is believed here; `following` checks it against a signed head.
"""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

from timeball.ledger.tiles import MAX_ENTRY, WIDTH
from timeball.station.publishing.errors import SourceDenied, SourceUnreachable
from timeball.station.witnessing.client import check_url
from timeball.station.witnessing.deadline import Deadline, connect

TIMEOUT_S = 30.0
MAX_HEAD = 1_000_000
MAX_BUNDLE = WIDTH * (MAX_ENTRY + 2)
MAX_PAYLOADS = 1 << 28
_CHUNK = 1 << 16


class Source:
    """A log served below `url`; `token` is sent with requests for payloads alone. Raises ValueError for another URL."""

    def __init__(
        self, url: str, token: str | None = None, timeout_s: float = TIMEOUT_S, context: ssl.SSLContext | None = None
    ) -> None:
        check_url(url)
        self.url = url.rstrip("/")
        self._prefix = urlsplit(self.url).path
        self._token = token
        self._timeout_s = timeout_s
        self._context = context
        self._connection: http.client.HTTPConnection | None = None

    def head(self) -> bytes | None:
        """The signed head, None when there is none yet."""
        return self._get("checkpoint", MAX_HEAD)

    def key(self) -> bytes | None:
        """The verifier key that the server names, None when it names none."""
        return self._get("log.vkey", 4096)

    def read(self, path: str) -> bytes | None:
        """A tile or an entry bundle by its path; None when the server has none."""
        return self._get(path, MAX_BUNDLE)

    def payloads(self, path: str) -> bytes | None:
        """A payload bundle as this token may see it; None when the server has none. Raises SourceDenied."""
        return self._get(f"payloads/{path}", MAX_PAYLOADS, self._token)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _get(self, path: str, limit: int, token: str | None = None) -> bytes | None:
        kept = self._connection is not None
        try:
            return self._ask(path, limit, token)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if isinstance(error, SourceUnreachable | SourceDenied):
                raise
            if not kept:
                raise SourceUnreachable(self.url, f"no answer: {error or type(error).__name__}") from error
        # a kept connection may have been closed from the other side at any moment
        return self._get(path, limit, token)

    def _ask(self, path: str, limit: int, token: str | None) -> bytes | None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with Deadline(self._timeout_s) as deadline:
            if self._connection is None or self._connection.sock is None:  # a server may close after each answer
                self._connection = connect(deadline, urlsplit(self.url), self._timeout_s, self._context)
            connection = self._connection
            deadline.watch(connection.sock)
            connection.request("GET", f"{self._prefix}/{path}", headers=headers)
            response = connection.getresponse()
            body = _read(response, limit)
        if body is None or response.length or deadline.over:
            raise SourceUnreachable(
                self.url, f"{path}: the answer is longer than {limit} bytes, broke off, or took too long"
            )
        if response.status == 200:
            return body
        if response.status in (404, 410):
            return None
        if response.status in (401, 403):
            raise SourceDenied(f"{self.url}/{path}: refused with status {response.status}")
        raise SourceUnreachable(self.url, f"{path}: answered with status {response.status}")


def _read(response: http.client.HTTPResponse, limit: int) -> bytes | None:
    parts: list[bytes] = []
    length = 0
    while chunk := response.read(_CHUNK):
        parts.append(chunk)
        length += len(chunk)
        if length > limit:
            return None
    return b"".join(parts)
