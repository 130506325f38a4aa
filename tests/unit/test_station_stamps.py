"""Receive stamps: when the kernel's REALTIME stamp may be carried over to RAW, and when it may not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from timeball.station import server
from timeball.station.page.serverpage import ServerPage
from timeball.station.serving import counters, sockets
from timeball.station.serving import kernels_stamps as kernels
from timeball.station.supervision.process import CannotStartError

S = 1_000_000_000
YEAR = 365 * 86_400 * S
REAL = 1_790_000_000 * S
RAW = 5_000 * S


@pytest.mark.parametrize("age_ns", [0, 1, 30_000, 999_999_999, S])
def test_plausible_stamp_is_carried_over_by_its_age(age_ns: int) -> None:
    assert kernels.receive_stamp(REAL - age_ns, REAL, RAW, RAW - 40, S, 50_000) == (RAW - age_ns, True)


@pytest.mark.parametrize("stamp", [REAL + YEAR, REAL - YEAR, REAL + 1, REAL - S - 1, -1, 0])
def test_stamp_from_another_time_is_replaced_by_the_reception_on_raw(stamp: int) -> None:
    assert kernels.receive_stamp(stamp, REAL, RAW, RAW - 40, S, 50_000) == (RAW - 40 - 50_000, False)


def test_no_stamp_is_used_while_the_pair_is_distrusted() -> None:
    oldest = kernels.oldest_stamp(RAW, RAW - S, RAW + 1)
    assert kernels.receive_stamp(REAL - 10, REAL, RAW, RAW, oldest, 0) == (RAW, False)
    assert kernels.receive_stamp(REAL, REAL, RAW, RAW, oldest, 0) == (RAW, False)


def test_stamp_cannot_be_older_than_the_queue_has_not_been_empty() -> None:
    assert kernels.oldest_stamp(RAW, RAW - 1_000_000, 0) == 1_000_000 + 1_000 + kernels.PAIR_NOISE_NS
    assert kernels.oldest_stamp(RAW, RAW - 100 * S, 0) == S
    assert kernels.oldest_stamp(RAW, RAW - 100 * S, RAW) == S, "trust returns at the end of the distrust"


@pytest.mark.parametrize(
    ("moved_ns", "elapsed_ns", "width_ns", "expected"),
    [
        (0, 0, 0, False),
        (2_000, 0, 0, False),
        (2_001, 0, 0, True),
        (-2_001, 0, 0, True),
        (2_500, 0, 500, False),
        (100_000, 200_000_000, 0, False),  # 500 ppm, the fastest slew of adjtimex, over a fifth of a second
        (-100_000, 200_000_000, 0, False),
        (203_000, 200_000_000, 0, True),
        (YEAR, 200_000_000, 50_000, True),
        (-YEAR, 200_000_000, 50_000, True),
    ],
)
def test_step_of_realtime_shows_and_a_slew_does_not(
    moved_ns: int, elapsed_ns: int, width_ns: int, expected: bool
) -> None:
    assert kernels.pair_moved(moved_ns, elapsed_ns, width_ns) == expected


def control(length: int, level: int, kind: int, seconds: int, ns: int) -> np.ndarray:
    return np.array([[0] * 8, [length, level | kind << 32, seconds, ns, 0, 0, 0, 0]], np.int64)


def test_stamp_is_found_in_the_control_message() -> None:
    assert kernels.stamp_of(control(32, 1, 35, 1_790_000_000, 7), 1, 32) == 1_790_000_000 * S + 7


@pytest.mark.parametrize(
    ("message", "length"),
    [
        (control(32, 1, 35, 1, 1), 0),
        (control(32, 1, 35, 1, 1), 31),
        (control(28, 1, 35, 1, 1), 32),
        (control(32, 0, 35, 1, 1), 32),
        (control(32, 1, 29, 1, 1), 32),
    ],
)
def test_other_control_messages_hold_no_stamp(message: np.ndarray, length: int) -> None:
    assert kernels.stamp_of(message, 1, length) == -1


def test_bracket_is_ordered_and_narrow_enough_to_mean_something() -> None:
    first, middle, realtime, width = kernels.read_bracket(np.zeros(2, np.int64))
    assert first <= middle
    assert 0 < width < S
    assert realtime > 1_500_000_000 * S


# The server around the loop


@pytest.mark.parametrize(("cost_ns", "precision"), [(0, -29), (1, -29), (25, -25), (1000, -19), (10**9, 0)])
def test_precision_is_the_power_of_two_not_below_the_reading(cost_ns: int, precision: int) -> None:
    assert server.precision_of(cost_ns) == precision
    assert 2.0**precision >= cost_ns * 1e-9


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:123", ("127.0.0.1", 123)), ("[::1]:11123", ("::1", 11123)), ("localhost:1", ("localhost", 1))],
)
def test_address_is_split_at_its_last_colon(address: str, expected: tuple[str, int]) -> None:
    assert sockets.split_address(address) == expected


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:x", "203.0.113.77:11123"])
def test_address_that_cannot_be_bound_is_told(address: str) -> None:
    with pytest.raises(CannotStartError, match=r"cannot serve NTP on .*ntp\.listen"):
        sockets.open_listener(address).close()


def test_counters_of_all_sockets_are_summed_in_the_order_of_the_page() -> None:
    from timeball.station.hosttime.hostclocks import BootId

    class Fake:
        counters = np.arange(1, counters.COUNTERS + 1)

    page = server.counters_page(BootId(1, 2), 5, [Fake(), Fake()])  # type: ignore[list-item]
    names = [field.name for field in dataclasses.fields(page)][4:]
    assert len(names) == counters.COUNTERS
    for name in names:
        assert getattr(page, name) == 2 * (getattr(counters, name.upper()) + 1), name


def test_outcomes_are_fields_and_no_other_count_says_what_became_of_a_datagram() -> None:
    names = {field.name for field in dataclasses.fields(ServerPage)}
    assert set(ServerPage.OUTCOMES) <= names
    assert {name for name in names if name.startswith(("dropped_", "kisses_"))} <= set(ServerPage.OUTCOMES)
