"""Management messages to ptp4l: the bytes of the standard, and answers that are none."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.protocols.ptp import management as ptp

SETTINGS = ptp.GrandmasterSettings(
    ptp.LOCKED, 0x21, 37, ptp.PTP_TIMESCALE | ptp.UTC_VALID | ptp.TIME_TRACEABLE, ptp.ATOMIC_CLOCK
)


def answer(settings: ptp.GrandmasterSettings, sequence: int = 5) -> bytearray:
    """As ptp4l sends a request back: the same, with the action RESPONSE."""
    data = bytearray(ptp.build_settings(settings, sequence, 0))
    data[46] = ptp.Action.RESPONSE
    return data


def test_the_bytes_of_a_request() -> None:
    """IEEE 1588-2019 tables 35 and 57, and the TLV of linuxptp, field by field."""
    data = ptp.build_settings(SETTINGS, 0x0102, 24, 9)
    assert data.hex() == (
        "0d02003e18000000" + "00" * 12  # type, version, length 62, domain 24; flags, correction, reserved
        + "00" * 8 + "0009" + "0102" + "047f"  # source port, sequence, control, interval
        + "ff" * 10 + "00000100"  # to all ports, no hops, SET
        + "0001" + "000a" + "c001"  # TLV: management, 10 bytes, grandmaster settings
        + "0621ffff00251c10"  # class 6, accuracy 100 ns, variance unknown, 37 s, flags, atomic clock
    )  # fmt: skip
    assert len(ptp.build_settings(None, 1, 0)) == 54


@given(st.integers(0, 255), st.integers(0, 255), st.integers(-(2**15), 2**15 - 1), st.integers(0, 63))
def test_settings_read_back(clock_class: int, accuracy: int, offset_s: int, flags: int) -> None:
    settings = ptp.GrandmasterSettings(clock_class, accuracy, offset_s, flags, 0xA0)
    assert ptp.parse_settings(bytes(answer(settings)), 5) == settings


@given(st.binary(max_size=120))
def test_any_bytes_are_no_answer(data: bytes) -> None:
    with pytest.raises(ptp.ManagementError):
        ptp.parse_settings(data)


def test_answers_to_something_else() -> None:
    good = answer(SETTINGS)
    assert ptp.parse_settings(bytes(good), 5) == SETTINGS
    with pytest.raises(ptp.ManagementError, match="another request"):
        ptp.parse_settings(bytes(good), 6)
    with pytest.raises(ptp.ManagementError, match="cut short"):
        ptp.parse_settings(struct.pack("!BBH", 0x0D, 2, 54) + bytes(good[4:54]), 5)
    with pytest.raises(ptp.ManagementError, match="about"):
        ptp.parse_settings(ptp.build_settings(SETTINGS, 5, 0), 5)  # our own request, not an answer
    error = bytearray(good)
    error[48:50] = b"\x00\x02"
    with pytest.raises(ptp.ManagementError, match="refused"):
        ptp.parse_settings(bytes(error), 5)


@pytest.mark.parametrize(
    ("bound_s", "accuracy"),
    [
        (0.0, 0x20),
        (25e-9, 0x20),
        (26e-9, 0x21),
        (1e-6, 0x23),
        (9.9, 0x30),
        (11.0, 0x31),
        (math.inf, 0xFE),
        (math.nan, 0xFE),
        (-1.0, 0xFE),
    ],
)
def test_accuracy_is_never_better_than_the_bound(bound_s: float, accuracy: int) -> None:
    assert ptp.accuracy_of(bound_s) == accuracy
