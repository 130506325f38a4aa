"""The timekeeper's half of a clock page as any station of stratum 1 writes it; a test changes what it is about."""

from __future__ import annotations

from timeball.station.page.clockpage import TimekeeperPage

PAGE = TimekeeperPage(
    boot_id=(1, 2),
    raw_ns=0,
    boottime_ns=0,
    tai_ns=0,
    tai_frac_fs=0,
    rate=0.0,
    bound_s=1e-6,
    bound_growth=0.0,
    wander_s=0.0,
    root_delay_s=0.0,
    tai_minus_utc_s=37,
    leap_tai_ns=0,
    leap_sign=0,
    stratum=1,
    refid=0x47505300,
    simulated=0,
    lease_raw_ns=0,
    lease_boottime_ns=0,
)
"""Without a lease; all of its counters at 0."""
