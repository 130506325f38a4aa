"""Limits and noises that Stable32 printed beside its deviations, and the worked example of NIST SP 1065."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from timeball.stability import DEVIATIONS, Deviations, mdev, oadev
from timeball.stability.chi_square import chi_square_quantile
from timeball.stability.confidence import intervals
from timeball.stability.edf import FEWEST_TOTAL, degrees_of_freedom
from timeball.stability.noise import identify_noise
from timeball.stability.records import phase_record

FOLDER = "allantools-tests/tests"
Shared = Callable[[str], Path]
DEMO, GPS, CS = "phasedat/PHASE.DAT", "gps/gps_1pps_phase_data.txt.gz", "Cs5071A/5071A_phase.txt.gz"
SIX = ("adev", "oadev", "mdev", "tdev", "hdev", "ohdev")


@cache
def record(path: Path) -> np.ndarray:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return np.loadtxt(text.decode().splitlines())


def printed(path: Path) -> np.ndarray:
    """Columns AF, Tau, #, Alpha, Min, Sigma, Max."""
    rows = [line.split() for line in path.read_text(encoding="latin-1").splitlines() if line and line[0] != "#"]
    return np.array([[float(cell) for cell in row] for row in rows if len(row) == 7])


def as_deviations(rows: np.ndarray) -> Deviations:
    return Deviations(rows[:, 1], rows[:, 0].astype(int), rows[:, 5], rows[:, 2].astype(int))


CASES = [
    *((DEMO, f"phasedat/phase_dat_{key}_octave.txt", key) for key in (*SIX, "totdev")),
    *((GPS, f"gps/stable32_{key.upper()}_octave.txt", key) for key in SIX[1:]),
    *((CS, f"Cs5071A/{key}_decade.txt", key) for key in ("oadev", "mdev", "ohdev", "totdev")),
]


@pytest.mark.data
@pytest.mark.parametrize(("data", "answers", "key"), CASES, ids=[case[1] for case in CASES])
def test_the_limits_of_stable32(data: str, answers: str, key: str, shared: Shared) -> None:
    """With the noise that it had: 1 in 2000, where it takes fitted tables (many terms, large m) 3 in 1000.

    Not those of TOTDEV below m = 8: it takes the fit there, too, with 1500 degrees of freedom of 999 terms at m = 1.
    """
    rows = printed(shared(f"{FOLDER}/{answers}"))
    assert len(rows) >= 8
    rows = rows[rows[:, 0] >= FEWEST_TOTAL["totdev"]] if key == "totdev" else rows
    found = intervals(key, as_deviations(rows), record(shared(f"{FOLDER}/{data}")), 1.0, alpha=rows[:, 3].astype(int))
    for limit, column in ((found.low, 4), (found.high, 6)):
        off = np.abs(limit * np.sqrt(found.bias) / rows[:, column] - 1.0)
        assert np.all(off < 3e-3)
        assert np.median(off) < 5e-4


@pytest.mark.data
@pytest.mark.parametrize(("data", "answers", "unlike"), [
    (DEMO, "phasedat/phase_dat_oadev_octave.txt", 0),
    (GPS, "gps/stable32_OADEV_octave.txt", 0),
    (CS, "Cs5071A/adev_decade.txt", 1),
])  # fmt: skip
def test_the_noises_of_stable32(data: str, answers: str, unlike: int, shared: Shared) -> None:
    """All but one: 56 phases of the 5071A, of which the first is an outlier."""
    rows = printed(shared(f"{FOLDER}/{answers}"))
    noise = identify_noise(record(shared(f"{FOLDER}/{data}")), 1.0, rows[:, 0].astype(int))
    assert int(np.sum(noise.alpha != rows[:, 3])) == unlike


def thousand_points() -> np.ndarray:
    state, values = 1234567890, []
    for _ in range(1000):
        values.append(state / 2147483647)
        state = 16807 * state % 2147483647
    return np.array(values)


def test_the_worked_example_of_sp1065() -> None:
    """Section 12.4: 95 % limits at m = 10. Its OADEV has the older EDF of 146.177, its MDEV that of Greenhall.

    Its quantiles are approximate, to 1 in 1000 of OADEV and 3 in 1000 of MDEV: 114.45 where 114.60 is right.
    """
    y = thousand_points()
    plain = float(oadev(y, 1.0, [10], kind="frequency").sigma[0])
    low = plain * np.sqrt(146.177 / chi_square_quantile(0.975, 146.177))
    high = plain * np.sqrt(146.177 / chi_square_quantile(0.025, 146.177))
    one_sided = plain * np.sqrt(146.177 / chi_square_quantile(0.05, 146.177))
    assert (low, high) == pytest.approx((8.223942e-2, 1.035201e-1), rel=1e-3)
    assert one_sided == pytest.approx(1.014923e-1, rel=1e-3)
    assert chi_square_quantile(0.025, 146.177) == pytest.approx(114.60, abs=0.01)
    found = intervals("mdev", mdev(y, 1.0, [10], kind="frequency"), y, 1.0, kind="frequency", confidence=0.95)
    assert found.alpha.tolist() == [0]
    assert found.edf[0] == pytest.approx(94.620, rel=2e-4)
    assert found.low[0] == pytest.approx(5.419961e-2, rel=4e-3)
    assert found.high[0] == pytest.approx(7.224944e-2, rel=4e-3)


def test_the_bias_of_mtot_gives_the_printed_values() -> None:
    y = thousand_points()
    raw = DEVIATIONS["mtotdev"].function(y, 1.0, [1, 10, 100], kind="frequency")
    found = intervals("mtotdev", raw, y, 1.0, kind="frequency", alpha=0)
    assert [f"{sigma:.5e}" for sigma in found.sigma] == ["2.41853e-01", "6.49916e-02", "2.28777e-02"]


def test_the_fits_of_the_total_deviations() -> None:
    """Tables 7 and 8 of SP 1065 at T/τ = 10, and the Hadamard total of Howe et al.; below m = 16 the plain EDF."""
    phases = phase_record(np.zeros(1001))
    assert degrees_of_freedom("totdev", phases, 100, -1) == pytest.approx(1.17 * 10 - 0.22)
    assert degrees_of_freedom("mtotdev", phases, 100, -2) == pytest.approx(0.75 * 10 - 0.31)
    assert degrees_of_freedom("htotdev", phases, 100, -1) == pytest.approx(10 / (0.868 + 0.114))
    assert degrees_of_freedom("totdev", phases, 4, 0) == degrees_of_freedom("oadev", phases, 4, 0) < 993
    assert degrees_of_freedom("mtotdev", phases, 8, 0) == degrees_of_freedom("mdev", phases, 8, 0)
    assert degrees_of_freedom("htotdev", phases, 100, 2) == degrees_of_freedom("ohdev", phases, 100, 2)


@pytest.mark.parametrize(("alpha", "within"), [(0, 1.24), (-2, 1.35), (2, 1.06)])
@pytest.mark.parametrize("m", [1, 2, 4, 8, 32])
def test_the_freedom_of_totdev_by_algebra(m: int, alpha: int, within: float) -> None:
    """Every term of TOTDEV as a row over the white noise beneath, edf = tr(C)²/tr(C²).

    Within the factor by which the continuous noise of Greenhall's EDF differs from sums of white samples at small m.
    """
    points = 200
    places = np.arange(1, points - 1)
    rows = np.zeros((places.size, points))
    for lag, weight in ((-m, 1.0), (0, -2.0), (m, 1.0)):
        i = places + lag
        inside = np.where(i < 0, -i, np.where(i >= points, 2 * (points - 1) - i, i))
        np.add.at(rows, (places - 1, inside), np.where(i == inside, weight, -weight))
        np.add.at(rows, (places - 1, np.where(i < 0, 0, points - 1)), np.where(i == inside, 0.0, 2.0 * weight))
    sums = np.tril(np.ones((points, points)), -1)
    terms = rows @ {2: np.eye(points), 0: sums, -2: sums @ sums}[alpha]
    covariance = terms @ terms.T
    edf = np.trace(covariance) ** 2 / np.sum(covariance**2)
    ours = degrees_of_freedom("totdev", phase_record(np.zeros(points)), m, alpha)
    assert edf / within < ours < edf * within


def test_half_of_the_limits_hold_the_truth() -> None:
    """White FM at 0.5: of 200 records the share whose limits hold the true deviation is 0.5 within 4 sigma."""
    rng, held, cases = np.random.default_rng(20090401), 0, 200
    for _ in range(cases):
        y = rng.standard_normal(300)
        found = intervals(
            "oadev", oadev(y, 1.0, [8], kind="frequency"), y, 1.0, kind="frequency", confidence=0.5, alpha=0
        )
        held += bool(found.low[0] < 8**-0.5 < found.high[0])
    assert abs(held / cases - 0.5) < 4 * 0.5 / np.sqrt(cases)
