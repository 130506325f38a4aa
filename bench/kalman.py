"""The Kalman scale: time of a year, per epoch beside filterpy, growth with the epochs, precision over ten years."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from bench import Figure, Skip, medians
from bench.kalman_reference import Reference
from timeball.ensemble.kalman import KalmanParameters, KalmanState, advance
from timeball.ensemble.noise import ClockNoise
from timeball.readings import PhaseTable

ROOM = "ensemble"
TAU_S = 3600.0
YEAR = 8760
LEAST_RATIO = {10: 15.0, 100: 6.0}
PEER_EPOCHS = {10: 400, 100: 40}
LONGER = 10
GREATEST_ERROR_S = 1e-17  # 0.01 fs
GREATEST_LOSS = 1e-6
CHANNEL_S = 10e-12


def figures() -> Iterator[Figure | Skip]:
    """Give the time of a year, the ratios to filterpy, the growth with the epochs, bits and precision."""
    table, rules = ensemble(100, YEAR)
    _warm(table, rules)
    seconds, first = math.inf, 0.0
    for _ in range(2):
        first, whole = _halves(table, rules)
        seconds = min(seconds, whole)
    yield Figure("Kalman, 100 clocks, a year hourly, 5 % missing", ROOM, seconds, "s", target="<= 4 s", ok=seconds <= 4)
    growth = math.log(seconds / first) / math.log(2)
    yield Figure("Kalman growth exponent with epochs", ROOM, growth, "1", target="<= 1.15", ok=growth <= 1.15)
    for n in LEAST_RATIO:
        yield _beside_filterpy(n)
    yield _generic_bits()
    for clocks, years in ((5, 10), (30, 0.1)):  # with many clocks the corrections go another way
        loss, error_s = precision(clocks, int(years * YEAR), 1e-12)
        span = f"{years:g} years of {clocks} clocks at 1 ps"
        name = f"{span}, loss of the covariance of differences"
        yield Figure(name, ROOM, loss, "1", target=f"<= {GREATEST_LOSS:g}", ok=loss <= GREATEST_LOSS)
        name = f"{span}, error of the estimates"
        yield Figure(name, ROOM, error_s * 1e15, "fs", target="<= 0.01 fs", ok=error_s <= GREATEST_ERROR_S)


def ensemble(n: int, m: int, noise_s: float = CHANNEL_S, seed: int = 1) -> tuple[PhaseTable, KalmanParameters]:
    """Clocks of white and random-walk FM, every fifth with a drift, hourly, 5 % of the readings missing."""
    rng = np.random.default_rng([seed, n])
    wfm, rwfm = 10.0 ** rng.uniform(-13, -11, n), 10.0 ** rng.uniform(-18.5, -17, n)
    rate = np.cumsum(rng.normal(size=(m, n)) * rwfm * math.sqrt(3 * TAU_S), axis=0)
    x = np.cumsum(rng.normal(size=(m, n)) * wfm * math.sqrt(TAU_S) + rate * TAU_S, axis=0)
    x += noise_s * rng.normal(size=(m, n))
    x -= x[:, :1]
    missing = rng.random((m, n)) < 0.05
    missing[:, 0] = False
    x[missing] = np.nan
    names = tuple(f"C{j:03d}" for j in range(n))
    wpm = noise_s * math.sqrt(3.0)
    noise = {
        name: ClockNoise(wpm=wpm, wfm=wfm[j], rwfm=rwfm[j], rrfm=1e-26 if j % 5 == 4 else 0.0, drifts=j % 5 == 4)
        for j, name in enumerate(names)
    }
    epochs = np.arange(m, dtype=np.int64) * int(TAU_S * 1e9)
    table = PhaseTable(epochs, names, np.rint(x * 1e15) / 1e15, np.zeros(m, dtype=np.int32), names[0])
    return table, KalmanParameters(noise_by_clock=noise, interval_s=TAU_S)


def precision(clocks: int, epochs: int, noise_s: float) -> tuple[float, float]:
    """Loss of the covariance of phase and rate differences, and error of the phase differences (s).

    Ours in 64-bit numbers against `Reference` in 80-bit, both from the same state after 50 epochs on. The loss is the
    largest difference of the covariances in units of the two standard deviations.
    """
    table, rules = ensemble(clocks, epochs, noise_s, seed=2)
    rules = KalmanParameters(noise_by_clock=rules.noise_by_clock, outlier_reduce=1e6, outlier_reject=1e7)
    start, _ = advance(KalmanState.empty(), rules, _rows(table, 0, 50))
    noise = [rules.noise_of(name) for name in table.clocks]
    pivot = table.clocks.index(start.pivot)
    keep = [i for i in range(len(start.x)) if i not in (pivot, clocks + pivot)]
    reference = Reference(noise, pivot, start.x[keep], start.P[np.ix_(keep, keep)])
    state, _ = advance(start, rules, _rows(table, 50, epochs))
    for t in range(50, epochs):
        reference.predict(float(table.epochs[t] - table.epochs[t - 1]) / 1e9)
        reference.update(table.x[t])
    sigma = np.sqrt(np.diag(reference.P)).astype(np.float64)
    apart = (state.P[np.ix_(keep, keep)].astype(np.longdouble) - reference.P).astype(np.float64)
    loss = float(np.abs(apart / np.outer(sigma, sigma)).max())
    error = (state.x[keep].astype(np.longdouble) - reference.x)[: clocks - 1]
    return loss, float(np.abs(error).max())


def _rows(table: PhaseTable, first: int, last: int) -> PhaseTable:
    rows = slice(first, last)
    return PhaseTable(table.epochs[rows], table.clocks, table.x[rows], table.pivot[rows], table.reference)


def _warm(table: PhaseTable, rules: KalmanParameters) -> None:
    advance(KalmanState.empty(), rules, _rows(table, 0, 5))


def _halves(table: PhaseTable, rules: KalmanParameters) -> tuple[float, float]:
    """Seconds of the first half of the epochs, and of all of them."""
    middle = len(table.epochs) // 2
    begin = time.perf_counter()
    state, _ = advance(KalmanState.empty(), rules, _rows(table, 0, middle))
    half = time.perf_counter() - begin
    advance(state, rules, _rows(table, middle, len(table.epochs)))
    return half, time.perf_counter() - begin


def _beside_filterpy(n: int) -> Figure | Skip:
    name = f"Kalman with {n} clocks"
    try:
        import filterpy  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401

        from bench import kalman_filterpy
    except ImportError:
        return Skip(name, "filterpy is not installed")
    table, rules = ensemble(n, LONGER * PEER_EPOCHS[n])  # ours is over too soon to be timed on as few epochs
    few = table.x[: PEER_EPOCHS[n]]
    noise = [rules.noise_of(clock) for clock in table.clocks]
    _warm(table, rules)
    taken = medians(
        {
            "timeball": lambda: advance(KalmanState.empty(), rules, table),
            "filterpy": lambda: kalman_filterpy.run(few, noise, TAU_S),
        },
        rounds=7,
    )
    each, theirs = taken["timeball"] / len(table.epochs) * 1e6, taken["filterpy"] / len(few) * 1e6
    least = LEAST_RATIO[n]
    peer = f"filterpy {theirs:.4g} µs/epoch"
    ratio = theirs / each
    return Figure(name, ROOM, each, "µs/epoch", peer, ratio, f"ratio >= {least:g}", ratio >= least)


PROGRAM = """
from bench.kalman import digest
print(digest())
"""


def digest() -> str:
    """A hash over every bit of the steps and the state of 20 clocks over 200 epochs."""
    table, rules = ensemble(20, 200)
    state, steps = advance(KalmanState.empty(), rules, table)
    parts = (steps.x, steps.y, steps.weight, steps.error, steps.sigma, steps.figure, steps.code, state.x, state.P)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def _generic_bits() -> Figure:
    """1 when a process that compiles for a generic CPU gets the bits that this one gets."""
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=900
    )
    same = done.stdout.strip() == digest()
    return Figure("Kalman bits equal on a generic CPU", ROOM, float(same), "1", target="1", ok=same)
