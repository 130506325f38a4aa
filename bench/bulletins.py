"""Bulletins: whether the band to the next Circular T holds a real record, and the rate from frequency standards.

The record is UTCr − UTC(AUS) on the 5-day grid, cut into months: each is foretold from the four months before it, as
it would have been then. The rates are those of simulated years of reports: standards with their own offsets, gaps,
overlaps and links, on a scale with white and random-walk FM, whose true mean over each month is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.figure import Figure, Skip
from timeball.ensemble.noise import ClockNoise
from timeball.ensemble.standards import RateEstimate, estimate_rate
from timeball.formats import LabPoints, PSFSReport, read_lab_series
from timeball.station.hosttime.leaps import load_leap_table
from timeball.steering.against_utc import outlook
from timeball.steering.bulletins import date_of, mjd_at

ROOM = "bulletins"
RECORD = Path(__file__).resolve().parents[2] / "shared" / "data" / "groundstate-utck-tools" / "utcraus.txt"
SEED = 20_261_124  # not the seed of development
YEARS = 1_000
PAST = 24  # points of the 5-day grid
DAY_S = 86_400.0
FIRST, LAST = 60_700, 61_060
SCALE = ClockNoise(wfm=4e-13, rwfm=1.5e-19)


def figures() -> Iterator[Figure | Skip]:
    """Give the band's rate on the real record, and the uncertainty's rate and gain on simulated years."""
    if RECORD.exists():
        inside, last = band_coverage(real_record())
        yield _rate("UTC(AUS): dates of the next Circular T inside the 95 % band", float(inside.mean()), 0.90, 0.99)
        yield _rate("the same, its last date only", float(last.mean()), 0.90, 1.0)
    else:
        yield Skip("UTC(AUS) inside the band", "the real record is not here")
    rng = np.random.default_rng(SEED)
    years = [simulated_year(rng) for _ in range(YEARS)]
    scores = np.array([(year.found.d - year.true_d) / year.found.u for year in years])
    rate = float(np.mean(np.abs(scores) < 1.96))
    yield _rate(f"d of a month within 1.96 u, {YEARS} years (seed {SEED})", rate, 0.93, 0.97)
    chi2 = sum(year.found.chi2 for year in years) / sum(year.found.degrees for year in years)
    yield _rate("chi² of the reports per degree of freedom", chi2, 0.95, 1.05)
    both = [year for year in years if math.isfinite(year.found.mean_d)]
    ours, plain = (
        math.sqrt(sum((value - year.true_d) ** 2 for value, year in zip(values, both, strict=True)) / len(both))
        for values in ([year.found.d for year in both], [year.found.mean_d for year in both])
    )
    peer = f"plain mean 1/(u² + uSrep²) {plain:.3g}"
    yield Figure("rms error of d", ROOM, ours, "1", peer, plain / ours, "ratio >= 1", plain >= ours)


def _rate(name: str, value: float, low: float, high: float) -> Figure:
    return Figure(name, ROOM, value, "1", None, None, f"{low:g} to {high:g}", low <= value <= high)


def real_record() -> LabPoints:
    """Read UTCr − UTC(AUS), the dates of Circular T alone."""
    record, _ = read_lab_series(RECORD.read_bytes(), RECORD.name, load_leap_table(), "AUS")
    grid = np.array([mjd_at(epoch) % 5 == 4 for epoch in record.epochs.tolist()])
    count = int(grid.sum())
    u_a_s = np.full(count, 5e-10)  # the links of UTCr, by the size of uA in Circular T
    return LabPoints("AUS", record.epochs[grid], record.values_s[grid], u_a_s, record.u_s[grid])


def band_coverage(record: LabPoints, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Foretell each month (or one in ``every``) from the points up to the end of the month before it.

    Gives what lay inside the band: all dates, and the last date of each month.
    """
    months = [date_of(mjd_at(epoch)).month for epoch in record.epochs.tolist()]
    ends = [k for k in range(PAST - 1, len(months) - 1) if months[k] != months[k + 1]]
    inside, last = [], []
    for end in ends[:-1:every]:
        kept = slice(end + 1 - PAST, end + 1)
        columns = (record.epochs, record.values_s, record.u_a_s, record.u_s)
        found = outlook(LabPoints(record.lab, *(column[kept] for column in columns)))
        true_s = record.values_s[np.searchsorted(record.epochs, found.epochs)]
        within = (found.low_s <= true_s) & (true_s <= found.high_s)
        inside += within.tolist()
        last.append(bool(within[-1]))
    return np.array(inside), np.array(last)


@dataclass(frozen=True)
class Year:
    """A simulated year: the true d of its last month, and what its reports make of it."""

    true_d: float
    found: RateEstimate


def simulated_year(rng: np.random.Generator) -> Year:
    """Draw a year: three to eight standards, caesium or optical, each with three to ten reports of 10 to 35 days."""
    edges = list(range(FIRST, LAST + 1, 5))
    phases = dict(zip(edges, simulated_phases(rng, edges, SCALE), strict=True))
    reports = []
    shared = {"Sr": rng.standard_normal() * 2e-16, "Yb": rng.standard_normal() * 2e-16}
    for number in range(int(rng.integers(3, 9))):
        kind = ("CsF", "CsF", "Sr", "Yb")[int(rng.integers(4))]
        u_b, u_srep = (float(rng.uniform(1e-16, 4e-16)), 0.0) if kind == "CsF" else (3e-17, 2e-16)
        offset = u_b * rng.standard_normal() + shared.get(kind, 0.0)
        for _ in range(int(rng.integers(3, 11))):
            days = 5 * int(rng.integers(2, 8))
            start = edges[int(rng.integers(0, len(edges) - days // 5))]
            if any(each.standard == f"L{number}-{kind}1" and _overlap(each, start, start + days) for each in reports):
                continue  # a standard reports no day twice
            u_a, u_tai = float(rng.uniform(5e-17, 4e-16)), 2e-15 / days
            true = -(phases[start + days] - phases[start]) / (days * DAY_S)
            # ends apart, so no link error is shared; what ends share is the matter of the unit tests
            error = offset + math.hypot(u_a, u_tai) * rng.standard_normal()
            u = math.sqrt(u_a**2 + u_b**2 + u_tai**2)
            reports.append(
                PSFSReport(f"L{number}-{kind}1", start, start + days, true + error, u_a, u_b, 0.0, u_tai, u, u_srep)
            )
    found = estimate_rate(reports, LAST - 30, LAST, SCALE)
    return Year(-(phases[LAST] - phases[LAST - 30]) / (30 * DAY_S), found)


def _overlap(report: PSFSReport, start: int, end: int) -> bool:
    return report.start_mjd <= end and start <= report.end_mjd


def simulated_phases(rng: np.random.Generator, edges: list[int], noise: ClockNoise) -> np.ndarray:
    """Phases (s) at some days of a scale with white and random-walk FM, exact at any interval."""
    rate, phases = 0.0, [0.0]
    for old, new in pairwise(edges):
        step_s = (new - old) * DAY_S
        q1, q2 = noise.wfm**2, 3 * noise.rwfm**2
        white, cross, end = rng.standard_normal(3)
        walk = math.sqrt(q2 * step_s) * end
        moved = rate * step_s + step_s * walk / 2 + math.sqrt(q2 * step_s**3 / 12) * cross
        phases.append(phases[-1] + moved + math.sqrt(q1 * step_s) * white)
        rate += walk
    return np.array(phases)
