"""The end of a process that nobody supervises: a lease that nobody renews, given by whoever holds the state's lock.

A supervisor that dies takes nobody with it, so the clock goes on and the next supervisor finds it going. When none
comes within the grace, each process ends by itself, as at SIGTERM. A process started by hand is not watched.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from timeball.station.supervision.statelock import is_supervised

ORPHAN_GRACE_S = 30.0
GRACE_VARIABLE = "TIMEBALL_ORPHAN_GRACE_S"
"""Set by the supervisor for every process it starts; set from outside, it is the grace in seconds."""
LAST_WORDS_S = 5.0
EXIT_ORPHANED = 3


@dataclass
class Grace:
    """How long nobody has supervised: counted from the first look that found nobody, never from the last that did.

    So a process that was stopped for an hour does not take its own absence for its supervisor's.
    """

    grace_s: float
    alone_since: float | None = None

    def is_over(self, supervised: bool, now: float) -> bool:
        """Take in one look at the monotonic second `now`; true when the grace has run out."""
        if supervised:
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = now
        return self.alone_since is not None and now - self.alone_since >= self.grace_s


def grace_of(text: str) -> float:
    """The grace in a text of the environment (s); the default when it is no positive number."""
    try:
        grace_s = float(text)
    except ValueError:
        return ORPHAN_GRACE_S
    return grace_s if 0 < grace_s < float("inf") else ORPHAN_GRACE_S


_watched: list[Path] = []


def end_when_orphaned(state: Path) -> None:
    """Watch the lock of `state` from now on in a thread, if a supervisor started this process."""
    _watched[:] = [state]
    text = os.environ.get(GRACE_VARIABLE)
    if text is not None:
        threading.Thread(target=_watch, args=(grace_of(text),), name="orphan watch", daemon=True).start()


def watch_from(state: Path) -> None:
    """The same folder is reached by this path from now on: a process has gone into it, or given up rights."""
    _watched[:] = [state]


def _watch(grace_s: float) -> None:
    # a signal must reach the main thread, or nobody wakes to handle it
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    grace = Grace(grace_s)
    while _watched[0].is_dir() and not grace.is_over(is_supervised(_watched[0]), time.monotonic()):
        time.sleep(min(1.0, grace_s / 4))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_WORDS_S)
    os._exit(EXIT_ORPHANED)
