"""Failures of our own code while a datagram is answered: the log is told of them, and not by a flood of lines.

What failed is told by its type and place alone: an exception's own words may hold bytes of a datagram.
"""

from __future__ import annotations

import logging
import threading
import time

EVERY_S = 60.0
"""One line in this time at most."""


class Failures:
    """What all loops of a process tell of what should not occur; any thread may."""

    def __init__(self, log: logging.Logger, every_s: float = EVERY_S) -> None:
        self._log, self._every_s = log, every_s
        self._lock = threading.Lock()
        self._next_s, self._untold = -float("inf"), 0

    def tell(self, error: Exception) -> None:
        """A datagram was dropped because of `error`; told, or counted for the next line."""
        with self._lock:
            now_s = time.monotonic()
            if now_s < self._next_s:
                self._untold += 1
                return
            self._next_s, untold, self._untold = now_s + self._every_s, self._untold, 0
        more = f"; {untold} more since the line before" if untold else ""
        self._log.error("internal error, a datagram was dropped: %s%s; report it as a defect", place_of(error), more)


def place_of(error: Exception) -> str:
    """An exception's type and where it was raised: `ValueError in timeball.protocols.ntp.mac:87 (tag_of)`."""
    trace, kind = error.__traceback__, type(error).__name__
    if trace is None:
        return kind
    while trace.tb_next is not None:
        trace = trace.tb_next
    module, code = trace.tb_frame.f_globals.get("__name__", "?"), trace.tb_frame.f_code
    return f"{kind} in {module}:{trace.tb_lineno} ({code.co_name})"
