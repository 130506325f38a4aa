"""What the watchdog found, in a shared page of its own, for metrics and checks.

The watchdog writes it after every look. Each look ends in exactly one of `nothing_found`, `found`, `cannot_judge`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from timeball.station.paths import run_dir

NOT_YET = -1
NOTHING_FOUND, FOUND, CANNOT_JUDGE = 0, 1, 2


@dataclass(frozen=True)
class WatchPage:
    """Counts since `started_boottime_ns`, and the newest look. Field order is layout.

    `code` of the newest look as an entry `watch` has it: 0 nothing found, 1 found, 2 cannot judge; NOT_YET before the
    first. `measured` is 1 where it had an offset: `offset_s` the middle of the other servers − served time, `spread_s`
    how far apart these were. `asked` and `answered` are numbers of servers, 0 while there was no clock page to judge.
    `panics`: looks in which every server was asked.
    """

    MAGIC: ClassVar[bytes] = b"TBALL-KW"

    boot_id: tuple[int, int]
    pid: int
    started_boottime_ns: int
    updated_boottime_ns: int
    code: int
    measured: int
    offset_s: float
    spread_s: float
    asked: int
    answered: int
    nothing_found: int
    found: int
    cannot_judge: int
    panics: int


def watch_page(state: Path) -> Path:
    """STATE/run/page.watchdog."""
    return run_dir(state) / "page.watchdog"
