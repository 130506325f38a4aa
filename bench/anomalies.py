"""Anomalies: how often what happens is found, whom it is blamed on, and how often nothing was there.

Laboratories are drawn from printed seeds; one event is injected a trial (`anomaly_trials`), and the detectors go on
from the state they had before it. A trial counts as told apart when the first thing told is the right group, clock,
link or reference. Of a slow drift and a change of noise it is said besides how often they were called what they were,
and of every size how often somebody else was told of. A link that becomes noisy is tried where all clocks are masers:
nothing but that they do it together sets its clocks apart from the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench import Figure
from bench.anomaly_trials import DAYS, LONG_DAYS, STEP_S, Trial, advance, links_of, phases_of, study
from timeball.integrity.anomalies import DetectorState
from timeball.simulation.drawn import draw_laboratory

SEEDS = tuple(range(4101, 4121))
QUIET_DAYS = 365.0
STEP_SIZES = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 20.0)
SLOW_SIZES = {"drift": (2.0, 4.0, 6.0, 8.0, 12.0, 20.0), "variance": (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)}
CLOCKS_NOISY = 3  # a laboratory
EQUAL = {"active-maser": 1.0}
LEAST_TOLD_APART = 0.95
MOST_FALSE = 0.1  # a clock, a year


def figures() -> Iterator[Figure]:
    """Give detection against size, the share told apart, and false alarms, over the drawn laboratories."""
    steps, drifts, noisy, referred, linked = [], [], [], [], []
    noise = {"variance": SLOW_SIZES["variance"]}
    for seed in SEEDS:
        lab = draw_laboratory(seed, days=DAYS, step_s=STEP_S)
        steps += study(lab, seed, {"phase step": STEP_SIZES, "rate step": STEP_SIZES})
        patient = draw_laboratory(seed, days=LONG_DAYS, step_s=STEP_S)
        drifts += study(patient, seed + 100, {"drift": SLOW_SIZES["drift"]})
        noisy += study(lab, seed + 200, noise, ("clock",) * CLOCKS_NOISY)
        referred += study(lab, seed + 300, noise, ("reference",))
        equal = draw_laboratory(seed, days=DAYS, step_s=STEP_S, kinds=EQUAL)
        linked += study(equal, seed + 400, noise, ("link",))
    for kind in ("phase step", "rate step"):
        yield from curve(kind, [trial for trial in steps if trial.kind == kind], "sigma")
    yield from told_apart(steps)
    yield from curve("slow drift", drifts, "sigma")
    yield from curve("noise of a clock", noisy, "times")
    yield from curve("noise of the reference that all are read against", referred, "times")
    yield from curve("noise of a link beside equal clocks", linked, "times")
    yield false_alarms(SEEDS)


def curve(what: str, trials: Sequence[Trial], unit: str) -> Iterator[Figure]:
    """Detection against size; beside it what it was told as, and the false alarms a clock-year it brought with it."""
    for size in sorted({trial.sigmas for trial in trials}):
        chosen = [trial for trial in trials if trial.sigmas == size]
        found = sum(trial.told is not None for trial in chosen) / len(chosen)
        right = sum(bool(trial.of_it) for trial in chosen) / len(chosen)
        named = sum(trial.kind in trial.of_it for trial in chosen) / len(chosen)
        others = sum(trial.others for trial in chosen) / sum(trial.years for trial in chosen)
        words = f"right group {right:.2f}, right kind {named:.2f}; of others {others:.2g}/a"
        yield Figure(f"{what} of {size:g} {unit} found ({len(chosen)} events)", "anomalies", found, "1", words)


def told_apart(trials: Sequence[Trial]) -> Iterator[Figure]:
    """The share of events above 5 sigma of which the first thing told named the right group."""
    large = [trial for trial in trials if trial.sigmas > 5.0]
    found = [trial for trial in large if trial.told is not None]
    for origin in ("clock", "link", "reference"):
        yield _told_apart(f"{origin} told apart, found events above 5 sigma", [t for t in found if t.origin == origin])
    yield _told_apart("clock, link and reference told apart, found events above 5 sigma", found)
    yield _told_apart("the same of all events above 5 sigma, found or not", large, target=False)


def _told_apart(name: str, trials: list[Trial], *, target: bool = True) -> Figure:
    share = sum(trial.right for trial in trials) / max(len(trials), 1)
    name = f"{name} ({len(trials)})"
    if not target:
        return Figure(name, "anomalies", share, "1")
    ok = share >= LEAST_TOLD_APART
    return Figure(name, "anomalies", share, "1", target=f">= {LEAST_TOLD_APART}", ok=ok)


def false_alarms(seeds: tuple[int, ...]) -> Figure:
    """Anomalies told live in a year of laboratories in which nothing happened, a clock and year."""
    told, years = 0, 0.0
    for seed in seeds:
        lab = draw_laboratory(seed, days=QUIET_DAYS, step_s=STEP_S)
        _, anomalies = advance(DetectorState.empty(), lab, phases_of(lab), slice(None), links_of(lab))
        told += len(anomalies)
        years += len(lab.clocks) * QUIET_DAYS / 365.25
    value = told / years
    name = f"false alarms, live, {years:.0f} clock-years"
    return Figure(name, "anomalies", value, "1/a", target=f"<= {MOST_FALSE}", ok=value <= MOST_FALSE)
