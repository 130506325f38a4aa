"""The threads of a server: they answer, while its main thread looks for what changed outside and writes their counters.

It knows no protocol. A thread that ends by itself ends the process, which the supervisor then starts anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from timeball.station.page.pagefile import PageT, PageWriter
from timeball.station.supervision.process import Process

UPDATE_S = 0.2


class Answerer(Protocol):
    """A thread that answers clients; `stop` waits for its end."""

    def start(self) -> None:
        """Begin to answer."""

    def alive(self) -> bool:
        """Whether it still runs."""

    def stop(self) -> None:
        """End it and close what it has open."""


def answer_until_stopped(
    process: Process,
    threads: Sequence[Answerer],
    refresh: Callable[[], None],
    writer: PageWriter[PageT],
    counters: Callable[[], PageT],
) -> None:
    """Let `threads` answer until the process is told to stop; all are stopped and counted once more in any case.

    `refresh` is called a few times a second, and what `counters` gives is written. Raises RuntimeError when a thread
    has ended by itself.
    """
    for thread in threads:
        thread.start()
    try:
        while not process.sleep(UPDATE_S):
            refresh()
            writer.write(counters())
            if not all(thread.alive() for thread in threads):
                raise RuntimeError("a thread that answers has ended by itself")
    finally:
        for thread in threads:
            thread.stop()
        writer.write(counters())
        writer.close()
