"""The server's loop in numpy against the compiled one and the server without sockets: equal bytes for equal stamps."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from timeball.protocols.ntp import kiss
from timeball.protocols.ntp.server import respond
from timeball.protocols.ntp.smear import smear_interval
from timeball.station.page.clockpage import TimekeeperPage
from timeball.station.page.pagefile import encode
from timeball.station.page.pagelayout import IN_SYNC, NO_TIMEKEEPER_PAGE, OBSERVER_LEASE_ENDED
from timeball.station.serving import kernels_wire
from timeball.station.serving.access import AccessTable, build_access, code_of
from timeball.station.serving.arrays_interleaved import KeptStamps, slot_of
from timeball.station.serving.arrays_screen import Screen
from timeball.station.serving.arrays_wire import (
    HEADER_WORDS,
    HeadMaker,
    receive_words,
    smear_of,
    view_of,
    write_replies,
)
from timeball.station.serving.buffers import BATCH
from timeball.station.serving.interleaved import make_tables
from timeball.station.serving.kernels_interleaved import recall, remember, unused_stamp
from timeball.station.serving.kernels_interleaved import slot_of as compiled_slot_of
from timeball.station.serving.kernels_screen import screen
from timeball.station.serving.limiter import Limiter, make_limiter, make_rules
from timeball.station.serving.settings import PRECISION, SETTINGS, SMEAR_NS, SMEAR_SHAPE, SMEARED
from timeball.station.serving.stamping import RAW_STAMP_MARGIN_S

Words = NDArray[np.int64]

S = 10**9
LEAP_NS = 1_483_228_837 * S
BEGIN, END = smear_interval(LEAP_NS, 1)
# Far from any leap, and at each edge of one and of its smear.
TAI_NS = st.one_of(
    st.integers(0, 2**62),
    st.sampled_from([LEAP_NS, LEAP_NS - S, BEGIN, END]).flatmap(lambda at: st.integers(at - 2 * S, at + 2 * S)),
    st.integers(BEGIN, END),
)
PAGES = st.builds(
    TimekeeperPage,
    boot_id=st.just((1, 2)),
    raw_ns=st.integers(0, 2**50),
    boottime_ns=st.just(0),
    tai_ns=TAI_NS,
    tai_frac_fs=st.integers(0, 999_999),
    rate=st.floats(-1e-3, 1e-3),
    bound_s=st.floats(0, 1),
    bound_growth=st.floats(0, 1e-6),
    wander_s=st.floats(0, 1e-3),
    root_delay_s=st.floats(0, 1),
    tai_minus_utc_s=st.integers(-50, 100),
    leap_tai_ns=st.sampled_from([0, LEAP_NS]),
    leap_sign=st.sampled_from([-1, 1]),
    stratum=st.integers(1, 15),
    refid=st.integers(0, 2**32 - 1),
    simulated=st.just(0),
    lease_raw_ns=st.just(0),
    lease_boottime_ns=st.just(0),
)
STATUS = st.sampled_from([IN_SYNC, OBSERVER_LEASE_ENDED, NO_TIMEKEEPER_PAGE])
REQUEST = st.builds(lambda v, rest: bytes([v << 3 | 3]) + rest, st.integers(1, 4), st.binary(min_size=47, max_size=47))
ARRIVALS = st.lists(st.tuples(REQUEST, st.integers(0, S), st.booleans()), min_size=1, max_size=5)


def loop_settings(*, smeared: bool, shape: int, smear_s: int, precision: int) -> Words:
    made = np.zeros(SETTINGS, np.int64)
    made[SMEARED], made[SMEAR_SHAPE], made[SMEAR_NS], made[PRECISION] = smeared, shape, smear_s * S, precision
    return made


LOOPS = st.builds(
    loop_settings,
    smeared=st.booleans(),
    shape=st.integers(0, 1),
    smear_s=st.sampled_from([1000, 36_001, 86_400]),
    precision=st.integers(-30, -10),
)


@settings(deadline=None, max_examples=40)
@given(PAGES, LOOPS, STATUS, ARRIVALS, st.integers(0, 20 * S), st.integers(0, 10**6))
def test_replies_are_those_of_the_compiled_loop_and_of_the_server_without_sockets(
    page: TimekeeperPage, loop: Words, status: int, arrivals: list[tuple[bytes, int, bool]], since: int, later: int
) -> None:
    if page.leap_tai_ns == 0:
        page = replace(page, leap_sign=0)
    raw_mid, margin_s = page.raw_ns + since, 1.5e-6
    raw_transmit = raw_mid + later
    known = None if status == NO_TIMEKEEPER_PAGE else page
    asked = np.frombuffer(b"".join(request for request, _, _ in arrivals), np.int64).reshape(-1, HEADER_WORDS).copy()
    ages = np.array([age for _, age, _ in arrivals])
    stamped = np.array([each for _, _, each in arrivals])

    ours = np.full_like(asked, -1)
    receive = receive_words(page, smear_of(loop), raw_mid, ages) if known else np.zeros_like(ages)
    maker = HeadMaker(loop)
    maker.make(known, status, raw_mid, margin_s)  # what it keeps of a page must not tell
    write_replies(ours, asked, maker.make(known, status, raw_transmit, margin_s), receive, stamped)

    words, head, compiled = encode(page), np.zeros(8, np.int64), np.zeros_like(asked)
    kernels_wire.fill_head(head, words, loop, status, raw_transmit, margin_s)
    for k in range(len(asked)):
        second = head[kernels_wire.SECOND] if stamped[k] else head[kernels_wire.SECOND_RAW]
        arrived = kernels_wire.receive_word(words, loop, status, raw_mid - int(ages[k]))
        kernels_wire.write_reply(
            compiled, k, asked, k, head, second, arrived, head[kernels_wire.TRANSMIT], kernels_wire.SENT
        )
    assert ours.tobytes() == compiled.tobytes()

    if known:
        marked = receive_words(page, smear_of(loop), raw_mid, ages, 7, 5)
        assert (marked == (receive & ~7 | 5)).all()

    for k, (request, age, each) in enumerate(arrivals):
        margin = margin_s if each else RAW_STAMP_MARGIN_S
        view = view_of(known, status, loop, raw_mid - age, raw_transmit, margin)
        assert ours[k].tobytes() == respond(request, view).reply


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Batch = tuple[list[Address], int]


@settings(deadline=None, max_examples=40)
@given(REQUEST, st.sampled_from([kiss.RATE, kiss.DENY, kiss.RSTR]), st.integers(-10, 20))
def test_compiled_kiss_is_the_same_bytes(request: bytes, code: int, least_poll: int) -> None:
    asked = np.frombuffer(request, np.int64).reshape(1, HEADER_WORDS).copy()
    out = np.full_like(asked, -1)
    kernels_wire.write_kiss(out, 0, asked, 0, code, least_poll if code == kiss.RATE else -128)
    assert out.tobytes() == kiss.build_kiss(request, code, least_poll)


V4: st.SearchStrategy[Address] = st.integers(0, 40).map(lambda k: ipaddress.IPv4Address(0x0A000000 + k * 97))
V6: st.SearchStrategy[Address] = st.integers(0, 40).map(
    lambda k: ipaddress.IPv6Address((0x20010DB8 << 96) + (k << 70) + k)
)
NETWORKS = ["10.0.0.0/22", "10.0.4.0/24", "10.0.5.97/32", "2001:db8::/62", "2001:db8:0:100::/56"]


def name_of(address: Address) -> bytes:
    """struct sockaddr_in or sockaddr_in6, in 32 bytes."""
    if address.version == 4:
        return struct.pack("=H2s4s24x", socket.AF_INET, b"\x12\x34", address.packed)
    return struct.pack("=H2s4x16s8x", socket.AF_INET6, b"\x12\x34", address.packed)


def names_of(batch: list[Address]) -> Words:
    return np.frombuffer(b"".join(name_of(address) for address in batch), np.int64).reshape(-1, 4).copy()


def batches(addresses: st.SearchStrategy[Address]) -> st.SearchStrategy[list[Batch]]:
    return st.lists(st.tuples(st.lists(addresses, min_size=1, max_size=40), st.integers(0, 10**8)), max_size=6)


def compiled_codes(access: AccessTable, limiter: Limiter, names: Words, now_ns: int) -> list[int]:
    codes, places = np.zeros(BATCH, np.int64), np.zeros((BATCH, 4), np.int64)
    screen(len(names), names, access, limiter, now_ns, codes, places)
    found: list[int] = codes[: len(names)].tolist()
    return found


@settings(deadline=None, max_examples=40)
@given(
    st.one_of(batches(V4), batches(V6)),
    st.sampled_from([0.0, 20.0, 1e4]),
    st.sampled_from([0.0, 50.0, 1e5]),
    st.sampled_from([1.0, 3.0, 100.0]),
    st.integers(0, 3),
    # not any bytes: a key of zeros would send everybody to one set
    st.integers(0, 2**32 - 1).map(lambda number: np.random.default_rng(number).bytes(32)),
    st.lists(st.sampled_from(NETWORKS), max_size=2),
    st.lists(st.sampled_from(NETWORKS), max_size=2),
    st.booleans(),
    st.lists(st.sampled_from(["10.0.0.97", "10.0.0.0", "2001:db8::"]), max_size=2),
)
def test_access_list_and_limits_say_the_same_as_the_compiled_ones(
    asked: list[Batch],
    rate: float,
    prefix_rate: float,
    burst: float,
    kiss_every: int,
    seed: bytes,
    denied: list[str],
    by_nts: list[str],
    denied_too: bool,
    always: list[str],
) -> None:
    rules = make_rules(rate, burst, prefix_rate, 2 * burst, kiss_every, denied_too=denied_too)
    ours, theirs = (make_limiter(4096, rules, seed) for _ in range(2))
    access = build_access([], denied, by_nts, always)
    family = socket.AF_INET if not asked or asked[0][0][0].version == 4 else socket.AF_INET6
    screening, now_ns = Screen(access, ours, family), 10**12
    for batch, later_ns in asked:
        now_ns += later_ns
        names = names_of(batch)
        codes = screening.codes(names, now_ns)
        found = [0] * len(batch) if codes is None else codes.tolist()
        assert found == compiled_codes(access, theirs, names, now_ns)
        assert [code & 3 for code in found] == [code_of(access, address) & 3 for address in batch]
        assert all(code == 0 for code, address in zip(found, batch, strict=True) if str(address) in always)
    # the tables of sources tell the same of everybody
    said = [sorted(map(tuple, limiter.rows[limiter.rows[:, 1] != 0].tolist())) for limiter in (ours, theirs)]
    assert said[0] == said[1]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 2**64 - 1)), max_size=8), st.integers(0, 3))
def test_stamps_kept_in_python_are_those_of_compiled_code(pairs: list[tuple[int, int]], worker: int) -> None:
    ours, theirs = make_tables(4), make_tables(4)
    kept = KeptStamps(ours, worker, 3)
    for receive, transmit in pairs:
        given = receive & ~3 | worker
        signed = np.array([given, transmit], np.uint64).view(np.int64).tolist()
        assert slot_of(given) == compiled_slot_of(signed[0])
        unused = kept.unused(given)
        assert unused % 2**64 == int(unused_stamp(theirs, worker, 4, signed[0])) % 2**64
        kept.remember(given, transmit)
        remember(theirs, worker, signed[0], signed[1])
        assert (ours == theirs).all()
    for receive, _ in pairs + pairs:
        given = receive & ~3 | worker
        known = recall(theirs, 3, np.array([given], np.uint64).view(np.int64)[0])
        assert (kept.transmit_of(given) or 0) == int(known) % 2**64
