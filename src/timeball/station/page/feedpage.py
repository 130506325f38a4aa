"""What became of one output's turns, in a shared page of its own, for status, console and metrics.

The feeder writes it after every turn. Each turn ends in exactly one of the counts from `given` to `failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

from timeball.station.paths import run_dir


class Outcome(IntEnum):
    """What became of a turn. Order and names are those of the page's counts."""

    GIVEN = 0
    WITHHELD = 1
    AT_A_LEAP = 2
    INTERRUPTED = 3
    ABSENT = 4
    FORBIDDEN = 5
    CONGESTED = 6
    FAILED = 7


OUTCOME_WORDS = {
    Outcome.GIVEN: "given",
    Outcome.WITHHELD: "nothing given: time is not served as synchronised",
    Outcome.AT_A_LEAP: "nothing given next to a leap second",
    Outcome.INTERRUPTED: "the reading was interrupted for too long",
    Outcome.ABSENT: "nobody is there to take it",
    Outcome.FORBIDDEN: "not allowed to reach it",
    Outcome.CONGESTED: "it does not take what it was given",
    Outcome.FAILED: "the device refused",
}
NOT_YET = -1
CHRONY_SOCK, PTP_CLOCK = 1, 2


@dataclass(frozen=True)
class FeedPage:
    """Counts since `started_boottime_ns`, and the newest turn. Field order is layout.

    `kind` CHRONY_SOCK or PTP_CLOCK; `outcome` of the newest turn (NOT_YET before the first), `status` the code of
    pagelayout that it met. `offset_s` = served time − what is fed, measured at the newest turn that could; `rate` the
    correction that a PTP clock runs with, `steps` how often it was stepped; `clock_class` last confirmed by ptp4l (0:
    none).
    """

    MAGIC: ClassVar[bytes] = b"TBALL-FD"

    boot_id: tuple[int, int]
    pid: int
    started_boottime_ns: int
    updated_boottime_ns: int
    kind: int
    outcome: int
    status: int
    offset_s: float
    bound_s: float
    rate: float
    steps: int
    clock_class: int
    given: int
    withheld: int
    at_a_leap: int
    interrupted: int
    absent: int
    forbidden: int
    congested: int
    failed: int


def feed_page(state: Path, index: int) -> Path:
    """STATE/run/page.feed.N of the output with that index in `Config.outputs`."""
    return run_dir(state) / f"page.feed.{index}"
