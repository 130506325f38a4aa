"""Answers of the status reader, kept for a moment, so that many open pages cost as much as one.

One worker thread does all reading: the reader folds the ledger incrementally and need not be thread-safe, and the
event loop never waits for a disk. Nothing here knows what the answers say. An answer carries its age, because a clock
shown from it must know.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec


class Reader(Protocol):
    """What the console asks of the station: see `timeball.station.reporting.status.StatusReader`."""

    def status(self) -> dict[str, Any]:
        """Give the state of the station now."""

    def history(self, since_index: int = 0) -> dict[str, Any]:
        """Give the series recorded after a ledger index."""

    def deviations(self) -> dict[str, Any]:
        """Give the stability of each clock against the scale."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One JSON answer and the monotonic time it was read."""

    body: bytes
    read_at_s: float


def _plain(value: object) -> object:
    """Turn arrays and array scalars into what JSON knows (msgspec writes NaN as null)."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not go into JSON")


class Answers:
    """Reads through one thread and keeps each answer for `keep_s` seconds (at most `room` different ones)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, room: int = 16) -> None:
        self._clock = clock
        self._room = room
        self._kept: dict[str, Answer] = {}
        self._busy: dict[str, asyncio.Future[Answer]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")

    async def get(self, key: str, keep_s: float, read: Callable[[], dict[str, Any]]) -> Answer:
        """Give the kept answer of `key`, or read a new one; requests that come meanwhile wait for that same reading.

        Raises whatever `read` raises; a failure is never kept.
        """
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept.read_at_s < keep_s:
            return kept
        if key not in self._busy:
            self._busy[key] = asyncio.get_running_loop().run_in_executor(self._thread, self._read, read)
            self._busy[key].add_done_callback(lambda done: self._keep(key, done))
        # One page that closes its connection must not cancel the reading the others wait for.
        return await asyncio.shield(self._busy[key])

    def age_s(self, answer: Answer) -> float:
        """Give how long ago an answer was read."""
        return self._clock() - answer.read_at_s

    def close(self) -> None:
        """Let the worker thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, read: Callable[[], dict[str, Any]]) -> Answer:
        value = read()
        read_at_s = self._clock()
        return Answer(msgspec.json.encode(value, enc_hook=_plain), read_at_s)

    def _keep(self, key: str, done: asyncio.Future[Answer]) -> None:
        del self._busy[key]
        if done.cancelled() or done.exception() is not None:
            return
        self._kept.pop(key, None)
        self._kept[key] = done.result()
        while len(self._kept) > self._room:
            del self._kept[next(iter(self._kept))]
