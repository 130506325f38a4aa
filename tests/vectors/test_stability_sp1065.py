"""The worked examples of NIST SP 1065 (Riley 2008), section 12: a 10-point and a 1000-point frequency record."""

from __future__ import annotations

import numpy as np
import pytest

from timeball import stability

NBS14 = [892.0, 809.0, 823.0, 798.0, 671.0, 644.0, 883.0, 903.0, 677.0]

TEN_POINTS = [
    ("adev", 1, "91.22945"),
    ("adev", 2, "115.8082"),
    ("oadev", 1, "91.22945"),
    ("oadev", 2, "85.95287"),
    ("mdev", 1, "91.22945"),
    ("mdev", 2, "74.78849"),
    ("tdev", 1, "52.67135"),
    ("tdev", 2, "86.35831"),
]

THOUSAND_POINTS = [
    ("adev", 1, "2.922319e-01"),
    ("adev", 10, "9.965736e-02"),
    ("adev", 100, "3.897804e-02"),
    ("oadev", 1, "2.922319e-01"),
    ("oadev", 10, "9.159953e-02"),
    ("oadev", 100, "3.241343e-02"),
    ("mdev", 1, "2.922319e-01"),
    ("mdev", 10, "6.172376e-02"),
    ("mdev", 100, "2.170921e-02"),
    ("tdev", 1, "1.687202e-01"),
    ("tdev", 10, "3.563623e-01"),
    ("tdev", 100, "1.253382e+00"),
]


def thousand_points() -> np.ndarray:
    """The record that SP 1065 defines by a congruential generator, in exact integers."""
    state, values = 1234567890, []
    for _ in range(1000):
        values.append(state / 2147483647)
        state = 16807 * state % 2147483647
    return np.array(values)


@pytest.mark.parametrize(("name", "m", "printed"), TEN_POINTS)
def test_ten_points_to_every_printed_digit(name: str, m: int, printed: str) -> None:
    for kind, record in (("frequency", NBS14), ("phase", stability.phase_from_frequency(NBS14, 1.0))):
        found = getattr(stability, name)(record, 1.0, [m], kind=kind)
        assert f"{found.sigma[0]:.7g}" == printed


@pytest.mark.parametrize(("name", "m", "printed"), THOUSAND_POINTS)
def test_thousand_points_to_every_printed_digit(name: str, m: int, printed: str) -> None:
    for kind, record in (
        ("frequency", thousand_points()),
        ("phase", stability.phase_from_frequency(thousand_points(), 1.0)),
    ):
        found = getattr(stability, name)(record, 1.0, [m], kind=kind)
        assert f"{found.sigma[0]:.6e}" == printed


def test_the_interval_scales_tau_and_leaves_frequency_alone() -> None:
    found = stability.oadev(thousand_points(), 300.0, [1, 10, 100], kind="frequency")
    assert found.tau_s.tolist() == [300.0, 3000.0, 30000.0]
    assert [f"{sigma:.6e}" for sigma in found.sigma] == ["2.922319e-01", "9.159953e-02", "3.241343e-02"]
    timed = stability.tdev(thousand_points(), 300.0, [10], kind="frequency")
    assert timed.sigma[0] == pytest.approx(300 * 3.563623e-01, rel=2e-7)
