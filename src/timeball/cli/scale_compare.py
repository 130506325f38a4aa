"""`timeball scale --algorithm all`: the algorithms side by side from the same readings, and why they differ.

Sign: phases are clock minus scale (s). It computes and words; `scale_compare_print.py` lays it out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from timeball.cli.scale_report import ScaleReport, deviations, make_report
from timeball.ensemble.algorithms import ALGORITHMS
from timeball.ensemble.beside import against_equal_weights, difference
from timeball.ensemble.steps import CODES, si_time
from timeball.readings import PhaseTable

Deviations = list[tuple[float, float]]
HOW = {
    "AT1": "predicts from one epoch to the next with filtered rates, weighs by the mean square of those errors, and "
    "tests every reading",
    "ALGOS": "predicts a whole window ahead with the rate of the last one and a drift, weighs by how well past windows "
    "were predicted; weights stay as they are until the window ends",
    "Kalman": "estimates rates and drifts from all differences at once with fitted noise; the phase of the scale leans "
    "on the clocks of least white frequency noise",
}
DIFFERENCES_TOLD = 3
TOLD_APART = 0.02


@dataclass(frozen=True, eq=False)
class Comparison:
    """Reports by key, and what they stand beside.

    equal: per clock the deviations against the plain mean of the others. partner: against the best single clock
    [(tau_s, sigma, its name)], the best at each tau, known only afterwards.
    apart: (name, name, rms in s) of scale minus scale without mean offset and rate. why: sentences.
    """

    reports: dict[str, ScaleReport]
    equal: dict[str, Deviations]
    partner: dict[str, list[tuple[float, float, str]]]
    apart: list[tuple[str, str, float]]
    why: list[str]

    def to_json(self) -> dict[str, Any]:
        """The document for `--json`: the report of each algorithm by its key, and what stands beside them."""
        return {
            "algorithms": {key: report.to_json() for key, report in self.reports.items()},
            "equal_weights": [
                {"name": name, "oadev": [{"tau_s": tau_s, "sigma": sigma} for tau_s, sigma in found]}
                for name, found in self.equal.items()
            ],
            "best_partner": [
                {"name": name, "oadev": [{"tau_s": tau_s, "sigma": sigma, "partner": who} for tau_s, sigma, who in f]}
                for name, f in self.partner.items()
            ],
            "differences": [{"of": of, "minus": minus, "rms_s": rms_s} for of, minus, rms_s in self.apart],
            "why": self.why,
        }


def compare(table: PhaseTable, tell: Callable[[int, int], None] | None = None) -> Comparison:
    """Compute every algorithm's scale of a table and what they stand beside; raises as `make_report` does.

    tell: called with (done, total) after each clock judged by each algorithm.
    """
    reports: dict[str, ScaleReport] = {}
    total = len(ALGORITHMS) * len(table.clocks)
    for done, key in enumerate(ALGORITHMS):
        reports[key] = make_report(table, key, _shifted(tell, done * len(table.clocks), total))
    interval_s = next(iter(reports.values())).interval_s
    equal = {
        name: deviations(table.epochs, against_equal_weights(table, name), interval_s)
        for name in table.clocks
        if len(table.clocks) > 1
    }
    return Comparison(reports, equal, best_partners(table, interval_s), _apart(reports), _reasons(reports))


def best_partners(table: PhaseTable, interval_s: float) -> dict[str, list[tuple[float, float, str]]]:
    """For each clock the least deviation against any single other clock [(tau_s, sigma, which)], tau by tau."""
    n = len(table.clocks)
    best: dict[str, dict[float, tuple[float, str]]] = {name: {} for name in table.clocks}
    for i in range(n):
        for j in range(i):
            for tau_s, sigma in deviations(table.epochs, table.x[:, i] - table.x[:, j], interval_s):
                for one, other in ((i, j), (j, i)):
                    so_far = best[table.clocks[one]].get(tau_s)
                    if so_far is None or sigma < so_far[0]:
                        best[table.clocks[one]][tau_s] = (sigma, table.clocks[other])
    return {name: [(tau_s, *found[tau_s]) for tau_s in sorted(found)] for name, found in best.items()}


def _shifted(tell: Callable[[int, int], None] | None, before: int, total: int) -> Callable[[int, int], None] | None:
    return None if tell is None else lambda done, _: tell(before + done, total)


def _apart(reports: dict[str, ScaleReport]) -> list[tuple[str, str, float]]:
    every = list(reports.values())
    found = []
    for i, of in enumerate(every):
        for minus in every[:i]:
            apart = difference(of.run.steps, minus.run.steps)
            found.append((of.algorithm, minus.algorithm, float(np.sqrt(np.nanmean(apart**2)))))
    return found


def _reasons(reports: dict[str, ScaleReport]) -> list[str]:
    """How each algorithm goes about it, and for the clocks whose weights differ most what became of them in each."""
    every = list(reports.values())
    told = [f"{report.algorithm} {HOW[report.algorithm]}." for report in every if report.algorithm in HOW]
    names = [clock.name for clock in every[0].clocks]
    weights = np.array([[clock.weight for clock in report.clocks] for report in every])
    gaps = weights.max(axis=0) - weights.min(axis=0)
    for j in sorted(range(len(names)), key=lambda j: (-gaps[j], names[j]))[:DIFFERENCES_TOLD]:
        if gaps[j] >= TOLD_APART:
            each = [
                f"{report.algorithm} {report.clocks[j].weight:.3f} ({_mostly(report, names[j])})" for report in every
            ]
            told.append(f"{names[j]} weighs {', '.join(each)}.")
    told += [
        f"{of} minus {minus}: {si_time(rms_s)} rms without offset and rate." for of, minus, rms_s in _apart(reports)
    ]
    return told


def _mostly(report: ScaleReport, name: str) -> str:
    """What a clock was for most of the record: its two commonest states and their share of the epochs."""
    steps = report.run.steps
    states, counts = np.unique(steps.code[:, steps.clocks.index(name)], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:2]
    shares = [(CODES[int(states[place])], 100.0 * counts[place] / len(steps.epochs)) for place in order]
    return ", ".join(f"{word} {share:.0f} %" for word, share in shares if share >= 0.5)
