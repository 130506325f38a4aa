"""The statistics files of ntpd (and NTPsec): loopstats, peerstats and rawstats.

Sign: ntpd's offset is θ of RFC 5905, the other clock minus the local one; a reading is x_local − x_source, its
negative. In rawstats it is computed from the four stamps of the packet, ((T2 − T1) + (T3 − T4)) / 2, in integers.

The first two fields are MJD and second of the day in UTC. These files have no heading: they are known by the form of
their fields. What it does not do: read clockstats, cryptostats or sysstats, which hold no comparisons of clocks.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import numpy as np

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Parsed, whole_file_error
from timeball.formats.logs import Fields, LogLayout, LogTable, parsed_log, read_log
from timeball.instants import DAY_S, MJD_OF_1970, LeapTable, from_utc_parts

ERA_NS = (1 << 32) * 10**9  # the seconds of NTP stamps begin anew after 2³² of them
_START = rb"\d{5} \d{1,5}\.\d+ "
_ADDRESS = rb"(?=\S*[.:()])[^\s,;]+"
_KINDS = {
    "ntpd-rawstats": re.compile(_START + _ADDRESS + rb" " + _ADDRESS + rb"(?: \d{1,10}\.\d{6,10}){4}(?: [^\n]*)?"),
    "ntpd-peerstats": re.compile(_START + _ADDRESS + rb" [0-9a-fA-F]{1,4}(?: -?\d+\.\d+){3,4}\r?"),
    "ntpd-loopstats": re.compile(_START + rb"-?\d+\.\d{9} -?\d+\.\d{3,6} \d+\.\d{9} \d+\.\d{6} \d{1,2}\r?"),
}
_MJD = re.compile(r"\d{5}")
_SECOND = re.compile(r"\d{1,5}(?:\.\d{1,9})?")
_STAMP = re.compile(r"\d{1,10}\.\d{1,10}")


def ntpd_kind(head: bytes) -> str | None:
    """Tell from its first whole lines which of the files it is; None when they are not all of one kind."""
    lines = [line for line in head.split(b"\n")[:-1] or [head] if line.strip()][:20]
    for kind, form in _KINDS.items():
        if lines and sum(form.fullmatch(line) is not None for line in lines) * 2 > len(lines):
            return kind
    return None


def read_ntpd(data: bytes, name: str, leaps: LeapTable | None, kind: str | None = None) -> LogTable:
    """Read one of the files, of the kind that it looks like unless told. Raises ``FormatError`` (file, reason)."""
    found = kind or ntpd_kind(plain_bytes(data, name)[0][: 1 << 15])
    if found not in NTPD_FILES:
        raise whole_file_error(name, data[:40], "no statistics file of ntpd")
    table = read_log(data, name, leaps, NTPD_FILES[found])
    return _with_offsets(table) if found == "ntpd-rawstats" else table


def parse_ntpd(data: bytes, name: str, leaps: LeapTable | None, kind: str | None = None) -> Parsed:
    """Read one of the files as readings x_local − x_source; a loop's source is called UTC(ntpd)."""
    return parsed_log(read_ntpd(data, name, leaps, kind))


def _with_offsets(table: LogTable) -> LogTable:
    """Put offset and delay of the four stamps in place of what stood for them."""
    t1, t2, t3, t4 = ([_stamp_ns(text) for text in table.texts[name]] for name in ("t1", "t2", "t3", "t4"))
    out, back = (
        [_between(later - earlier) for earlier, later in zip(one, other, strict=True)]
        for one, other in ((t1, t2), (t4, t3))
    )
    offset_s = np.array([float(Decimal(a + b) / 2 / 10**9) for a, b in zip(out, back, strict=True)], dtype=np.float64)
    delay_s = np.array([float(Decimal(a - b) / 10**9) for a, b in zip(out, back, strict=True)], dtype=np.float64)
    return replace(table, numbers={**table.numbers, "offset_s": offset_s, "delay_s": delay_s})


def _stamp_ns(text: str) -> int:
    seconds, _, fraction = (text if _STAMP.fullmatch(text) else "0.0").partition(".")  # the line is refused elsewhere
    return int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))


def _between(difference_ns: int) -> int:
    """Give a difference of two stamps, across the turn of an era if need be."""
    return (difference_ns + ERA_NS // 2) % ERA_NS - ERA_NS // 2


def _epoch(fields: Fields, leaps: LeapTable) -> int:
    if not _MJD.fullmatch(fields[0]) or not _SECOND.fullmatch(fields[1]):
        raise ValueError("not MJD and second of the day")
    second_ns = int(Decimal(fields[1]) * 10**9)
    if not 0 <= second_ns < (DAY_S + 1) * 10**9:
        raise ValueError("no second of a day")
    # ntpd counts the seconds of the host, which has no 86 400th: it belongs to the next day
    day, second = divmod(second_ns // 10**9, DAY_S)
    return from_utc_parts(int(fields[0]) - MJD_OF_1970 + day, second, 0, leaps).ns + second_ns % 10**9


def _no_packet(fields: Fields) -> tuple[str, str] | None:
    if not all(_STAMP.fullmatch(text) for text in fields[4:8]):
        return "stamps", "not four stamps of NTP"
    return ("stamps", "a packet without an answer") if any(float(text) == 0 for text in fields[4:8]) else None


NTPD_FILES = {
    "ntpd-loopstats": LogLayout(
        kind="ntpd-loopstats",
        title="ntpd's loopstats",
        fields=(5, 7),
        numbers={"offset_s": 2, "frequency_ppm": 3, "jitter_s": 4, "wander_ppm": 5, "loop_log2_s": 6},
        texts={},
        epoch=_epoch,
        offset="offset_s",
        sign=-1,
        source="UTC(ntpd)",
    ),
    "ntpd-peerstats": LogLayout(
        kind="ntpd-peerstats",
        title="ntpd's peerstats",
        fields=(7, 8),
        numbers={"offset_s": 4, "delay_s": 5, "dispersion_s": 6, "jitter_s": 7},
        texts={"status": 3},
        epoch=_epoch,
        offset="offset_s",
        sign=-1,
        source=2,
    ),
    "ntpd-rawstats": LogLayout(
        kind="ntpd-rawstats",
        title="ntpd's rawstats",
        fields=(8, 32),
        numbers={"offset_s": 4, "delay_s": 5},
        texts={"own_address": 3, "t1": 4, "t2": 5, "t3": 6, "t4": 7},
        epoch=_epoch,
        offset="offset_s",
        sign=-1,
        source=2,
        refused=_no_packet,
    ),
}
