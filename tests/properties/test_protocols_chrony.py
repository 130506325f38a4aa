"""chronyd's datagrams and replies, for any bytes: only their own errors escape, and what is written reads back."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timeball.protocols.chrony import more, reports
from timeball.protocols.chrony.candm import (
    PADDED_BYTES,
    REPLY_HEAD,
    Command,
    Fields,
    Reply,
    build_request,
    parse_reply,
    refid_words,
)
from timeball.protocols.chrony.errors import ChronyError, LayoutError, RefusedError, ReplyError, SampleError
from timeball.protocols.chrony.printed import COLUMNS, parse_csv
from timeball.protocols.chrony.sock import SAMPLE_BYTES, Sample, build_sample, parse_sample

PARSERS: dict[int, Callable[[Reply], Any]] = {
    2: reports.parse_source_count,
    3: reports.parse_source,
    5: reports.parse_tracking,
    6: reports.parse_source_stats,
    12: reports.parse_activity,
    16: more.parse_ntp_data,
    20: more.parse_auth_data,
    24: more.parse_server_stats,
    25: more.parse_server_stats,
    26: more.parse_ntp_data,
}
LENGTHS = {2: 4, 3: 48, 5: 76, 6: 56, 12: 20, 16: 112, 20: 22, 24: 44, 25: 136, 26: 112}
"""What each report needs at least, as candm.h lays it out."""


def head(command: int, layout: int, status: int, sequence: int) -> bytes:
    return REPLY_HEAD.pack(6, 2, command, layout, status, sequence)


@given(
    st.integers(0, 2**62),
    st.floats(-1e9, 1e9),
    st.sampled_from((-1, 0, 1)),
    st.booleans(),
)
def test_a_sample_reads_back(system_ns: int, offset_s: float, leap_sign: int, pulse: bool) -> None:
    data = build_sample(Sample(system_ns, offset_s, leap_sign, pulse))
    assert len(data) == SAMPLE_BYTES == 40
    assert parse_sample(data) == Sample(system_ns // 1000 * 1000, offset_s, leap_sign, pulse)


@given(st.binary(max_size=48) | st.binary(min_size=40, max_size=40))
@example(build_sample(Sample(0, 0.0))[:-4] + b"SOCK")  # the magic in the other byte order
def test_any_bytes_as_a_sample(data: bytes) -> None:
    try:
        sample = parse_sample(data)
    except SampleError:
        return
    assert build_sample(sample)[:16] == data[:16]


@pytest.mark.parametrize("offset_s", [float("nan"), float("inf"), 1e10])
def test_an_offset_that_none_can_have_is_not_sent(offset_s: float) -> None:
    with pytest.raises(SampleError):
        build_sample(Sample(0, offset_s))


def test_a_leap_of_two_seconds_is_not_sent() -> None:
    with pytest.raises(SampleError, match="neither"):
        build_sample(Sample(0, 0.0, 2))


@given(st.sampled_from(Command), st.integers(0, 2**32 - 1), st.binary(max_size=64))
def test_no_request_is_shorter_than_its_reply(command: Command, sequence: int, body: bytes) -> None:
    request = build_request(command, sequence, body)
    assert len(request) == PADDED_BYTES >= REPLY_HEAD.size + max(LENGTHS.values())
    assert struct.unpack_from("!BBxxHHI", request) == (6, 1, command, 0, sequence)
    assert request[20 : 20 + len(body)] == body


@given(st.binary(max_size=300), st.sampled_from(Command), st.integers(0, 2**32 - 1))
def test_any_bytes_as_a_reply(data: bytes, command: Command, sequence: int) -> None:
    with pytest.raises(ReplyError):
        parse_reply(data, command, sequence)


GOOD = head(Command.TRACKING, 5, 0, 7) + bytes(76)


@pytest.mark.parametrize(
    "data",
    [
        GOOD[:27],
        b"\x05" + GOOD[1:],
        GOOD[:1] + b"\x01" + GOOD[2:],
        GOOD[:4] + b"\x00\x0e" + GOOD[6:],
        GOOD + bytes(2000),
    ],
    ids=["too short", "another version", "a request", "another command", "too long"],
)
def test_a_reply_to_nothing_that_was_asked(data: bytes) -> None:
    parse_reply(GOOD, Command.TRACKING, 7)
    with pytest.raises(ReplyError):
        parse_reply(data, Command.TRACKING, 7)
    with pytest.raises(ReplyError, match="another request"):
        parse_reply(GOOD, Command.TRACKING, 8)


@given(st.sampled_from(sorted(PARSERS)), st.binary(max_size=200))
def test_any_bytes_as_a_report(layout: int, body: bytes) -> None:
    reply = parse_reply(head(Command.TRACKING, layout, 0, 7) + body, Command.TRACKING, 7)
    try:
        PARSERS[layout](reply)
    except LayoutError:
        assert len(body) < LENGTHS[layout] or layout == 2
    else:
        assert len(body) >= LENGTHS[layout]


@given(st.sampled_from(sorted(PARSERS)), st.binary(min_size=200, max_size=200), st.binary(max_size=50))
def test_what_a_later_version_adds_is_left(layout: int, body: bytes, added: bytes) -> None:
    if layout == 2:
        body = bytes(4)
    assert PARSERS[layout](Reply(layout, body)) == PARSERS[layout](Reply(layout, body + added))


@given(st.integers(1, 65535))
def test_a_refusal_says_its_status(status: int) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_reply(head(Command.TRACKING, 1, status, 7), Command.TRACKING, 7)
    assert caught.value.status == status


@given(st.binary(min_size=4, max_size=4))
def test_numbers_are_finite(word: bytes) -> None:
    assert abs(Fields(word).number()) <= 2.0**62


@given(st.integers(0, 2**32 - 1))
def test_a_reference_id_has_no_control_characters(refid: int) -> None:
    assert refid_words(refid).isprintable()


@given(st.sampled_from(sorted(COLUMNS)), st.text(max_size=200))
@example("serverstats", "1," * 120)
@example("authdata", "a,b,c,d,e,f,nan,inf,1e999,0x10,11,12")
def test_any_text_as_rows(report: str, text: str) -> None:
    try:
        rows = parse_csv(report, text)
    except ChronyError:
        return
    assert len(rows) == len(text.splitlines())


def test_columns_that_a_later_version_adds_are_kept() -> None:
    (row,) = parse_csv("authdata", "localhost,NTS,1,15,256,11,0,0,8,100,77")
    assert (row["cookie_bytes"], row["column_11"]) == (100, 77)
