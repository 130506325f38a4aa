"""Smeared leap seconds: noon to noon around 2016-12-31, exact at both ends, said on the wire and never announced."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from fractions import Fraction

import pytest

from timeball.protocols.ntp import kernels_smear
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.server import Settings, respond
from timeball.protocols.ntp.smear import (
    DEFAULT_LENGTH_NS,
    Shape,
    ahead_of_utc_fs,
    refid_ahead_s,
    smear_interval,
    smear_refid,
    smeared_offset_fs,
)
from timeball.protocols.ntp.version5 import DRAFT, Field, Scale, build_field, parse_message
from timeball.protocols.ntp.view import TAI, Smear, View, stamp

S = 10**9
FS = 10**15
MIDNIGHT_UNIX = 1_483_228_800
BOTH = [(sign, shape) for sign in (1, -1) for shape in Shape]


def leap_tai_ns(sign: int) -> int:
    """2017-01-01 00:00:00 UTC after a second put in, or after one taken out."""
    return (MIDNIGHT_UNIX + 36 + sign) * S


def view_at(tai_ns: int, sign: int, smear: Smear | None) -> View:
    now = TAI(tai_ns)
    return View(
        known=True,
        in_sync=True,
        receive=now,
        transmit=now,
        reference=TAI(tai_ns - 5 * S),
        tai_minus_utc_s=36,
        leap_tai_ns=leap_tai_ns(sign),
        leap_sign=sign,
        stratum=1,
        refid=0x54424C4C,
        precision=-24,
        root_delay_s=0.0,
        dispersion_s=1e-6,
        smear=smear,
    )


@pytest.mark.parametrize(("sign", "shape"), BOTH)
def test_begins_and_ends_at_noon_of_utc_with_the_whole_second_done(sign: int, shape: Shape) -> None:
    leap_ns = leap_tai_ns(sign)
    begin, end = smear_interval(leap_ns, sign)
    smear = Smear(shape, DEFAULT_LENGTH_NS)
    assert stamp(view_at(begin, sign, smear), TAI(begin)) == MIDNIGHT_UNIX - 43_200 + ntp.NTP_MINUS_UNIX_S << 32
    assert stamp(view_at(end, sign, smear), TAI(end)) == MIDNIGHT_UNIX + 43_200 + ntp.NTP_MINUS_UNIX_S << 32
    assert end - begin == (86_400 + sign) * S
    for far in (0, 1, S, 10**7 * S):
        assert smeared_offset_fs(begin - far, leap_ns, sign, shape) == 0
        assert smeared_offset_fs(end + far, leap_ns, sign, shape) == -sign * FS


@pytest.mark.parametrize(("sign", "shape"), BOTH)
def test_never_steps_and_the_compiled_twin_says_the_same(sign: int, shape: Shape) -> None:
    leap_ns, draws = leap_tai_ns(sign), random.Random(20161231)
    for length_ns in (1000 * S, 36_000 * S, DEFAULT_LENGTH_NS):
        begin, end = smear_interval(leap_ns, sign, length_ns)
        # the steepest a nanosecond may be: π/2 of the mean rate, and the rounding
        steepest = math.ceil(math.pi / 2 * FS / (end - begin)) + 1
        edges = [begin - 1, begin, begin + 1, (begin + end) // 2, leap_ns - S, leap_ns, end - 2, end - 1, end]
        for tai_ns in edges + [draws.randint(begin - S, end + S) for _ in range(1500)]:
            now, later = (smeared_offset_fs(at, leap_ns, sign, shape, length_ns) for at in (tai_ns, tai_ns + 1))
            assert 0 <= -sign * (later - now) <= steepest
            assert now == kernels_smear.smeared_offset_fs(tai_ns, leap_ns, sign, int(shape), length_ns)
            refid = smear_refid(ahead_of_utc_fs(now, tai_ns, leap_ns, sign))
            assert refid == kernels_smear.smear_refid(now, tai_ns, leap_ns, sign)


@pytest.mark.parametrize("sign", [1, -1])
def test_is_the_line_and_the_cosine_that_it_is_called(sign: int) -> None:
    leap_ns = leap_tai_ns(sign)
    begin, end = smear_interval(leap_ns, sign)
    for k in range(1, 1000):
        tai_ns = begin + (end - begin) * k // 1000
        done = Fraction(tai_ns - begin, end - begin)
        linear = -sign * smeared_offset_fs(tai_ns, leap_ns, sign, Shape.LINEAR)
        assert linear == done * FS // 1
        cosine = -sign * smeared_offset_fs(tai_ns, leap_ns, sign, Shape.COSINE)
        assert abs(cosine - (1 - math.cos(math.pi * float(done))) / 2 * FS) < 3


def test_without_a_known_leap_second_nothing_is_smeared() -> None:
    for leap_ns, sign in ((0, 1), (leap_tai_ns(1), 0)):
        assert smeared_offset_fs(leap_tai_ns(1), leap_ns, sign) == 0
        assert kernels_smear.smeared_offset_fs(leap_tai_ns(1), leap_ns, sign, 1, DEFAULT_LENGTH_NS) == 0


# As ntpd's own tests of the reference id have it (2⁻²² s, signed, in the last three bytes).
@pytest.mark.parametrize(
    ("ahead_s", "refid"),
    [(0.0, 0xFE000000), (2**-22, 0xFE000001), (-(2**-22), 0xFEFFFFFF), (-0.25, 0xFEF00000), (1.75, 0xFE700000)],
)
def test_reference_id_says_the_difference_from_utc(ahead_s: float, refid: int) -> None:
    assert smear_refid(int(ahead_s * FS)) == refid
    assert refid_ahead_s(refid) == ahead_s
    assert refid_ahead_s(0x7F7F0101) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_smearing_address_announces_no_leap_and_says_what_it_adds(sign: int) -> None:
    smear = Smear(Shape.COSINE, DEFAULT_LENGTH_NS)
    leap_ns = leap_tai_ns(sign)
    begin, end = smear_interval(leap_ns, sign)
    for tai_ns in range(begin - 7200 * S, end + 7200 * S, 1777 * S):
        smeared, plain = (
            ntp.parse_packet(respond(b"\x23" + bytes(47), view_at(tai_ns, sign, how)).reply or b"")
            for how in (smear, None)
        )
        difference_s = ((smeared.transmit - plain.transmit + 2**63) % 2**64 - 2**63) / 2**32
        assert smeared.leap == 0
        if begin < tai_ns < end:
            assert refid_ahead_s(smeared.refid) == pytest.approx(difference_s, abs=2**-22)
        else:
            assert (smeared.refid, difference_s) == (plain.refid, 0)
    assert ntp.parse_packet(respond(b"\x23" + bytes(47), view_at(begin + S, sign, None)).reply or b"").leap > 0


def test_version_5_names_the_timescale_of_a_smearing_address() -> None:
    request = b"\x2b" + bytes(47) + build_field(Field.DRAFT, DRAFT)
    view = view_at(leap_tai_ns(1), 1, Smear(Shape.LINEAR, DEFAULT_LENGTH_NS))
    for how, scale in ((view, Scale.SMEARED_UTC), (replace(view, smear=None), Scale.UTC)):
        header = parse_message(respond(request, how, Settings({}, version5=True)).reply or b"").header
        assert header.scale == scale
        assert header.receive == stamp(how, how.receive)


@pytest.mark.parametrize("sign", [1, -1])
def test_version_5_announces_a_leap_second_for_14_days_and_version_4_on_its_day(sign: int) -> None:
    request = b"\x2b" + bytes(47) + build_field(Field.DRAFT, DRAFT)
    announced, changes_ns = 1 if sign > 0 else 2, leap_tai_ns(sign) - (S if sign > 0 else 0)
    before_ns = leap_tai_ns(sign) - sign * S
    day_s = 86_400
    for tai_ns, leap, leap_4 in (
        (before_ns - 14 * day_s * S - 1, 0, 0),
        (before_ns - 14 * day_s * S, announced, 0),
        (before_ns - day_s * S - 1, announced, 0),
        (before_ns - day_s * S, announced, announced),
        (changes_ns - 1, announced, announced),
        (changes_ns, 0, 0),
    ):
        view = view_at(tai_ns, sign, None)
        reply = respond(request, view, Settings({}, version5=True)).reply or b""
        assert parse_message(reply).header.leap == leap
        assert ntp.parse_packet(respond(b"\x23" + bytes(47), view).reply or b"").leap == leap_4
        smeared = replace(view, smear=Smear(Shape.LINEAR, DEFAULT_LENGTH_NS))
        assert parse_message(respond(request, smeared, Settings({}, version5=True)).reply or b"").header.leap == 0
