"""What the supervisor tells the service manager: ready, alive, one sentence of status, stopping (sd_notify(3)).

The protocol is one datagram of `NAME=value` lines to the socket that NOTIFY_SOCKET names; without one every call does
nothing. A service manager that has gone is no reason to stop: what cannot be sent is not sent.
Nothing here judges whether the station is healthy: who calls `alive` says that it is.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

ALIVE_EVERY = 0.4
"""Of the watchdog's time: a sign of life is due before half of it has passed (sd_watchdog_enabled(3))."""
STATUS_EVERY_S = 5.0
LONGEST_START_S = 900.0


class Notifier:
    """Speaks to the service manager. `watchdog_s` is how long it waits for a sign of life; 0 when it does not."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)  # a manager that does not read must not hold a station up
        self._alive_due = self._status_due = float("-inf")
        self._said = ""
        self._is_ready = False

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> Notifier:
        """The manager named there, if any. The names are taken out: no child speaks for the supervisor."""
        address = environment.pop("NOTIFY_SOCKET", "")
        limit_us = environment.pop("WATCHDOG_USEC", "0")
        pid = environment.pop("WATCHDOG_PID", str(os.getpid()))
        watched = limit_us.isdigit() and pid == str(os.getpid())
        known = address.startswith(("/", "@")) and len(address) > 1
        return cls(address if known else "", int(limit_us) / 1e6 if watched else 0.0)

    @property
    def listening(self) -> bool:
        """Whether there is a service manager to speak to."""
        return self._socket is not None

    def starting(self, words: str) -> None:
        """Tell that the start takes its time; it may take `LONGEST_START_S` from here on."""
        self._status(words, f"EXTEND_TIMEOUT_USEC={LONGEST_START_S * 1e6:.0f}")

    def ready(self, words: str) -> None:
        """Tell, once, that every process runs."""
        if not self._is_ready:
            self._is_ready, self._said = True, words
            self._send("READY=1", f"STATUS={_one_line(words)}", f"MAINPID={os.getpid()}")

    def alive(self, now: float) -> None:
        """Give a sign of life, no more often than the watchdog needs; `now` is monotonic seconds."""
        if self.watchdog_s > 0 and now >= self._alive_due:
            self._alive_due = now + ALIVE_EVERY * self.watchdog_s
            self._send("WATCHDOG=1")

    def status_is_due(self, now: float) -> bool:
        """Whether it is time for a new sentence: every `STATUS_EVERY_S`, and only where somebody listens."""
        if self._socket is None or now < self._status_due:
            return False
        self._status_due = now + STATUS_EVERY_S
        return True

    def status(self, words: str) -> None:
        """Tell one sentence, when it has changed."""
        self._status(words)

    def stopping(self, words: str) -> None:
        """Tell that the station is being stopped."""
        self._send("STOPPING=1", f"STATUS={_one_line(words)}")

    def _status(self, words: str, *more: str) -> None:
        if words != self._said:
            self._said = words
            self._send(f"STATUS={_one_line(words)}", *more)

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto("\n".join(lines).encode(), self._address)


def _one_line(words: str) -> str:
    """A newline would begin another assignment."""
    return " ".join(words.split())
