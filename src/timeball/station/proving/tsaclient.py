"""Asking a time-stamp authority over HTTP (RFC 3161 section 3.4): one request, one answer, bounded in time and size."""

from __future__ import annotations

import urllib.error
import urllib.request

from timeball.station.proving.errors import UnreachableError
from timeball.station.proving.timestamps import make_request, read_token

TIMEOUT_S = 20.0
MOST_BYTES = 1 << 20


def ask_token(url: str, checkpoint: bytes, timeout_s: float = TIMEOUT_S) -> bytes:
    """A time-stamp response over `checkpoint`, checked against the request; its signature is not verified here.

    Raises `UnreachableError`, or `TimestampError` for an answer that stamps something else or answers somebody else.
    """
    body, nonce = make_request(checkpoint)
    if not url.startswith(("http://", "https://")):
        raise UnreachableError(f"{url}: not an http or https address")
    request = urllib.request.Request(url, body, {"Content-Type": "application/timestamp-query"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            response = bytes(answer.read(MOST_BYTES))
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise UnreachableError(f"{url}: no time stamp: {error}") from error
    read_token(response, checkpoint, url, nonce)
    return response
