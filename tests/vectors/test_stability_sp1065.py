"""The worked examples of NIST SP 1065 (Riley 2008), section 12: a 10-point and a 1000-point frequency record.

Its total deviations are printed with their bias removed: the variances divided by what white FM makes of them. For the
modified total deviation that is 0.73, whatever its table 11 says: table 31 was not made with it.
"""

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
    ("hdev", 1, "70.80607"),
    ("hdev", 2, "116.7980"),
    ("ohdev", 1, "70.80607"),
    ("ohdev", 2, "85.61487"),
    ("totdev", 1, "91.22945"),
    ("totdev", 2, "93.90379"),
    ("mtotdev", 1, "75.50203"),
    ("mtotdev", 2, "75.83606"),
    ("ttotdev", 1, "43.59112"),
    ("ttotdev", 2, "87.56794"),
    ("htotdev", 1, "70.80607"),
    ("htotdev", 2, "91.16396"),
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
    ("hdev", 1, "2.943883e-01"),
    ("hdev", 10, "1.052754e-01"),
    ("hdev", 100, "3.910861e-02"),
    ("ohdev", 1, "2.943883e-01"),
    ("ohdev", 10, "9.581083e-02"),
    ("ohdev", 100, "3.237638e-02"),
    ("totdev", 1, "2.922319e-01"),
    ("totdev", 10, "9.134743e-02"),
    ("totdev", 100, "3.406530e-02"),
    ("mtotdev", 1, "2.418528e-01"),
    ("mtotdev", 10, "6.499161e-02"),
    ("mtotdev", 100, "2.287774e-02"),
    ("ttotdev", 1, "1.396338e-01"),
    ("ttotdev", 10, "3.752293e-01"),
    ("ttotdev", 100, "1.320847e+00"),
    ("htotdev", 1, "2.943883e-01"),
    ("htotdev", 10, "9.614787e-02"),
    ("htotdev", 100, "3.058103e-02"),
]
# SigmaTheta's parabolic deviation of the same record, from 1 and 2 to 256.
PARABOLIC = "0.29223188 0.21445234 0.15618112 0.11709746 0.06902959 0.04974971 0.03894742 0.03086239 0.01244741"
# The record's Thêo1 at m = 10, 100 and 1000, as far as they are printed with the 1/0.75 that equation 30 omits.
THEO1 = "1.0757e-01 3.1789e-02 5.0524e-03"


def unbiased(name: str, m: int) -> float:
    """What white FM makes of a total variance; at m = 1 HTOTDEV is the Hadamard deviation and has no bias."""
    if name in ("mtotdev", "ttotdev"):
        return 0.73
    return 0.995 if name == "htotdev" and m > 1 else 1.0


def assert_printed(sigma: float, name: str, m: int, printed: str, ours: str) -> None:
    """Every digit; where a bias was removed, to a unit of the last: three of nine are printed one unit below."""
    bias = unbiased(name, m)
    if bias == 1.0:
        assert ours == printed
    else:
        unit = 10.0 ** (np.floor(np.log10(float(printed))) - 6)
        assert abs(sigma / np.sqrt(bias) - float(printed)) < unit


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
        assert_printed(found.sigma[0], name, m, printed, f"{found.sigma[0]:#.7g}")


@pytest.mark.parametrize(("name", "m", "printed"), THOUSAND_POINTS)
def test_thousand_points_to_every_printed_digit(name: str, m: int, printed: str) -> None:
    for kind, record in (
        ("frequency", thousand_points()),
        ("phase", stability.phase_from_frequency(thousand_points(), 1.0)),
    ):
        found = getattr(stability, name)(record, 1.0, [m], kind=kind)
        assert_printed(found.sigma[0], name, m, printed, f"{found.sigma[0]:.6e}")


def test_the_interval_scales_tau_and_leaves_frequency_alone() -> None:
    found = stability.oadev(thousand_points(), 300.0, [1, 10, 100], kind="frequency")
    assert found.tau_s.tolist() == [300.0, 3000.0, 30000.0]
    assert [f"{sigma:.6e}" for sigma in found.sigma] == ["2.922319e-01", "9.159953e-02", "3.241343e-02"]
    timed = stability.tdev(thousand_points(), 300.0, [10], kind="frequency")
    assert timed.sigma[0] == pytest.approx(300 * 3.563623e-01, rel=2e-7)


def test_the_parabolic_deviation_to_every_printed_digit() -> None:
    found = stability.pdev(thousand_points(), 1.0, [2**k for k in range(9)], kind="frequency")
    assert " ".join(f"{sigma:.8f}" for sigma in found.sigma) == PARABOLIC


def test_theo1_has_the_factor_that_the_printed_equation_omits() -> None:
    found = stability.theo1(thousand_points(), 1.0, [10, 100, 1000], kind="frequency")
    assert " ".join(f"{sigma:.4e}" for sigma in found.sigma) == THEO1
    assert found.tau_s.tolist() == [7.5, 75.0, 750.0]
    six_digits = [f"{sigma:.6g}" for sigma in found.sigma[:2]]
    assert six_digits == ["0.107574", "0.0317893"]
