"""Two days of real clocks: what the scales see, beside the plain mean and the best partner, and what is published.

ESA's day of 2009-04-01 has 110 stations, 12 of them with hydrogen masers; each is held against the scale without it,
once among the masers and once among all. GRG's day 2020-177 has 75 satellites, whose median deviations are known.

`python -m bench.days` prints the stations of ESA's day, one a line.
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
TAUS_S = (300.0, 4800.0)
YARDSTICKS = ("equal weights", "best partner")
WITHIN = 0.10


def figures() -> Iterator[Figure | Skip]:
    """Give the medians of ESA's masers, of all its stations, and of GRG's satellites."""
    if ESA.exists():
        yield from masers(compare(read_table([ESA], MASERS, None)[0]))
        yield from stations(every_station())
    else:
        yield Skip("ESA day, 12 masers and 110 stations", f"real data not here: {ESA.name}")
    if GRG.exists():
        table, _ = read_table([GRG], None, None)
        for key in ("at1", "algos"):
            yield from satellites(table, key, table.clocks)
    else:
        yield Skip("GRG day, 75 satellites", f"real data not here: {GRG.name}")


def masers(comparison: Comparison, taus: tuple[float, ...] = TAUS_S) -> Iterator[Figure]:
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


def every_station() -> Comparison:
    """The three scales of every station of ESA's day: names of four characters; those of satellites have three."""
    names = [name for name in read_table([ESA], None, None)[0].clocks if len(name) == 4]
    return compare(read_table([ESA], names, None)[0])


def stations(comparison: Comparison, taus: tuple[float, ...] = TAUS_S) -> Iterator[Figure]:
    """How the stations' deviations lie beside both yardsticks: median of the ratios, and at how many it is below 1."""
    rows = station_rows(comparison, taus)
    for place, report in enumerate(comparison.reports.values()):
        for at, tau_s in enumerate(taus):
            for which, yardstick in enumerate(YARDSTICKS):
                ratios = np.array([row[at, place] / row[at, len(comparison.reports) + which] for row in rows.values()])
                known = ratios[np.isfinite(ratios)]
                yield Figure(
                    f"ESA day, {len(known)} stations, {report.algorithm} without each, {tau_s:g} s: over {yardstick}",
                    ROOM,
                    float(np.median(known)),
                    "1",
                    f"below it at {np.count_nonzero(known < 1.0)} of {len(known)}",
                )


def station_rows(comparison: Comparison, taus: tuple[float, ...] = TAUS_S) -> dict[str, np.ndarray]:
    """ADEV of each station [taus, columns]: against each algorithm without it, equal weights and the best partner."""
    rows = {}
    for j, name in enumerate(clock.name for clock in next(iter(comparison.reports.values())).clocks):
        columns = [dict(report.clocks[j].oadev) for report in comparison.reports.values()]
        columns += [dict(comparison.equal[name]), {tau_s: sigma for tau_s, sigma, _ in comparison.partner[name]}]
        rows[name] = np.array([[column.get(tau_s, np.nan) for column in columns] for tau_s in taus])
    return rows


def station_table(comparison: Comparison, taus: tuple[float, ...] = TAUS_S) -> str:
    """One line a station, the steadiest first: its deviations at each tau, and who its best partner was."""
    names = [*(report.algorithm for report in comparison.reports.values()), "equal", "partner"]
    heads = "".join(f"{name:>8}" for name in names) + " " * 6
    rows = station_rows(comparison, taus)
    lines = [
        " " * 9 + "   ".join(f"{f'at {t:g} s':>{len(heads)}}" for t in taus),
        "station  " + "   ".join(heads for _ in taus),
    ]
    for name in sorted(rows, key=lambda name: float(rows[name][-1, 0])):
        who = {tau_s: partner for tau_s, _, partner in comparison.partner[name]}
        parts = ["".join(f"{v:8.1e}" for v in rows[name][at]) + f"  {who.get(t, ''):4}" for at, t in enumerate(taus)]
        lines.append(f"{name}{'*' if name in MASERS else ' '}    " + "   ".join(parts))
    return "\n".join(lines)


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


if __name__ == "__main__":
    print(
        f"ADEV against each scale without the station, at {' and '.join(f'{t:g} s' for t in TAUS_S)}; * hydrogen maser"
    )
    print(station_table(every_station()))
