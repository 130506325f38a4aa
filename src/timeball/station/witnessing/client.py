"""Asking one witness (C2SP tlog-witness v1.0.0): submit a checkpoint, fetch the newest it has cosigned.

Every call ends within `timeout_s`, however slowly the other side talks, and reads a bounded answer. Redirects are not
followed. Cosignatures are given as they came: whoever asked verifies them.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlsplit

from timeball.station.witnessing.deadline import Deadline, connect
from timeball.station.witnessing.errors import WitnessRefused, WitnessUnreachable

DEFAULT_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 256 * 1024
_SIZE_TYPE = "text/x.tlog.size"
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_SIGNATURE = "\u2014 "
_WORDS_SHOWN = 200


class Answer(NamedTuple):
    """What came back: status, media type without its parameters, the body."""

    status: int
    kind: str
    body: bytes


class WitnessClient:
    """One witness at `url` (http or https, a path prefix allowed); `timeout_s` bounds each call as a whole.

    Raises ValueError for a URL of another form. `context` is the TLS context (the system's trust anchors by default).
    """

    def __init__(self, url: str, timeout_s: float = DEFAULT_TIMEOUT_S, context: ssl.SSLContext | None = None) -> None:
        check_url(url)
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._context = context

    def add_checkpoint(self, body: bytes) -> list[str]:
        """Submit an add-checkpoint request; gives the cosignature lines, each ending in a newline.

        Raises WitnessUnreachable (ask again) or WitnessRefused, which knows the witness's size after a 409.
        """
        answer = self._ask("POST", "/add-checkpoint", body)
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            return parse_cosignatures(answer.body)
        except ValueError as error:
            raise WitnessUnreachable(self.url, f"its answer is no witness's: {error}") from error

    def newest(self, origin: str) -> bytes | None:
        """The newest checkpoint of a log that the witness has cosigned, None when it has none; not yet verified."""
        answer = self._ask("GET", f"/{origin_hash(origin)}/checkpoint")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._refusal(answer)
        return answer.body

    def get(self, path: str) -> Answer:
        """Fetch another path below the URL, whatever its status; raises WitnessUnreachable."""
        return self._ask("GET", path)

    def post(self, path: str, body: bytes) -> Answer:
        """Send to another path below the URL, whatever the status; raises WitnessUnreachable."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        try:
            with Deadline(self._timeout_s) as deadline:
                return self._exchange(deadline, method, path, body)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, WitnessUnreachable):
                raise
            raise WitnessUnreachable(self.url, f"no answer: {error or type(error).__name__}") from error

    def _exchange(self, deadline: Deadline, method: str, path: str, body: bytes | None) -> Answer:
        parts = urlsplit(self.url)
        headers = {"Content-Type": "text/plain; charset=utf-8"} if body is not None else {}
        with closing(connect(deadline, parts, self._timeout_s, self._context)) as connection:
            connection.request(method, parts.path + path, body, headers)
            response = connection.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
        if len(data) > MAX_ANSWER_BYTES:
            raise WitnessUnreachable(self.url, f"its answer is longer than {MAX_ANSWER_BYTES} bytes")
        if response.length or deadline.over:
            raise WitnessUnreachable(self.url, "it hung up inside its answer, or took too long")
        return Answer(response.status, response.headers.get_content_type(), data)

    def _refusal(self, answer: Answer) -> WitnessRefused:
        size = None
        if answer.status == 409 and answer.kind == _SIZE_TYPE and (told := _SIZE.fullmatch(answer.body)):
            size = int(told[1])
        words = answer.body[:_WORDS_SHOWN].decode("utf-8", "replace").strip()
        return WitnessRefused(self.url, answer.status, "".join(c for c in words if c.isprintable()), size)


def parse_cosignatures(body: bytes) -> list[str]:
    """Split an answer into signature lines, each ending in a newline; raises ValueError for anything else."""
    lines = [line + "\n" for line in body.decode().split("\n")]
    if lines.pop() != "\n" or not lines:
        raise ValueError("it does not end in a newline, or is empty")
    if any(not line.startswith(_SIGNATURE) for line in lines):
        raise ValueError("it holds something other than signature lines")
    return lines


def origin_hash(origin: str) -> str:
    """How a witness names a log in its paths: hex of SHA-256 of the origin (C2SP tlog-witness)."""
    return hashlib.sha256(origin.encode()).hexdigest()


def check_url(url: str) -> None:
    """Raise ValueError unless a witness can stand at `url`: http or https, a host, no query and no fragment."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"the URL of a witness is http(s)://host[:port][/path], not {url!r}")
    _ = parts.port  # raises ValueError when it is no port
    if not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError(f"the URL of a witness is plain ASCII without blanks: {url!r}")
