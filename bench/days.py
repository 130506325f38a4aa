"""Two days of real clocks: what the scales see, beside the plain mean and the best partner, and what is published.

ESA's day of 2009-04-01 has 12 hydrogen masers among its stations; each is held against the scale without it. GRG's day
2020-177 has 75 satellites, whose median deviations are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench import Figure, Skip
from timeball.cli.scale import read_table
from timeball.cli.scale_compare import Comparison, compare
from timeball.ensemble.algorithms import algorithm
from timeball.ensemble.scale import leave_one_out
from timeball.readings import PhaseTable
from timeball.stability import oadev

ROOM = "ensemble"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ESA = DATA / "rtklib-clk" / "esa15253.clk.gz"
GRG = DATA / "nav-solutions-data" / "CLK" / "V3" / "GRG0MGXFIN_20201770000_01D_30S_CLK.CLK.gz"
MASERS = ["AMC2", "WTZR", "NRC1", "NYAL", "HOB2", "GODZ", "MDVJ", "IRKJ", "KIR0", "CEBR", "CRO1", "YELL"]
# ALGOS weighs by windows of two hours here: at five minutes it may be no better than the plain mean
MOST_AGAINST_EQUAL = {("AT1", 300.0): 0.95, ("Kalman", 300.0): 0.95, ("ALGOS", 300.0): 1.1}
PUBLISHED = {("E", 30.0): 2.0e-13, ("E", 3000.0): 1.6e-14, ("G", 30.0): 2.1e-12, ("G", 3000.0): 7.7e-14}
SYSTEMS = {"E": "Galileo", "G": "GPS"}
WITHIN = 0.10


def figures() -> Iterator[Figure | Skip]:
    """Give the medians of ESA's masers and of GRG's satellites."""
    if ESA.exists():
        yield from masers(compare(read_table([ESA], MASERS, None)[0]))
    else:
        yield Skip("ESA day, 12 masers", f"real data not here: {ESA.name}")
    if GRG.exists():
        table, _ = read_table([GRG], None, None)
        for key in ("at1", "algos"):
            yield from satellites(table, key, table.clocks)
    else:
        yield Skip("GRG day, 75 satellites", f"real data not here: {GRG.name}")


def masers(comparison: Comparison, taus: tuple[float, ...] = (300.0, 4800.0)) -> Iterator[Figure]:
    """Deviation of a station against the scale without it, as a multiple of both yardsticks: medians of stations."""
    for report in comparison.reports.values():
        for tau_s in taus:
            ratios = np.array([_ratios(comparison, clock.name, dict(clock.oadev), tau_s) for clock in report.clocks])
            equal, partner = np.median(ratios, axis=0).tolist()
            most = MOST_AGAINST_EQUAL.get((report.algorithm, tau_s), 1.0)
            yield Figure(
                f"ESA day, {len(ratios)} masers, {report.algorithm} without each, {tau_s:g} s: over equal weights",
                ROOM,
                equal,
                "1",
                f"best partner, known afterwards: {partner:.3g}",
                None,
                f"<= {most:g}",
                equal <= most,
            )


def _ratios(comparison: Comparison, name: str, sigma: dict[float, float], tau_s: float) -> tuple[float, float]:
    partner = {at: value for at, value, _ in comparison.partner[name]}
    return sigma[tau_s] / dict(comparison.equal[name])[tau_s], sigma[tau_s] / partner[tau_s]


def satellites(table: PhaseTable, key: str, judged: tuple[str, ...]) -> Iterator[Figure]:
    """Median deviation of the satellites judged, each against the scale without it (rules fitted once, to them all)."""
    chosen = algorithm(key)
    rules = chosen.fit_parameters(table, ())
    sigma: dict[str, list[list[float]]] = {system: [] for system in SYSTEMS}
    for name in judged:
        if name[0] in SYSTEMS and name[1:].isdigit():
            x = leave_one_out(table, name, lambda others: chosen.run(others, rules))
            sigma[name[0]].append(oadev(x, 30.0, [1, 100]).sigma.tolist())
    for system, word in SYSTEMS.items():
        for place, tau_s in enumerate((30.0, 3000.0)):
            found, known = float(np.median([pair[place] for pair in sigma[system]])), PUBLISHED[(system, tau_s)]
            yield Figure(
                f"GRG day, {len(sigma[system])} {word} clocks against {chosen.name} without each, {tau_s:g} s: median",
                ROOM,
                found,
                "1",
                f"known: {known:g}",
                found / known,
                f"within {WITHIN:.0%}",
                abs(found / known - 1) <= WITHIN,
            )
