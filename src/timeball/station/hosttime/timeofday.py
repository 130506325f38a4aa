"""Which second is it? At least two sources must agree, and none may say that it is before the ledger's head.

A source is something that tells TAI at a reading of RAW, with how far it may be off. The host's own clocks are sources
like any other; so is the clock page of an earlier run in this boot, which RAW has carried since. Nothing here sets a
clock, and nothing here is precise: this finds the second, the readings find the rest.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from timeball.instants import Instant, LeapTable, format_utc
from timeball.protocols.ntp.packet import NTPError
from timeball.station.configuration.following import NTPInstrument
from timeball.station.configuration.settings import Config
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import realtime_tai_ns, tai_of_utc
from timeball.station.instruments.ntpclient import ask_server
from timeball.station.page.clockpage import TimekeeperPage

RAW_DRIFT = 1e-4
"""A host's counter is off by no more: what RAW has carried for an age is known to ± age × this."""
RTC_FILE = Path("/sys/class/rtc/rtc0/since_epoch")
WIDE_S = 0.05


class TimeOfDayUnknown(Exception):
    """No two sources agree, or they agree on a time before the ledger's head; one sentence."""


class SourceSilent(Exception):
    """A source cannot say now; the reason."""


class Now(Protocol):
    """The host's counters read together."""

    @property
    def raw_ns(self) -> int:
        """CLOCK_MONOTONIC_RAW, ns."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one source says: TAI (ns) at RAW `raw_ns`, off by at most `u_s`."""

    source: str
    raw_ns: int
    tai_ns: int
    u_s: float

    def at(self, raw_ns: int) -> int:
        """TAI (ns) at another reading of RAW, as this source says."""
        return self.tai_ns + raw_ns - self.raw_ns


@dataclass(frozen=True, slots=True)
class Source:
    """A named source; `ask` gives what it says or raises `SourceSilent`."""

    name: str
    ask: Callable[[LeapTable], Told]


def sources_of(config: Config, state: Path, before: TimekeeperPage | None = None) -> list[Source]:
    """The configured sources, and the page of an earlier run in this boot (None when there is none)."""
    sources = [_source(name, config, state) for name in config.time_of_day.sources]
    if before is not None and before.boot_id == hostclocks.boot_id().words and hostclocks.boot_id().known:
        sources.append(Source("earlier run", lambda _leaps: _carried("earlier run", before.raw_ns, before.tai_ns)))
    return sources


def agreed_tai_ns(sources: Sequence[Source], now: Now, leaps: LeapTable, config: Config, head_tai_ns: int = 0) -> int:
    """TAI (ns) at RAW `now.raw_ns`, as the largest group of agreeing sources says; raises `TimeOfDayUnknown`.

    head_tai_ns: the time of the ledger's newest entry, 0 for an empty ledger.
    """
    told, silent = ask_all(sources, leaps)
    group = largest_group(told, config.time_of_day.tolerance_s)
    if len(group) < 2:
        raise TimeOfDayUnknown("no two sources of the time of day agree: " + _said(told, silent, leaps))
    tai_ns = sorted(one.at(now.raw_ns) for one in group)[(len(group) - 1) // 2]
    slack_ns = int((config.time_of_day.tolerance_s + max(one.u_s for one in group)) * 1e9)
    if tai_ns + slack_ns < head_tai_ns:
        names = " and ".join(one.source for one in group)
        raise TimeOfDayUnknown(
            f"{names} say {_utc(tai_ns, leaps)}, but the ledger's newest entry is of {_utc(head_tai_ns, leaps)}: "
            "time of day never lies before the ledger's head"
        )
    return tai_ns


def ask_all(sources: Sequence[Source], leaps: LeapTable) -> tuple[list[Told], list[str]]:
    """What each source says, and a sentence for each that says nothing."""
    told: list[Told] = []
    silent: list[str] = []
    for source in sources:
        try:
            told.append(source.ask(leaps))
        except SourceSilent as error:
            silent.append(f"{source.name} says nothing ({error})")
    return told, silent


def largest_group(told: Sequence[Told], tolerance_s: float) -> list[Told]:
    """The largest group in which every two agree with the first; none when two such groups of one size contradict.

    Two agree when they differ by no more than `tolerance_s` and how far each may be off.
    """
    groups = [[other for other in told if _agree(one, other, tolerance_s)] for one in told]
    best = max(groups, key=len, default=[])
    for group in groups:
        if len(group) == len(best) and not any(one in best for one in group):
            return []
    return best


def _agree(one: Told, other: Told, tolerance_s: float) -> bool:
    return abs(one.tai_ns - other.at(one.raw_ns)) <= (tolerance_s + one.u_s + other.u_s) * 1e9


def _source(name: str, config: Config, state: Path) -> Source:
    if name == "realtime":
        return Source(name, _realtime)
    if name == "rtc":
        return Source(name, _rtc)
    if name == "simulated":
        return Source(name, lambda _leaps: _simulated(config, state))
    if name.startswith("nts:"):
        return Source(name, lambda leaps: _nts(name, config, leaps))
    return Source(name, lambda leaps: _ntp(name, leaps))


def _realtime(leaps: LeapTable) -> Told:
    raw_ns, tai_ns = realtime_tai_ns(leaps)
    return Told("realtime", raw_ns, tai_ns, 0.0)


def _rtc(leaps: LeapTable) -> Told:
    """The battery clock, to a second (Linux, `since_epoch` of the RTC class: whole seconds of UTC)."""
    try:
        seconds = int(RTC_FILE.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise SourceSilent(str(error)) from error
    return Told("rtc", hostclocks.raw_ns(), tai_of_utc(seconds * 10**9 + 500_000_000, leaps), 0.6)


def _simulated(config: Config, state: Path) -> Told:
    from timeball.station.instruments.simulated import read_anchor

    anchor = read_anchor(state) if config.simulated else None
    if anchor is None or anchor.boot_id != hostclocks.boot_name():
        raise SourceSilent("the simulated laboratory has not been begun in this boot")
    return _carried("simulated", anchor.raw_ns, anchor.tai_ns)


def _carried(name: str, raw_ns: int, tai_ns: int) -> Told:
    now = hostclocks.raw_ns()
    return Told(name, now, tai_ns + now - raw_ns, (now - raw_ns) / 1e9 * RAW_DRIFT)


def _ntp(name: str, leaps: LeapTable) -> Told:
    try:
        answer = ask_server(name.removeprefix("ntp:"), leaps)
    except (OSError, NTPError, socket.gaierror) as error:
        raise SourceSilent(str(error)) from error
    return Told(name, answer.raw_ns, answer.tai_ns, answer.delay_s / 2 + answer.root_distance_s + WIDE_S)


def _nts(name: str, config: Config, leaps: LeapTable) -> Told:
    """As `_ntp`, over NTS; authorities as the source of the ensemble at the same address has them, else the system's.

    A certificate is judged by the host's own calendar: a host that is years off learns that here, and nothing else.
    """
    from timeball.station.instruments.ntskeys import ask_server_nts

    address = name.removeprefix("nts:")
    ca = next((i.ca for i in config.instrument if isinstance(i, NTPInstrument) and i.nts and i.server == address), "")
    try:
        answer = ask_server_nts(address, ca, leaps)
    except (OSError, NTPError) as error:
        raise SourceSilent(str(error)) from error
    return Told(name, answer.raw_ns, answer.tai_ns, answer.delay_s / 2 + answer.root_distance_s + WIDE_S)


def _said(told: Sequence[Told], silent: Sequence[str], leaps: LeapTable) -> str:
    return "; ".join([*(f"{one.source} says {_utc(one.tai_ns, leaps)}" for one in told), *silent])


def _utc(tai_ns: int, leaps: LeapTable) -> str:
    try:
        return format_utc(Instant.from_ns(tai_ns), leaps, digits=3)
    except (ValueError, OverflowError):
        return f"TAI {tai_ns} ns"
