"""The logs of chronyd: tracking.log, statistics.log, measurements.log (raw or not) and refclocks.log.

Sign: chronyd writes "positive: the local clock is slow" in measurements and refclocks, "positive: it is fast" in
statistics and tracking (chrony.conf(5), directive log); a reading is x_local − x_source, so the former are turned.

A line that chronyd did not use is told: a packet that failed its tests, a tracking line while not synchronised. The
filtered samples of refclocks.log are in the table; a reading is made from the raw ones. What it does not do: read the
other logs (rtc, tempcomp, selection), which compare no clocks.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Parsed, whole_file_error
from timeball.formats.logs import Fields, LogLayout, LogTable, parsed_log, read_log
from timeball.instants import LeapTable, parse_utc

_BANNERS = {  # what stands in a log's banner and in no other's
    "chrony-measurements": b"Peer del. Peer disp.",
    "chrony-statistics": b"Std dev'n Est offset",
    "chrony-tracking": b"Freq ppm   Skew ppm",
    "chrony-refclocks": b"DP L P  Raw offset",
}
_STAMP = rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_REAL = rb"-?\d\.\d+e[+-]\d\d"
_LINES = {  # a line of each, for a log whose banner was cut off
    "chrony-measurements": re.compile(_STAMP + rb" \S+ +[N+?-] +\d+ +[01]{3} [01]{3} [01]{4} ", re.M),
    "chrony-statistics": re.compile(_STAMP + rb" \S+(?: +" + _REAL + rb"){6}(?: +\d+){3} ", re.M),
    "chrony-tracking": re.compile(_STAMP + rb" \S+ +\d+ +-?\d+\.\d{3} +\d+\.\d{3} +" + _REAL + rb" [N+?-] ", re.M),
    "chrony-refclocks": re.compile(_STAMP + rb"\.\d{6} \S+ +(?:\d+|-) [N+?-] (?:[01]|-) ", re.M),
}


def chrony_kind(head: bytes) -> str | None:
    """Tell from its beginning which log of chronyd a file is, by its banner or its first lines; None: none of them."""
    for marks in (_BANNERS, _LINES):
        for kind, mark in marks.items():
            if (mark in head) if isinstance(mark, bytes) else mark.search(head[: 1 << 12]):
                return kind
    return None


def read_chrony(data: bytes, name: str, leaps: LeapTable | None, kind: str | None = None) -> LogTable:
    """Read one of the logs, of the kind that it says it is unless told. Raises ``FormatError`` (file, reason)."""
    found = kind or chrony_kind(plain_bytes(data, name)[0][: 1 << 15])
    if found not in CHRONY_LOGS:
        raise whole_file_error(name, data[:40], "no log of chronyd")
    table = read_log(data, name, leaps, CHRONY_LOGS[found])
    return _without_filtered(table) if found == "chrony-refclocks" else table


def parse_chrony(data: bytes, name: str, leaps: LeapTable | None, kind: str | None = None) -> Parsed:
    """Read one of the logs as readings x_local − x_source, with a standard uncertainty where the log has one."""
    return parsed_log(read_chrony(data, name, leaps, kind))


def _without_filtered(table: LogTable) -> LogTable:
    """Make readings from the raw samples alone, when there are any: the filtered ones are made of them."""
    raw = np.array([poll != "-" for poll in table.texts["poll"]], dtype=np.bool_)
    return replace(table, used=table.used & raw) if raw.any() else table


def _epoch(fields: Fields, leaps: LeapTable) -> int:
    return parse_utc(f"{fields[0]}T{fields[1]}Z", leaps).ns


def _is_banner(line: str) -> bool:
    return line.startswith("=") or "Date (UTC) Time" in line


def _failed_tests(fields: Fields) -> tuple[str, str] | None:
    tests = " ".join(fields[5:8])
    return ("tests", f"chronyd refused this packet (tests {tests})") if "0" in tests else None


def _not_synchronised(fields: Fields) -> tuple[str, str] | None:
    return ("leap", "chronyd was not synchronised") if fields[7] == "?" else None


def _refclock_not_synchronised(fields: Fields) -> tuple[str, str] | None:
    return ("leap", "the reference clock was not synchronised") if fields[4] == "?" else None


CHRONY_LOGS = {
    "chrony-measurements": LogLayout(
        kind="chrony-measurements",
        title="chronyd's measurements",
        fields=(17, 21),
        numbers={
            "stratum": 4,
            "local_poll_log2_s": 8,
            "remote_poll_log2_s": 9,
            "score": 10,
            "offset_s": 11,
            "peer_delay_s": 12,
            "peer_dispersion_s": 13,
            "root_delay_s": 14,
            "root_dispersion_s": 15,
        },
        texts={"leap": 3, "tests_123": 5, "tests_567": 6, "tests_abcd": 7, "refid": 16},
        epoch=_epoch,
        offset="offset_s",
        sign=-1,
        source=2,
        refused=_failed_tests,
        skip=_is_banner,
    ),
    "chrony-statistics": LogLayout(
        kind="chrony-statistics",
        title="chronyd's statistics",
        fields=(12, 13),
        numbers={
            "deviation_s": 3,
            "offset_s": 4,
            "offset_u_s": 5,
            "rate": 6,
            "rate_u": 7,
            "stress": 8,
            "samples": 9,
            "first_sample": 10,
            "runs": 11,
            "asymmetry": 12,
        },
        texts={},
        epoch=_epoch,
        offset="offset_s",
        sign=1,
        source=2,
        u="offset_u_s",
        skip=_is_banner,
    ),
    "chrony-tracking": LogLayout(
        kind="chrony-tracking",
        title="chronyd's tracking",
        fields=(10, 14),
        numbers={
            "stratum": 3,
            "frequency_ppm": 4,
            "skew_ppm": 5,
            "offset_s": 6,
            "sources": 8,
            "offset_u_s": 9,
            "remaining_s": 10,
            "root_delay_s": 11,
            "root_dispersion_s": 12,
            "largest_error_s": 13,
        },
        texts={"source": 2, "leap": 7},
        epoch=_epoch,
        offset="offset_s",
        sign=1,
        source="UTC(chronyd)",
        u="offset_u_s",
        refused=_not_synchronised,
        skip=_is_banner,
    ),
    "chrony-refclocks": LogLayout(
        kind="chrony-refclocks",
        title="chronyd's reference clocks",
        fields=(9, 9),
        numbers={"raw_offset_s": 6, "offset_s": 7, "dispersion_s": 8},
        texts={"poll": 3, "leap": 4, "pps": 5},
        epoch=_epoch,
        offset="offset_s",
        sign=-1,
        source=2,
        u="dispersion_s",
        refused=_refclock_not_synchronised,
        skip=_is_banner,
    ),
}
