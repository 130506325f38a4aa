"""Fuzz target: any bytes as a sample, a reply of chronyd, each of its reports, and a line of chronyc."""

from __future__ import annotations

from contextlib import suppress

from timeball.protocols.chrony import more, reports
from timeball.protocols.chrony.candm import Command, Reply, parse_reply, refid_words
from timeball.protocols.chrony.errors import ChronyError, SampleError
from timeball.protocols.chrony.judging import DEFAULT_LIMITS, judge
from timeball.protocols.chrony.printed import COLUMNS, parse_csv
from timeball.protocols.chrony.sock import build_sample, parse_sample

PARSERS = (
    reports.parse_source_count,
    reports.parse_source,
    reports.parse_tracking,
    reports.parse_source_stats,
    reports.parse_activity,
    more.parse_ntp_data,
    more.parse_auth_data,
    more.parse_server_stats,
)
LAYOUTS = (2, 3, 5, 6, 12, 16, 20, 22, 24, 25, 26)


def target(data: bytes) -> None:
    """Only ChronyError may escape; a sample that is taken is written back as it was."""
    try:
        sample = parse_sample(data)
        assert build_sample(sample)[:16] == data[:16]
    except SampleError:
        pass
    with suppress(ChronyError):
        parse_reply(data, Command.TRACKING, int.from_bytes(data[16:20]))
    for parse in PARSERS:
        for layout in LAYOUTS:
            try:
                parse(Reply(layout, data))
            except ChronyError:
                continue
    judged(data)
    assert refid_words(int.from_bytes(data[:4].ljust(4, b"\0"))).isprintable()
    for report in COLUMNS:
        try:
            parse_csv(report, data.decode("utf-8", "replace"))
        except ChronyError:
            continue


def judged(data: bytes) -> None:
    """A verdict about whatever passes for the two reports."""
    try:
        tracking, source = reports.parse_tracking(Reply(5, data)), reports.parse_source(Reply(3, data))
    except ChronyError:
        return
    verdict = judge(tracking, [source], 0, DEFAULT_LIMITS)
    assert len(verdict.findings) == len(DEFAULT_LIMITS)
