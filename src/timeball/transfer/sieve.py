"""Which tracks may stand in a link: limits of quality, the code to be used, and no track twice.

Every track that is left out has its reason. The limits are those in common use: below 10° the
troposphere is a guess, a track of less than 750 s is not a whole one, and a fit with an rms above 20 ns has seen a
jump. What it does not do: look for outliers (see `robust`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.transfer.rejected import Rejections, Words
from timeball.transfer.tracks import MaskArray, StationTracks, TextArray

PLAIN_V1 = ""  # a version without FRC does not say which code it is: taken for any
IONOSPHERE_FREE = "L3"  # how the FRC of a combination free of the ionosphere begins
Rule = tuple[MaskArray, str, npt.NDArray[Any] | None, Words]  # rows that break it, its reason, what to tell of them
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


def sieve(tracks: StationTracks, limits: Limits, value: str = "refsys_s") -> tuple[StationTracks, Rejections]:
    """Leave out what is beyond the limits, has no value, or stands there twice (the first counts).

    value: the column that will be used.
    """
    column = getattr(tracks, value)
    rules: list[Rule] = [
        (~np.isfinite(column), f"without {value.removesuffix('_s').upper()}", None, str),
        (_not_among(tracks.system, limits.systems), "of a system not asked for", tracks.satellite, str),
        (_not_among(tracks.frc, limits.codes, PLAIN_V1), "of a code not asked for", tracks.frc, str),
        (
            ~(tracks.elevation_deg >= limits.elevation_deg),
            f"below {limits.elevation_deg:g}° of elevation",
            tracks.elevation_deg,
            lambda degrees: f"{degrees:.1f}°",
        ),
        (
            ~(tracks.track_s >= limits.track_s),
            f"shorter than {limits.track_s:g} s",
            tracks.track_s,
            lambda length_s: f"{length_s:g} s",
        ),
        (
            tracks.dsg_s > limits.dsg_s,
            f"with DSG above {limits.dsg_s * 1e9:g} ns",
            tracks.dsg_s,
            lambda rms_s: f"{rms_s * 1e9:.1f} ns",
        ),
        (
            np.abs(tracks.srsys) > limits.srsys,
            f"with a slope above {limits.srsys * 1e12:g} ps/s",
            tracks.srsys,
            lambda slope: f"{slope * 1e12:+.1f} ps/s",
        ),
    ]
    kept, rejected = _apply(tracks, rules)
    again = _repeated(kept, "epoch", "satellite", "frc")
    return kept.take(~again), rejected + Rejections([kept.rejected(again, "repeated")])


def one_code(tracks: StationTracks, codes: dict[str, str]) -> tuple[StationTracks, Rejections]:
    """Keep one code of every system, ``codes[system]``; tracks that do not say theirs stay, where no other is kept."""
    other = tracks.frc != PLAIN_V1
    system = tracks.system
    for letter, code in codes.items():
        other &= (system != letter) | (tracks.frc != code)
    kept = tracks.take(~other)
    again = _repeated(kept, "epoch", "satellite")  # with and without a code, in files of two versions
    others = tracks.rejected(other, "of another code than the one compared", tracks.frc)
    return kept.take(~again), Rejections([others, kept.rejected(again, "repeated")])


def choose_codes(sides: Iterable[StationTracks], *, shared: bool) -> dict[str, str]:
    """Choose one code a system: free of the ionosphere first (L3…), then the one with most tracks, then by name.

    shared: only codes that every side has, where one side says its code (common view); else of any side.
    """
    parts = [side for side in sides if len(side)]
    chosen: dict[str, str] = {}
    for system in sorted({letter for side in parts for letter in np.unique(side.system).tolist()}):
        counts = [_counts(side, system) for side in parts]
        known = [each for each in counts if each]
        names = {code for each in known for code in each}
        if shared and known:
            names = set.intersection(*(set(each) for each in known))
        total = {code: sum(each.get(code, 0) for each in known) for code in names}
        if total:
            chosen[system] = min(total, key=lambda code: (not code.startswith(IONOSPHERE_FREE), -total[code], code))
    return chosen


def _counts(side: StationTracks, system: str) -> dict[str, int]:
    codes, counts = np.unique(side.frc[side.system == system], return_counts=True)
    return {code: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True) if code != PLAIN_V1}


def _not_among(values: TextArray, wanted: tuple[str, ...], *also: str) -> MaskArray:
    if not wanted:
        return np.zeros(values.shape, dtype=bool)
    return ~np.isin(values, [*wanted, *also])


def _apply(tracks: StationTracks, rules: list[Rule]) -> tuple[StationTracks, Rejections]:
    """Take the rules one after the other: the first that a track breaks is its reason."""
    out = np.zeros(len(tracks), dtype=bool)
    parts = []
    for broken, reason, values, words in rules:
        parts.append(tracks.rejected(broken & ~out, reason, values, words))
        out |= broken
    return tracks.take(~out), Rejections(parts)


def _repeated(tracks: StationTracks, *columns: str) -> MaskArray:
    """Tell which tracks have in these columns what the one before them has (they are in order)."""
    again = np.zeros(len(tracks), dtype=bool)
    again[1:] = True
    for name in columns:
        column = getattr(tracks, name)
        again[1:] &= column[1:] == column[:-1]
    return again
