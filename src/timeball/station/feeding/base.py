"""What every output has: a turn now and then that ends in one outcome, and the page that counts them."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Protocol

from timeball.station.feeding.served import ClockView, Served
from timeball.station.hosttime.hostclocks import BootId, boottime_ns
from timeball.station.page.feedpage import NOT_YET, OUTCOME_WORDS, FeedPage, Outcome, feed_page
from timeball.station.page.pagefile import PageWriter
from timeball.station.page.pagelayout import IN_SYNC, STATUS_WORDS

# An interrupted reading says little: half its width is its uncertainty.
WIDEST_NS = 200_000

OUTCOMES = {
    errno.EACCES: Outcome.FORBIDDEN,
    errno.EPERM: Outcome.FORBIDDEN,
    errno.EAGAIN: Outcome.CONGESTED,
    errno.ENOBUFS: Outcome.CONGESTED,
}
"""Of a system call that failed; everything else means that nobody is there."""


class Feed(Protocol):
    """One output. `every_s` between two turns; `name` for the log."""

    name: str
    kind: int
    every_s: float
    steps: int

    @property
    def rate(self) -> float:
        """The correction in force; 0 where there is none."""

    @property
    def clock_class(self) -> int:
        """What a ptp4l has confirmed; 0 where nobody was told."""

    def turn(self, view: ClockView) -> tuple[Outcome, Served, float | None]:
        """Read, correct or send: the outcome, what was served, and the offset served − fed if it was measured."""

    def close(self) -> None:
        """Give up what is held."""


def outcome_of(error: OSError) -> Outcome:
    """What a failed system call means for a turn."""
    return OUTCOMES.get(error.errno or 0, Outcome.ABSENT)


class Account:
    """One output, its counts and their page; the log hears of it when the outcome changes."""

    def __init__(self, feed: Feed, state: Path, index: int, boot: BootId, log: logging.Logger) -> None:
        self.feed = feed
        self._boot = boot
        self._log = log
        self._started_ns = boottime_ns()
        self._counts = dict.fromkeys(Outcome, 0)
        self._newest: tuple[int, int] = (NOT_YET, IN_SYNC)
        self._offset_s = 0.0
        self._bound_s = 0.0
        self._writer = PageWriter(feed_page(state, index), FeedPage, plain=True)
        self.write()

    def turn(self, view: ClockView) -> None:
        """One turn, counted."""
        outcome, served, offset_s = self.feed.turn(view)
        self._counts[outcome] += 1
        if offset_s is not None:
            self._offset_s, self._bound_s = offset_s, served.bound_s
        newest = (int(outcome), served.status)
        if newest != self._newest:
            self._log.info("%s: %s", self.feed.name, words_of(outcome, served.status))
        self._newest = newest
        self.write()

    def write(self) -> None:
        """Publish the counts."""
        feed = self.feed
        self._writer.write(
            FeedPage(
                *(self._boot.words, os.getpid(), self._started_ns, boottime_ns(), feed.kind, *self._newest),
                *(self._offset_s, self._bound_s, feed.rate, feed.steps, feed.clock_class),
                *(self._counts[outcome] for outcome in Outcome),
            )
        )

    def close(self) -> None:
        """The output first, then its page."""
        self.feed.close()
        self.write()
        self._writer.close()


def words_of(outcome: int, status: int) -> str:
    """An outcome in words, with the reason where time is withheld."""
    if outcome == NOT_YET:
        return "not begun"
    words = OUTCOME_WORDS[Outcome(outcome)]
    return f"{words} ({STATUS_WORDS[status]})" if outcome == Outcome.WITHHELD else words
