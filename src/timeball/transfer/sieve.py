"""Which tracks may stand in a link: limits of quality, the code to be used, and no track twice.

Every track that is left out is a :class:`Rejected` with its reason. The limits are those in common use: below 10° the
troposphere is a guess, a track of less than 750 s is not a whole one, and a fit with an rms above 20 ns has seen a
jump. What it does not do: look for outliers (see `robust`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from timeball.transfer.rejected import Rejected
from timeball.transfer.tracks import MaskArray, StationTracks, TextArray

PLAIN_V1 = ""  # a version without FRC does not say which code it is: taken for any
SYSTEMS = {"G": "GPS", "R": "GLONASS", "E": "Galileo", "C": "BeiDou", "J": "QZSS", "S": "SBAS", "I": "NavIC"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a track must have. systems, codes: letters and FRC that are wanted; empty: all.

    dsg_s: largest rms of a track's fit, and not judged where the file has none; srsys: largest slope of REFSYS (s/s).
    """

    elevation_deg: float = 10.0
    dsg_s: float = 20e-9
    track_s: float = 750.0
    srsys: float = 1e-9
    systems: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


def sieve(tracks: StationTracks, limits: Limits, value: str = "refsys_s") -> tuple[StationTracks, list[Rejected]]:
    """Leave out what is beyond the limits, has no value, or stands there twice (the first counts).

    value: the column that will be used.
    """
    slope = f"with a slope above {limits.srsys * 1e12:g} ps/s"
    rules: list[tuple[MaskArray, str, Callable[[int], str]]] = [
        (~np.isfinite(getattr(tracks, value)), f"without {value.removesuffix('_s').upper()}", lambda _: ""),
        (_not_among(tracks.system, limits.systems), "of a system not asked for", lambda i: str(tracks.satellite[i])),
        (_not_among(tracks.frc, limits.codes, PLAIN_V1), "of a code not asked for", lambda i: str(tracks.frc[i])),
        (
            ~(tracks.elevation_deg >= limits.elevation_deg),
            f"below {limits.elevation_deg:g}° of elevation",
            lambda i: f"{tracks.elevation_deg[i]:.1f}°",
        ),
        (
            ~(tracks.track_s >= limits.track_s),
            f"shorter than {limits.track_s:g} s",
            lambda i: f"{tracks.track_s[i]:g} s",
        ),
        (
            tracks.dsg_s > limits.dsg_s,
            f"with DSG above {limits.dsg_s * 1e9:g} ns",
            lambda i: f"{tracks.dsg_s[i] * 1e9:.1f} ns",
        ),
        (np.abs(tracks.srsys) > limits.srsys, slope, lambda i: f"{tracks.srsys[i] * 1e12:+.1f} ps/s"),
    ]
    kept, rejected = _apply(tracks, rules)
    again = _repeated(kept)
    rejected += [kept.rejected(row, "repeated") for row in np.flatnonzero(again).tolist()]
    return kept.take(~again), rejected


def one_code(tracks: StationTracks, codes: dict[str, str]) -> tuple[StationTracks, list[Rejected]]:
    """Keep one code of every system, ``codes[system]``; tracks that do not say theirs stay."""
    wanted = np.array([codes.get(system, "") for system in tracks.system.tolist()], dtype=str)
    other = (tracks.frc != wanted) & (tracks.frc != PLAIN_V1)
    rejected = [
        tracks.rejected(row, "of another code than the one compared", str(tracks.frc[row]))
        for row in np.flatnonzero(other).tolist()
    ]
    return tracks.take(~other), rejected


def choose_codes(sides: Iterable[StationTracks], *, shared: bool) -> dict[str, str]:
    """Choose one code a system: free of the ionosphere first (L3…), then the one with most tracks, then by name.

    shared: only codes that every side has, where one side says its code (common view); else of any side.
    """
    parts = [side for side in sides if len(side)]
    chosen: dict[str, str] = {}
    for system in sorted({letter for side in parts for letter in side.system.tolist()}):
        counts = [_counts(side, system) for side in parts]
        known = [each for each in counts if each]
        names = {code for each in known for code in each}
        if shared and known:
            names = set.intersection(*(set(each) for each in known))
        total = {code: sum(each.get(code, 0) for each in known) for code in names}
        if total:
            chosen[system] = min(total, key=lambda code: (not code.startswith("L3"), -total[code], code))
    return chosen


def _counts(side: StationTracks, system: str) -> dict[str, int]:
    codes, counts = np.unique(side.frc[side.system == system], return_counts=True)
    return {code: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True) if code != PLAIN_V1}


def _not_among(values: TextArray, wanted: tuple[str, ...], *also: str) -> MaskArray:
    if not wanted:
        return np.zeros(values.shape, dtype=bool)
    return ~np.isin(values, [*wanted, *also])


def _apply(
    tracks: StationTracks, rules: list[tuple[MaskArray, str, Callable[[int], str]]]
) -> tuple[StationTracks, list[Rejected]]:
    """Take the rules one after the other: the first that a track breaks is its reason."""
    out = np.zeros(len(tracks), dtype=bool)
    rejected: list[Rejected] = []
    for broken, reason, value in rules:
        rejected += [tracks.rejected(row, reason, value(row)) for row in np.flatnonzero(broken & ~out).tolist()]
        out |= broken
    return tracks.take(~out), rejected


def _repeated(tracks: StationTracks) -> MaskArray:
    """Tell which tracks have the start, satellite and code of one before them (they are in that order)."""
    again = np.zeros(len(tracks), dtype=bool)
    again[1:] = (
        (tracks.epoch[1:] == tracks.epoch[:-1])
        & (tracks.satellite[1:] == tracks.satellite[:-1])
        & (tracks.frc[1:] == tracks.frc[:-1])
    )
    return again
