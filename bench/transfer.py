"""Links: a month of two receivers in common view and all in view, with what was left out counted and told.

The month is made up: 14 satellites in each of 89 tracks a day, three codes at one end and two at the other, a tenth
of them too low. The peer is what an engineer writes in an afternoon: two dictionaries of the tracks within the limits,
matched by start and satellite, and a weighted mean; it looks for no outliers, and gives no reasons.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator

import numpy as np

from bench.figure import Figure, Skip
from bench.measure import medians
from timeball.transfer import StationTracks, all_in_view, by_reason, common_view
from timeball.transfer.smoothing import kalman, vondrak
from timeball.transfer.tracks import COLUMNS

ROOM = "transfer"
SEED = 20_261_123
DAYS, A_DAY, SATELLITES = 30, 89, 14
STEP_NS = 960 * 10**9
FIRST_NS = 1_800_000_000 * 10**9
SLOWEST_S = 0.5


def figures() -> Iterator[Figure | Skip]:
    """Give the times of links, of their reasons in words and of smoothing, and the memory of a link."""
    a, b = station("A", 0.0, ("L1C", "L1P", "L3P"), 1), station("B", 7e-9, ("L1C", "L3P"), 2)
    link = common_view(a, b)
    taken = medians(
        {
            "cv": lambda: by_reason(common_view(a, b).rejected),
            "aiv": lambda: by_reason(all_in_view(a, b).rejected),
            "plain": lambda: dictionary_match(a, b),
            "words": lambda: list(link.rejected),
            "vondrak": lambda: vondrak(link.epoch, link.x_s, link.u_s, 86_400.0),
            "kalman": lambda: kalman(link.epoch, link.x_s, link.u_s),
        },
        rounds=3,
    )
    peer, target = taken["plain"], f"< {SLOWEST_S:g} s"
    told = f"dictionaries, no outliers, no reasons: {peer:.2f} s"
    for name, key in (("common view", "cv"), ("all in view", "aiv")):
        title = f"links: {name} of {(len(a) + len(b)) // 1000} 000 tracks"
        yield Figure(title, ROOM, taken[key], "s", told, peer / taken[key], target, taken[key] < SLOWEST_S)
    yield Figure(f"links: {len(link.rejected)} reasons in words", ROOM, taken["words"], "s", None, None, "< 1 s",
                 taken["words"] < 1.0)  # fmt: skip
    for key in ("vondrak", "kalman"):
        yield Figure(f"links: {link.epoch.size} epochs smoothed, {key}", ROOM, taken[key], "s")
    yield _memory(a, b)


def _memory(a: StationTracks, b: StationTracks) -> Figure:
    held = sum(getattr(side, name).nbytes for side in (a, b) for name in COLUMNS)
    tracemalloc.start()
    common_view(a, b)
    factor = tracemalloc.get_traced_memory()[1] / held
    tracemalloc.stop()
    return Figure("links: memory of common view, beside its tracks", ROOM, factor, "× their size", None, None, "< 4 ×",
                  factor < 4)  # fmt: skip


def station(name: str, late_s: float, codes: tuple[str, ...], seed: int) -> StationTracks:
    """Make up a month of one receiver, in the order that `join_tracks` gives."""
    rng = np.random.default_rng(SEED + seed)
    starts = DAYS * A_DAY
    n = starts * SATELLITES * len(codes)
    epoch = np.repeat(FIRST_NS + STEP_NS * np.arange(starts), SATELLITES * len(codes))
    satellite = np.array([f"G{k + 1:02d}" for k in range(SATELLITES)])
    refsys = late_s + rng.normal(0.0, 2e-9, n)
    return StationTracks(
        name, tuple(f"{name}{day}" for day in range(DAYS)),
        source=np.repeat(np.arange(DAYS), n // DAYS), line=np.tile(np.arange(n // DAYS) + 20, DAYS),
        satellite=np.tile(np.repeat(satellite, len(codes)), starts), epoch=epoch, track_s=np.full(n, 780.0),
        elevation_deg=rng.uniform(2.0, 89.0, n), azimuth_deg=rng.uniform(0.0, 360.0, n), refsv_s=refsys + 1e-4,
        refsys_s=refsys, srsys=np.zeros(n), dsg_s=np.full(n, 2e-9), ioe=np.full(n, 7), mdio_s=np.full(n, 1e-8),
        msio_s=np.full(n, 1e-8), frc=np.tile(np.array(codes, dtype="U3"), starts * SATELLITES),
    )  # fmt: skip


def dictionary_match(a: StationTracks, b: StationTracks) -> float:
    """Match the tracks of L3P within the limits, and give their weighted mean."""
    first, second = (_dictionary(side) for side in (a, b))
    total = weights = 0.0
    for key in first.keys() & second.keys():
        (x, low), (y, also) = first[key], second[key]
        weight = 1.0 / (1.0 / math.sin(math.radians(low)) ** 2 + 1.0 / math.sin(math.radians(also)) ** 2)
        total, weights = total + weight * (x - y), weights + weight
    return total / weights


def _dictionary(side: StationTracks) -> dict[tuple[int, str], tuple[float, float]]:
    columns = (side.epoch, side.satellite, side.frc, side.refsys_s, side.elevation_deg, side.track_s, side.dsg_s)
    return {
        (epoch, satellite): (x, elevation)
        for epoch, satellite, code, x, elevation, length, rms in zip(*(c.tolist() for c in columns), strict=True)
        if code == "L3P" and elevation >= 10.0 and length >= 750.0 and rms <= 20e-9
    }
