"""Deviations of long records, all octaves, beside allantools; and how the time grows with the number of points.

allantools is timed where it can do it: MTOTDEV, HTOTDEV and Thêo1 at 4 000 points (once; its time grows as N²), PDEV
at a thousand, MTIE at ten thousand, where its memory ends.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import allantools
import numpy as np

from bench import Figure, medians
from timeball import stability

MILLION = 1_000_000
SIZES = (1_000, 10_000, 100_000, MILLION, 10_000_000)
LEAST_RATIO = {
    "oadev": 8.0,
    "totdev": 8.0,
    "mdev": 5.0,
    "tdev": 5.0,
    "adev": 5.0,
    "hdev": 5.0,
    "ohdev": 5.0,
    "tierms": 5.0,
}
# Deviations whose peer cannot be run at a million points, and where it is: with these least ratios.
SHORT = {"pdev": (1_000, 5.0), "mtie": (10_000, 5.0)}
# Their own time grows as N²: the record ends earlier, and the ratio is out of the same run at 4 000 points.
SQUARE = ("mtotdev", "htotdev", "theo1")
PEER_POINTS, LONG_POINTS = 4_000, 100_000
LEAST_SQUARE_RATIO, MOST_S = 1_000.0, 2.5
MOST_MTIE_S = 1.0
# Octaves make N log N, an exponent of 1.07; that the longer record fits no cache adds some 0.2. Windows summed anew at
# each start would make it 2.
GROWTH, STEEPEST = (100_000, 10_000_000), 1.4
THREADS = 2


def figures() -> Iterator[Figure]:
    """Give time and ratio by deviation and size, the exponents of growth, and the rounding error of MDEV."""
    phases = np.cumsum(np.random.default_rng(1).standard_normal(SIZES[-1])) * 1e-12
    for name, least in LEAST_RATIO.items():
        yield from _plain(name, phases, MILLION, least)
    for name, (peer_points, least) in SHORT.items():
        yield from _plain(name, phases, peer_points, least)
    for name in SQUARE:
        yield from _square(name, phases)
    yield _rounding()


def _plain(name: str, phases: np.ndarray, peer_points: int, least: float) -> Iterator[Figure]:
    """Time all sizes and the peer in turn: a slow minute of the machine then bends no exponent and no ratio."""
    ours, theirs = getattr(stability, name), getattr(allantools, name)
    works: dict[str, Callable[[], object]] = {}
    for size in SIZES:
        works[f"{size}"] = partial(ours, phases[:size].copy(), 1.0)
    x = phases[:peer_points].copy()
    works["peer"] = partial(theirs, x, rate=1.0, data_type="phase", taus=ours(x, 1.0).tau_s)
    taken = medians(works, rounds=5)
    for size in SIZES:
        label = f"{name.upper()} of 1e{round(math.log10(size))} points, octaves"
        if size == peer_points:
            ratio = taken["peer"] / taken[f"{size}"]
            peer = f"allantools {taken['peer']:.3g} s"
            target = f"ratio >= {least:g}"
            yield Figure(label, "stability", taken[f"{size}"], "s", peer, ratio, target, ratio >= least)
        elif name == "mtie" and size == SIZES[-1]:
            seconds = taken[f"{size}"]
            yield Figure(label, "stability", seconds, "s", None, None, f"<= {MOST_MTIE_S:g} s", seconds <= MOST_MTIE_S)
        else:
            yield Figure(label, "stability", taken[f"{size}"], "s")
    yield _exponent(name, {size: taken[f"{size}"] for size in SIZES}, GROWTH, STEEPEST)


def _square(name: str, phases: np.ndarray) -> Iterator[Figure]:
    ours, theirs = getattr(stability, name), getattr(allantools, name)
    x = phases[:PEER_POINTS].copy()
    taus = ours(x, 1.0).m.astype(float)
    start = time.perf_counter()
    theirs(x, rate=1.0, data_type="phase", taus=taus)
    peer_s = time.perf_counter() - start
    sizes = (1_000, PEER_POINTS, 10_000, LONG_POINTS)
    taken = medians({f"{size}": partial(ours, phases[:size].copy(), 1.0) for size in sizes}, rounds=5)
    times = {size: taken[f"{size}"] for size in sizes}
    both = partial(ours, phases[:LONG_POINTS].copy(), 1.0, threads=THREADS)
    shared = medians({"shared": both}, rounds=3)["shared"]
    for size, seconds in times.items():
        label = f"{name.upper()} of {size} points, octaves"
        if size == PEER_POINTS:
            ratio = peer_s / seconds
            target = f"ratio >= {LEAST_SQUARE_RATIO:g}"
            ok = ratio >= LEAST_SQUARE_RATIO
            yield Figure(label, "stability", seconds, "s", f"allantools {peer_s:.3g} s", ratio, target, ok)
        elif size == LONG_POINTS:
            yield Figure(label, "stability", seconds, "s", None, None, f"<= {MOST_S:g} s", seconds <= MOST_S)
        else:
            yield Figure(label, "stability", seconds, "s")
    yield Figure(f"{name.upper()} of {LONG_POINTS} points, {THREADS} threads", "stability", shared, "s")
    yield _exponent(name, times, (10_000, LONG_POINTS), 2.1)


def _exponent(name: str, times: dict[int, float], ends: tuple[int, int], most: float) -> Figure:
    short, long = ends
    slope = math.log(times[long] / times[short]) / math.log(long / short)
    label = f"{name.upper()} growth exponent from 1e{round(math.log10(short))} to 1e{round(math.log10(long))} points"
    return Figure(label, "stability", slope, "1", None, None, f"<= {most:g}", slope <= most)


def _rounding() -> Figure:
    """Compare MDEV of a million whole numbers with the exact sum, ours and the peer's; the worst of some octaves."""
    whole = np.cumsum(np.random.default_rng(2).integers(-1000, 1001, MILLION)) + 10**12
    x = whole.astype(np.float64)
    ours_worst = peer_worst = 0.0
    for m in (1, 64, 1024, 32768):
        second = whole[2 * m :] - 2 * whole[m:-m] + whole[: -2 * m]
        prefix = np.concatenate(([0], np.cumsum(second)))
        windows = (prefix[m:] - prefix[:-m]).astype(np.longdouble)
        exact = np.sqrt(np.mean(windows**2) / 2) / np.longdouble(m) ** 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = allantools.mdev(x, rate=1.0, taus=[m])[1][0]
        ours_worst = max(ours_worst, float(abs(stability.mdev(x, 1.0, [m]).sigma[0] / exact - 1)))
        peer_worst = max(peer_worst, float(abs(theirs / exact - 1)))
    # below 1e-14 it is the rounding of the last square root that is compared
    ok = ours_worst <= max(peer_worst, 1e-14)
    ratio = peer_worst / max(ours_worst, 1e-17)
    label = "MDEV of 1e6 points, relative rounding error"
    return Figure(label, "stability", ours_worst, "1", f"allantools {peer_worst:.2g}", ratio, "no worse", ok)
