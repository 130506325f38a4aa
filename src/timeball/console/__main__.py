"""`python -m timeball.console --state DIR`: serves the page until it is told to stop.

The address comes from STATE/run/config.json, which the supervisor writes. Exit codes: 0 stopped, 1 usage, 2 cannot
listen.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from timeball.console.app import create_app
from timeball.station.supervision.orphan import end_when_orphaned

DEFAULT_LISTEN = "127.0.0.1:8123"


class ConsoleConfig(msgspec.Struct):
    """The console's part of the effective configuration."""

    listen: str = DEFAULT_LISTEN
    names: list[str] = []


class _Effective(msgspec.Struct):
    console: ConsoleConfig = msgspec.field(default_factory=ConsoleConfig)


class LateReader:
    """A status reader made at the first question: the console may be up before the ledger has its first entry."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._reader: Any = None

    def _made(self) -> Any:
        if self._reader is None:
            from timeball.station.reporting.status import StatusReader

            self._reader = StatusReader(self._state)
        return self._reader

    def status(self) -> dict[str, Any]:
        """Give the state of the station now."""
        return dict(self._made().status())

    def history(self, since_index: int = 0) -> dict[str, Any]:
        """Give the series recorded after a ledger index."""
        return dict(self._made().history(since_index))

    def deviations(self) -> dict[str, Any]:
        """Give the stability of each clock against the scale."""
        return dict(self._made().deviations())


def parse_listen(text: str) -> tuple[str, int]:
    """Split `host:port` (an IPv6 address in brackets); raises ValueError with the offending text."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"console.listen must be host:port, not {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def read_config(state: Path) -> ConsoleConfig:
    """Read the console's settings; without a configuration file, the defaults."""
    try:
        data = (state / "run" / "config.json").read_bytes()
    except FileNotFoundError:
        return ConsoleConfig()
    return msgspec.json.decode(data, type=_Effective).console


def open_socket(host: str, port: int) -> socket.socket:
    """Bind and listen; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=64)


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m timeball.console", description=__doc__, exit_on_error=False)
    parser.add_argument("--state", type=Path, required=True, help="the station's state folder")
    try:
        state: Path = parser.parse_args(argv).state
        config = read_config(state)
        host, port = parse_listen(config.listen)
    except (argparse.ArgumentError, msgspec.DecodeError, ValueError, OSError) as wrong:
        return _complain(f"{wrong}", 1)
    try:
        listener = open_socket(host, port)
    except OSError as wrong:
        return _complain(f"cannot listen on {config.listen}: {os.strerror(wrong.errno) if wrong.errno else wrong}", 2)
    end_when_orphaned(state)
    # uvicorn handles both while it serves and raises them again afterwards: stopping on request is a clean end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    _serve(state, [host, *config.names], listener)
    return 0


def _serve(state: Path, names: list[str], listener: socket.socket) -> None:
    app = create_app(LateReader(state), names)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=128,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(settings).run(sockets=[listener])


def _complain(words: str, code: int) -> int:
    print(f"console: {words}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
