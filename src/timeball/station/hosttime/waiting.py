"""Waiting for a reading of CLOCK_MONOTONIC_RAW: nothing on the host can shorten or lengthen it."""

from __future__ import annotations

import time

from timeball.station.hosttime import hostclocks


def wait_until_raw(raw_ns: int) -> None:
    """Sleep until RAW reaches `raw_ns`; returns at once when it has. A signal does not end it early."""
    while (left_ns := raw_ns - hostclocks.raw_ns()) > 0:
        time.sleep(left_ns / 1e9)
