"""The threads of a server: all answer until it is told to stop; when one ends by itself, none goes on without it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from timeball.station.configuration.config import Config
from timeball.station.hosttime.hostclocks import boot_id
from timeball.station.page.pagefile import PageReader, PageWriter
from timeball.station.supervision.process import Process
from timeball.station.supervision.threads import answer_until_stopped


@dataclass(frozen=True)
class Counted:
    """A page of one counter: threads that have been stopped."""

    MAGIC: ClassVar[bytes] = b"TBALL-TT"

    boot_id: tuple[int, int]
    stopped: int


class Waiting:
    """A thread that does nothing until it is let go."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._go.wait, daemon=True)
        self.stopped = False

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def end_by_itself(self) -> None:
        self._go.set()
        self._thread.join()

    def stop(self) -> None:
        self.end_by_itself()
        self.stopped = True


def answer(state: Path, threads: list[Waiting], refresh: Callable[[Process], None]) -> None:
    """Let `threads` answer, `refresh` being given the process to stop it."""
    process = Process("server", state, Config())
    writer = PageWriter(state / "page", Counted, plain=True)

    def counters() -> Counted:
        return Counted(boot_id().words, sum(thread.stopped for thread in threads))

    answer_until_stopped(process, threads, lambda: refresh(process), writer, counters)


def counted(state: Path) -> int:
    """What the page says at last."""
    page = PageReader(state / "page", Counted, plain=True).read()
    assert page is not None
    return page.stopped


def test_all_answer_until_the_process_is_told_to_stop_and_are_counted_once_more(tmp_path: Path) -> None:
    threads, lived = [Waiting(), Waiting()], []

    def refresh(process: Process) -> None:
        lived.append([thread.alive() for thread in threads])
        process.stop.set()

    answer(tmp_path, threads, refresh)
    assert lived == [[True, True]]
    assert counted(tmp_path) == 2


def test_a_thread_that_ends_by_itself_ends_the_others(tmp_path: Path) -> None:
    threads = [Waiting(), Waiting()]
    with pytest.raises(RuntimeError, match="ended by itself"):
        answer(tmp_path, threads, lambda _process: threads[1].end_by_itself())
    assert not threads[0].alive()
    assert counted(tmp_path) == 2
