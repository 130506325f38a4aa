"""From the latest readings of the host's counter to the clock page: when it is, how well we know, and for how long.

The output signal is what was captured; UTC(k) is what is served: served = output − residual. Pure: the caller reads the
counters, writes the page and renews the lease; a reason against the lease comes back as a sentence.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from timeball.instants import LeapTable
from timeball.integrity.bound import Bound, served_bound
from timeball.integrity.host_counter import CounterLine, CounterUnknown, fit_counter
from timeball.integrity.output import judge_residual
from timeball.station.configuration.settings import REPLAYED, Config
from timeball.station.fold.batches import FEMTOSECOND, Batch
from timeball.station.fold.timekeeping import Timekeeping
from timeball.station.hosttime.hostclocks import slept
from timeball.station.page.clockpage import TimekeeperPage

HOST_WINDOW_S = 120.0
HOST_MAX_AGE_S = 45.0
LEAST_HOST_NOISE_S = 1e-9
OUTPUT_WANDER = 1e-12
LONGEST_SMEAR_NS = 86_400 * 10**9
LOCAL_CLOCK = 0x7F7F0101
"""Refid 127.127.1.1: a local clock, because nothing traceable stands behind a simulated laboratory."""


@dataclass
class HostCounter:
    """The readings of one boot that the counter's line is fitted to, newest last.

    `boottime_minus_raw_ns`: as the collector read it with the newest; what the host sleeps later is seen against it.
    """

    boot_id: str = ""
    anchor_ns: int = 0
    boottime_minus_raw_ns: int = 0
    samples: deque[tuple[int, float]] = field(default_factory=deque)

    def take(self, batch: Batch) -> None:
        """A recorded batch of kind `host`; another boot, another anchor or a suspension starts anew.

        One that does not say BOOTTIME − RAW cannot be placed before or after a suspension, and is passed over.
        """
        if batch.boottime_minus_raw_ns is None or not batch.epochs:
            return
        ahead_ns = int(batch.boottime_minus_raw_ns)
        if (batch.boot_id, int(batch.anchor_ns)) != (self.boot_id, self.anchor_ns):
            self.boot_id, self.anchor_ns = batch.boot_id, int(batch.anchor_ns)
            self.forget()
        elif self.samples and slept(ahead_ns - self.boottime_minus_raw_ns, int(batch.epochs[-1]) - self.samples[-1][0]):
            self.forget()
        self.boottime_minus_raw_ns = ahead_ns
        for epoch, row in zip(batch.epochs, batch.x_fs, strict=True):
            x_fs = row[0] if row else None
            if x_fs is not None and (not self.samples or int(epoch) > self.samples[-1][0]):
                self.samples.append((int(epoch), int(x_fs) / FEMTOSECOND))
        while self.samples and self.samples[-1][0] - self.samples[0][0] > HOST_WINDOW_S * 1e9:
            self.samples.popleft()

    def forget(self) -> None:
        """The counter stood still, or was replaced: nothing read before counts."""
        self.samples.clear()

    def line(self) -> CounterLine:
        """The counter's line at its newest reading; raises `CounterUnknown`."""
        if not self.samples:
            raise CounterUnknown("the host's counter has not been read against the output")
        epochs = np.array([epoch for epoch, _ in self.samples], np.int64)
        return fit_counter(epochs, np.array([x for _, x in self.samples]), self.anchor_ns, LEAST_HOST_NOISE_S)


@dataclass(frozen=True, slots=True)
class Moment:
    """The two counters read together, and this boot."""

    raw_ns: int
    boottime_ns: int
    boot_id: tuple[int, int]
    boot_name: str

    def slept_since(self, before: Moment) -> bool:
        """Whether the host was suspended in between: BOOTTIME went on and RAW, which the page counts by, did not."""
        elapsed_ns = self.raw_ns - before.raw_ns
        return slept(self.boottime_ns - before.boottime_ns - elapsed_ns, elapsed_ns)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the timekeeper can say now: the page without a lease, and why there should be none (empty: there should)."""

    page: TimekeeperPage
    bound: Bound
    residual_s: float
    utck_minus_utc_s: float
    u_utc_s: float
    against: str


def make_statement(
    keeper: Timekeeping, residual_s: float, counter: HostCounter, now: Moment, config: Config, leaps: LeapTable
) -> Statement:
    """Put the page together; raises `CounterUnknown` when there is no line for this boot.

    residual_s: output − UTC(k) at the newest scale epoch (s), NaN when the output was not read.
    """
    if config.replayed:
        raise CounterUnknown(REPLAYED)
    line = counter.line()
    if counter.boot_id != now.boot_name:
        raise CounterUnknown("the host's counter has not been read since this boot")
    at = keeper.epoch if keeper.epoch is not None else line.tai_ns
    x_s, _, u_s = keeper.utck_minus_utc(at)
    bound = served_bound(
        utck_minus_utc_s=x_s,
        u_utc_s=u_s,
        residual_s=residual_s,
        u_host_s=line.u_s,
        u_host_rate=line.u_rate,
        wander=OUTPUT_WANDER,
    )
    boottime_ns = line.raw_ns + counter.boottime_minus_raw_ns
    page = _page(line, boottime_ns, 0.0 if math.isnan(residual_s) else residual_s, bound, now, config, leaps)
    against = _reason_against(keeper, residual_s, bound, line, page, now, config)
    return Statement(page, bound, residual_s, x_s, u_s, against)


def _page(
    line: CounterLine,
    boottime_ns: int,
    residual_s: float,
    bound: Bound,
    now: Moment,
    config: Config,
    leaps: LeapTable,
) -> TimekeeperPage:
    total_fs = line.tai_frac_fs - round(residual_s * 1e15)
    carry_ns, frac_fs = divmod(total_fs, 1_000_000)
    tai_ns = line.tai_ns + carry_ns
    # the last leap second stands for as long as an address may still be smearing it
    leap = leaps.next_leap(tai_ns - LONGEST_SMEAR_NS // 2)
    passed_s = leap.step_s if leap is not None and leap.tai_ns <= tai_ns else 0
    return TimekeeperPage(
        boot_id=now.boot_id,
        raw_ns=line.raw_ns,
        boottime_ns=boottime_ns,
        tai_ns=tai_ns,
        tai_frac_fs=frac_fs,
        rate=line.rate,
        bound_s=bound.at_reference_s,
        bound_growth=bound.growth,
        wander_s=0.0,
        root_delay_s=0.0,
        tai_minus_utc_s=leaps.tai_minus_utc(tai_ns) - passed_s,
        leap_tai_ns=leap.tai_ns if leap is not None else 0,
        leap_sign=leap.step_s if leap is not None else 0,
        stratum=10 if config.simulated else 1,
        refid=LOCAL_CLOCK if config.simulated else refid_of(config.station.name),
        simulated=int(config.simulated),
        lease_raw_ns=0,
        lease_boottime_ns=0,
    )


def refid_of(name: str) -> int:
    """The first four letters of a primary source's name as a reference id (RFC 5905 section 7.3)."""
    return int.from_bytes(name.encode()[:4].ljust(4, b"\0"))


def _reason_against(
    keeper: Timekeeping,
    residual_s: float,
    bound: Bound,
    line: CounterLine,
    page: TimekeeperPage,
    now: Moment,
    config: Config,
) -> str:
    """Why scale, ledger and output do not agree; empty when they do."""
    age_s = (now.raw_ns - line.raw_ns) / 1e9
    reach_s = bound.at_reference_s + bound.growth * age_s
    if why := _against_scale(keeper.epoch, page.tai_ns + now.raw_ns - page.raw_ns, config):
        return why
    if math.isnan(residual_s):
        return "the output was not read at the newest scale epoch"
    if finding := judge_residual(residual_s, config.output.residual_limit_s):
        return finding
    if age_s > HOST_MAX_AGE_S:
        return f"the host's counter was last read {age_s:.0f} s ago"
    if math.isinf(reach_s):
        return "UTC(k) has been compared with UTC fewer than 24 times: the bound is unknown"
    if reach_s > config.lease.max_bound_s:
        return f"the bound is {reach_s:.2e} s, more than {config.lease.max_bound_s:.2e} s"
    return ""


def _against_scale(epoch: int | None, now_ns: int, config: Config) -> str:
    """Why the newest scale epoch (TAI ns) is no ground for time served at `now_ns`; empty when it is."""
    if epoch is None:
        return "there is no scale yet"
    age_s = (now_ns - epoch) / 1e9
    if age_s > config.lease.scale_max_age_s:
        return f"the newest scale epoch is {age_s:.0f} s old"
    if age_s < -config.ensemble.interval_s:
        return f"the newest scale epoch lies {-age_s:.0f} s ahead of the host's counter"
    return ""
