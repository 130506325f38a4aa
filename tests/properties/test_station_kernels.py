"""The compiled twins of the clock page equal the plain ones bit for bit, for any page and any reading."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeball.protocols.ntp import packet as ntp
from timeball.station.page import clockpage, kernels, pagelayout
from timeball.station.page.clockpage import ObserverPage, TimekeeperPage
from timeball.station.page.pagefile import decode, encode
from timeball.station.serving import kernels_wire as wire
from timeball.station.serving.settings import PRECISION, SETTINGS
from timeball.station.serving.stamping import RAW_STAMP_MARGIN_S

S = 1_000_000_000
NEAR = st.integers(-(10**11), 10**11)
ORIGIN = 10**15
I64 = st.integers(-(2**63), 2**63 - 1)
BOUNDS = st.one_of(st.floats(0, 1e-3), st.floats(allow_nan=True, allow_infinity=True))

PAGES = st.builds(
    TimekeeperPage,
    boot_id=st.tuples(I64, I64),
    raw_ns=NEAR.map(lambda n: ORIGIN + n),
    boottime_ns=NEAR.map(lambda n: ORIGIN + n),
    tai_ns=NEAR.map(lambda n: 1_790_000_000 * S + n),
    tai_frac_fs=st.integers(0, 999_999),
    rate=st.floats(-1e-3, 1e-3),
    bound_s=BOUNDS,
    bound_growth=st.floats(0, 1e-3),
    wander_s=st.floats(0, 1e-3),
    root_delay_s=st.floats(0, 1.0),
    tai_minus_utc_s=st.integers(30, 45),
    leap_tai_ns=st.one_of(st.just(0), st.integers(-90_000, 90_000).map(lambda s: (1_790_000_000 + s) * S)),
    leap_sign=st.sampled_from([-1, 0, 1]),
    stratum=st.integers(-1, 17),
    refid=st.integers(0, 2**32 - 1),
    simulated=st.integers(0, 1),
    lease_raw_ns=NEAR.map(lambda n: ORIGIN + n),
    lease_boottime_ns=NEAR.map(lambda n: ORIGIN + n),
)
OBSERVERS = st.builds(
    ObserverPage,
    boot_id=st.tuples(I64, I64),
    lease_raw_ns=NEAR.map(lambda n: ORIGIN + n),
    lease_boottime_ns=NEAR.map(lambda n: ORIGIN + n),
    verdict=I64,
)
READINGS = NEAR.map(lambda n: ORIGIN + n)
GOOD = TimekeeperPage(
    (1, 2), ORIGIN, ORIGIN, 1_790_000_000 * S, 0, 1e-6, 1e-6, 1e-9, 0.0, 0.0, 37, 0, 0, 1, 5, 0, ORIGIN + S, ORIGIN + S
)
WATCHED = ObserverPage((1, 2), ORIGIN + S, ORIGIN + S, 0)


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


@settings(deadline=None)
@given(PAGES)
def test_page_comes_back_from_its_words(page: TimekeeperPage) -> None:
    back = decode(encode(page), TimekeeperPage)
    for field in dataclasses.fields(page)[1:]:
        assert same(getattr(back, field.name), getattr(page, field.name)), field.name
    assert back.boot_id == page.boot_id


@settings(deadline=None)
@given(PAGES, READINGS)
def test_served_instant_is_the_same_compiled(page: TimekeeperPage, raw: int) -> None:
    tai_ns, frac_fs, bound_s = kernels.served_instant(encode(page), raw)
    expected = clockpage.served_instant(page, raw)
    assert (tai_ns, frac_fs) == expected[:2]
    assert same(bound_s, expected[2])
    assert 0 <= frac_fs < 1_000_000


@settings(deadline=None)
@given(PAGES, OBSERVERS, READINGS, READINGS)
@example(GOOD, WATCHED, ORIGIN, ORIGIN)
@example(GOOD, WATCHED, ORIGIN + S - 1, ORIGIN + S - 1)
@example(GOOD, WATCHED, ORIGIN + S, ORIGIN)
def test_sync_status_is_the_same_compiled(
    page: TimekeeperPage, observer: ObserverPage, raw: int, boottime: int
) -> None:
    expected = clockpage.sync_status(page, observer, raw, boottime)
    assert kernels.sync_status(encode(page), encode(observer), raw, boottime) == expected
    lapsed = raw >= min(page.lease_raw_ns, observer.lease_raw_ns) or boottime >= min(
        page.lease_boottime_ns, observer.lease_boottime_ns
    )
    assert not (lapsed and expected == pagelayout.IN_SYNC)


@settings(deadline=None)
@given(
    PAGES,
    st.sampled_from([pagelayout.IN_SYNC, pagelayout.OBSERVER_LEASE_ENDED, pagelayout.NO_TIMEKEEPER_PAGE]),
    READINGS,
    st.integers(0, 10**9),
    st.floats(0, 1e-2),
    st.integers(-30, -10),
    st.booleans(),
)
def test_compiled_answer_is_the_reply_built_from_the_page(
    page: TimekeeperPage, status: int, transmit_raw: int, waited_ns: int, margin_s: float, precision: int, stamped: bool
) -> None:
    page = dataclasses.replace(page, stratum=abs(page.stratum) % 16)
    request = b"\x23\x00\x0a" + bytes(37) + b"\x01\x02\x03\x04\x05\x06\x07\x08"
    requests, out = np.frombuffer(request, np.int64).reshape(1, 6), np.zeros((1, 6), np.int64)
    words, head, settings = encode(page), np.zeros(wire.HEAD_WORDS, np.int64), np.zeros(SETTINGS, np.int64)
    settings[PRECISION] = precision
    wire.fill_head(head, words, settings, status, transmit_raw, margin_s)
    received = wire.receive_word(words, settings, status, transmit_raw - waited_ns)
    second = head[wire.SECOND if stamped else wire.SECOND_RAW]
    wire.write_reply(out, 0, requests, 0, head, second, received, head[wire.TRANSMIT], wire.SENT)
    margin_s = margin_s if stamped else RAW_STAMP_MARGIN_S

    def stamp(reading: int) -> int:
        tai_ns, frac_fs, _ = clockpage.served_instant(page, reading)
        return ntp.ntp_timestamp(tai_ns, frac_fs, clockpage.tai_minus_utc_at(page, tai_ns))

    timed = status != pagelayout.NO_TIMEKEEPER_PAGE
    state = ntp.unsynchronised(precision)
    if status == pagelayout.IN_SYNC:
        tai_ns, _, bound_s = clockpage.served_instant(page, transmit_raw)
        state = ntp.ServerState(
            leap=ntp.leap_indicator(tai_ns, page.leap_tai_ns, page.leap_sign),
            stratum=page.stratum,
            precision=precision,
            root_delay_s=page.root_delay_s,
            root_dispersion_s=bound_s + margin_s + 2.0**precision,
            refid=page.refid,
            reference=stamp(page.raw_ns),
        )
    receive, transmit = (stamp(transmit_raw - waited_ns), stamp(transmit_raw)) if timed else (0, 0)
    assert out.tobytes() == ntp.build_reply(request, state, receive, transmit)
