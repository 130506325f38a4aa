"""An event that a signal handler may set while the same thread waits for it.

`threading.Event` takes a lock in `set` and in `wait`: a handler that runs in the main thread at the wrong instruction
would wait for ever for itself. Here `set` writes one byte into a pipe and `wait` polls its other end.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress

PIPE_BYTES = 1 << 16  # what a pipe of Linux holds unless it is asked for more


class SignalEvent(threading.Event):
    """As `threading.Event`, and safe to set from a handler; several threads may wait. Its pipe lives as long as it."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_set = False

    def __del__(self) -> None:
        for descriptor in (self._reader, self._writer):
            with suppress(OSError):
                os.close(descriptor)

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake whoever waits."""
        self._is_set = True
        with suppress(BlockingIOError):  # the pipe is full of earlier calls: it wakes as well
            os.write(self._writer, b"\0")

    def clear(self) -> None:
        """Take it back."""
        self._is_set = False
        with suppress(BlockingIOError):
            os.read(self._reader, PIPE_BYTES)  # once: signals without end cannot hold it here

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most `timeout` seconds; gives whether it is."""
        if not self._is_set:
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            poll.poll(None if timeout is None else max(0.0, timeout) * 1e3)
        return self._is_set
