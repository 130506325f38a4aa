"""A running chronyd, asked for its reports over its command protocol: a Unix socket, or UDP on port 323.

A reply counts when it comes from where we asked and repeats the command and the random sequence number; anything else
is read past until the time is up, a bounded number of times. Reports whose form is not known here are asked of the
installed `chronyc`, which is that of the installed chronyd. Only what reads is ever asked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from timeball.protocols.chrony import more, reports
from timeball.protocols.chrony.candm import LONGEST_REPLY, Command, Reply, build_request, parse_reply
from timeball.protocols.chrony.errors import ChronyError, LayoutError, RefusedError, ReplyError
from timeball.protocols.chrony.printed import parse_csv

PORT = 323
USUAL_SOCKET = "/run/chrony/chronyd.sock"
TIMEOUT_S = 0.5
ATTEMPTS = 3
STRAY_REPLIES = 64
CHRONYC_TIMEOUT_S = 5.0
ANOTHER_FORM = (3, 18, 19)
"""Statuses of a chronyd that knows the report in another form: unknown request, wrong version, wrong length."""


class ChronydUnreachableError(ConnectionError):
    """No chronyd answered there."""


@dataclass(frozen=True)
class ChronydView:
    """What a chronyd said of itself; `not_told` says why a report is missing, by its name."""

    read_ns: int
    tracking: reports.Tracking
    sources: list[reports.Source]
    stats: list[reports.SourceStats]
    activity: reports.Activity
    server_stats: dict[str, Any] | None = None
    ntp_data: list[dict[str, Any]] = field(default_factory=list)
    auth_data: list[dict[str, Any]] = field(default_factory=list)
    not_told: dict[str, str] = field(default_factory=dict)


class Chronyd:
    """A connection to one chronyd: `place` the path of its socket, or HOST:PORT. Raises ChronydUnreachableError."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._own: Path | None = None
        self._folder: str | None = None
        self._sequence = secrets.randbits(32)
        try:
            self._socket = self._open_unix(place) if place.startswith("/") else _open_udp(place)
        except (OSError, ValueError) as error:
            self._remove_own()
            raise ChronydUnreachableError(f"no chronyd at {place}: {error}") from error

    def __enter__(self) -> Chronyd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._remove_own()

    def ask(self, command: Command, body: bytes = b"") -> Reply:
        """The reply to one request. Raises ChronydUnreachableError, RefusedError, ReplyError."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        why = "it does not answer"
        for attempt in range(ATTEMPTS):
            try:
                self._socket.send(build_request(command, self._sequence, body, attempt))
                reply = self._listen(command, time.monotonic() + TIMEOUT_S * 2**attempt)
            except OSError as error:
                why = str(error)
                continue
            if reply is not None:
                return reply
        raise ChronydUnreachableError(f"no chronyd at {self.place}: {why}")

    def _listen(self, command: Command, deadline: float) -> Reply | None:
        for _ in range(STRAY_REPLIES):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            self._socket.settimeout(left_s)
            try:
                data = self._socket.recv(LONGEST_REPLY + 1)
            except TimeoutError:
                return None
            with contextlib.suppress(ReplyError):
                return parse_reply(data, command, self._sequence)
        return None

    def _open_unix(self, path: str) -> socket.socket:
        """A socket with a name of its own beside chronyd's, or in a folder of its own where that may not be written."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"timeball.{os.getpid()}.{secrets.token_hex(4)}.sock"
        try:
            client.bind(own := os.path.join(os.path.dirname(path), name))
        except OSError:
            self._folder = tempfile.mkdtemp(prefix="timeball-")
            Path(self._folder).chmod(0o711)
            client.bind(own := os.path.join(self._folder, name))
        self._own = Path(own)
        self._own.chmod(0o666)  # chronyd answers as the user it has become
        client.connect(path)
        return client

    def _remove_own(self) -> None:
        with contextlib.suppress(OSError):
            if self._own is not None:
                self._own.unlink()
            if self._folder is not None:
                Path(self._folder).rmdir()


def usual_place() -> str:
    """Where chronyc looks: the Unix socket where it may be used, else loopback."""
    return USUAL_SOCKET if os.access(USUAL_SOCKET, os.W_OK) else f"127.0.0.1:{PORT}"


def read_chronyd(chronyd: Chronyd) -> ChronydView:
    """All reports. Raises ChronydUnreachableError, or ChronyError where a stable report is refused or not one."""
    tracking = reports.parse_tracking(chronyd.ask(Command.TRACKING))
    read_ns = time.time_ns()
    indices = [struct.pack("!i", i) for i in range(reports.parse_source_count(chronyd.ask(Command.N_SOURCES)))]
    sources = [_source(chronyd, index) for index in indices]
    view = ChronydView(
        read_ns,
        tracking,
        sources,
        [reports.parse_source_stats(chronyd.ask(Command.SOURCESTATS, index)) for index in indices],
        reports.parse_activity(chronyd.ask(Command.ACTIVITY)),
    )
    return _with_more(view, chronyd)


def _source(chronyd: Chronyd, index: bytes) -> reports.Source:
    return reports.parse_source(chronyd.ask(Command.SOURCE_DATA, index))


def _with_more(view: ChronydView, chronyd: Chronyd) -> ChronydView:
    """The reports that not every chronyd gives in a form known here, each by the way that works."""
    keys = [source.key for source in view.sources if source.key]

    def server_stats() -> list[dict[str, Any]]:
        return [dict(more.parse_server_stats(chronyd.ask(Command.SERVER_STATS)))]

    def ntp_data() -> list[dict[str, Any]]:
        return [more.as_document(more.parse_ntp_data(chronyd.ask(Command.NTP_DATA, key))) for key in keys]

    def auth_data() -> list[dict[str, Any]]:
        return [more.as_document(more.parse_auth_data(chronyd.ask(Command.AUTH_DATA, key))) for key in keys]

    not_told: dict[str, str] = {}
    ways: dict[str, Callable[[], list[dict[str, Any]]]] = {"serverstats": server_stats}
    if keys:
        ways |= {"ntpdata": ntp_data, "authdata": auth_data}
    told = {name: _either_way(name, way, chronyd.place, not_told) for name, way in ways.items()}
    return ChronydView(
        *(view.read_ns, view.tracking, view.sources, view.stats, view.activity),
        next(iter(told["serverstats"]), None),
        told.get("ntpdata", []),
        told.get("authdata", []),
        not_told,
    )


def _either_way(
    name: str, way: Callable[[], list[dict[str, Any]]], place: str, not_told: dict[str, str]
) -> list[dict[str, Any]]:
    try:
        return way()
    except (LayoutError, RefusedError) as error:
        if isinstance(error, LayoutError) or error.status in ANOTHER_FORM:
            with contextlib.suppress(OSError, subprocess.SubprocessError, ChronyError):
                return by_chronyc(name, place)
        not_told[name] = str(error)
        return []


def by_chronyc(report: str, place: str) -> list[dict[str, Any]]:
    """A report as the installed chronyc prints it. Raises OSError, SubprocessError, LayoutError."""
    chronyc = shutil.which("chronyc")
    if chronyc is None:
        raise FileNotFoundError("there is no chronyc")
    host, _, port = ("", "", "") if place.startswith("/") else place.rpartition(":")
    where = ["-h", host.strip("[]"), "-p", port] if host else ["-h", place]
    done = subprocess.run(
        [chronyc, "-n", "-c", *where, report], capture_output=True, text=True, timeout=CHRONYC_TIMEOUT_S, check=True
    )
    return [dict(row) for row in parse_csv(report, done.stdout)]


def _open_udp(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    client = socket.socket(family, kind, protocol)
    client.connect(address)
    return client
