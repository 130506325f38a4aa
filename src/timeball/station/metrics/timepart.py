"""Metrics of time as it is served: sync and the reason against it, bound, leases, leap seconds, the host's clock.

The names `ntp_system_*` and `ntp_uptime_seconds` are those of ntpd-rs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from timeball import __version__
from timeball.protocols.ntp.packet import LEAP_UNSYNCHRONISED, leap_indicator
from timeball.station.metrics.metric import Sample, gauge
from timeball.station.page import pagelayout
from timeball.station.reporting.view import View

LAMPS = ("green", "yellow", "red", "grey")

UPTIME = gauge("ntp_uptime_seconds", "Time that the NTP server has run", "version")
NTP_LEAP = gauge("ntp_system_leap_indicator", "Leap indicator of NTP: 0, 1 inserted, 2 deleted, 3 unsynchronised")
NTP_DELAY = gauge("ntp_system_root_delay_seconds", "Delay to the primary source as NTP says it")
NTP_DISPERSION = gauge("ntp_system_root_dispersion_seconds", "Bound of the error as NTP says it")
NTP_STRATUM = gauge("ntp_system_stratum", "Stratum as NTP says it; 0 while time is withdrawn")
INFO = gauge("timeball_info", "Always 1; version, name of the station and origin of its ledger", "version", "station",
             "origin")  # fmt: skip
SIMULATED = gauge("timeball_simulated", "1 when a simulated laboratory stands behind it and nothing is traceable")
IN_SYNC = gauge("timeball_in_sync", "1 while both leases run and the servers claim sync")
STATUS = gauge("timeball_sync_status", "1 for the state that holds: in sync, or the first reason against it", "status")
LAMP = gauge("timeball_lamp", "1 for the lamp that burns: green, yellow, red or grey", "lamp")
ALARMS = gauge("timeball_alarms", "Alarms that timeball status shows")
SERVED = gauge("timeball_served_time_seconds", "UTC as served, Unix seconds; good to a microsecond or so")
BOUND = gauge("timeball_bound_seconds", "Greatest error of served time against UTC, all margins included")
BOUND_LIMIT = gauge("timeball_bound_limit_seconds", "Bound beyond which the lease is not renewed (lease.max_bound_s)")
LEASE_LEFT = gauge("timeball_lease_remaining_seconds", "Time left of a lease; 0 when it has ended", "lease")
PAGE_AGE = gauge("timeball_page_age_seconds", "Age of the reference on the timekeeper's half of the clock page")
TAI_MINUS_UTC = gauge("timeball_tai_minus_utc_seconds", "TAI - UTC as served")
LEAP_LEFT = gauge("timeball_leap_second_remaining_seconds", "Time to the next leap second; absent when none is known",
                  "sign")  # fmt: skip
SMEAR = gauge("timeball_smear_offset_seconds", "Smeared time minus UTC; absent where nothing is smeared")
HOST_OFFSET = gauge("timeball_host_clock_offset_seconds", "CLOCK_REALTIME of the host minus UTC as served")

METRICS = (
    UPTIME, NTP_LEAP, NTP_DELAY, NTP_DISPERSION, NTP_STRATUM, INFO, SIMULATED, IN_SYNC, STATUS, LAMP, ALARMS, SERVED,
    BOUND, BOUND_LIMIT, LEASE_LEFT, PAGE_AGE, TAI_MINUS_UTC, LEAP_LEFT, SMEAR, HOST_OFFSET,
)  # fmt: skip


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part."""
    station = view.status["station"]
    if view.server is not None:
        up_s = (view.boottime_ns - view.server.started_boottime_ns) / 1e9
        yield from UPTIME.at(up_s, __version__)
    yield from INFO.at(1, __version__, station["name"], view.status["ledger"]["origin"])
    yield from SIMULATED.at(station["simulated"])
    yield from IN_SYNC.at(view.now.in_sync)
    yield from STATUS.states(pagelayout.STATUS_WORDS, pagelayout.STATUS_WORDS[view.code])
    yield from LAMP.states(LAMPS, station["lamp"])
    yield from ALARMS.at(len(view.status["alarms"]))
    yield from BOUND_LIMIT.at(view.config.lease.max_bound_s)
    for name, lease in view.status["leases"].items():
        yield from LEASE_LEFT.at(lease["remaining_s"], name)
    yield from _system(view)
    yield from _page(view)


def _system(view: View) -> Iterator[Sample]:
    """What a client of NTP is told."""
    page, sync = view.timekeeper, view.now.in_sync
    yield from NTP_STRATUM.at(page.stratum if page is not None and sync else 0)
    yield from NTP_LEAP.at(_leap(view))
    if page is not None and sync:
        yield from NTP_DELAY.at(page.root_delay_s)
        yield from NTP_DISPERSION.at(view.now.bound_s)


def _leap(view: View) -> int:
    """0..3 as a reply of this moment carries it, on an address that is not smeared."""
    page = view.timekeeper
    if page is None or not view.now.in_sync:
        return LEAP_UNSYNCHRONISED
    return leap_indicator(view.now.tai_ns, page.leap_tai_ns, page.leap_sign)


def _page(view: View) -> Iterator[Sample]:
    """What the clock page says, in sync or not."""
    page, now = view.timekeeper, view.now
    if page is None:
        return
    utc_ns = now.tai_ns - now.tai_minus_utc_s * 10**9
    yield from SERVED.at(utc_ns / 1e9)
    yield from BOUND.at(now.bound_s if math.isfinite(now.bound_s) else None)
    yield from PAGE_AGE.at((view.raw_ns - page.raw_ns) / 1e9)
    yield from TAI_MINUS_UTC.at(now.tai_minus_utc_s)
    yield from HOST_OFFSET.at((view.pair.realtime_ns - utc_ns) / 1e9)
    yield from SMEAR.at(view.status["ntp"]["smear"]["offset_s"])
    if page.leap_tai_ns > now.tai_ns:
        yield from LEAP_LEFT.at((page.leap_tai_ns - now.tai_ns) / 1e9, f"{page.leap_sign:+d}")
