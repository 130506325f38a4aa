"""When something was, and how long ago: for keys and certificates that outlive processes, boots and wrong clocks.

Within a boot ages are counted by BOOTTIME, which nobody sets. Across boots the time of day must do: that is the time
served, or the host's own before there is any (recording.entryclock).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

from timeball.instants import NS_PER_SECOND, LeapTable
from timeball.station.hosttime.hostclocks import boot_name, boottime_ns
from timeball.station.nts.keyfile import Moment
from timeball.station.recording.entryclock import EntryClock


class Clock:
    """The time of day as this station knows it, and moments to remember."""

    def __init__(self, state: Path, leaps: LeapTable) -> None:
        self._tai_ns = EntryClock(state, leaps)
        self._leaps = leaps
        self._boot = boot_name()

    def unix_s(self) -> float:
        """UTC in seconds since 1970, leap seconds not counted."""
        tai_ns = self._tai_ns()
        return (tai_ns - self._leaps.tai_minus_utc(tai_ns) * NS_PER_SECOND) / NS_PER_SECOND

    def utc(self) -> datetime:
        """UTC as an aware datetime."""
        return datetime.fromtimestamp(self.unix_s(), UTC)

    def moment(self) -> Moment:
        """Now."""
        return Moment(self.unix_s(), boottime_ns() / NS_PER_SECOND, self._boot)


def age_s(then: Moment, now: Moment) -> float:
    """How long ago `then` was (s). Infinite where the time of day has gone back since: nobody knows, so it is long."""
    same_boot = then.boot != "" and then.boot == now.boot
    elapsed_s = now.boottime_s - then.boottime_s if same_boot else now.unix_s - then.unix_s
    return elapsed_s if elapsed_s >= 0 else math.inf
