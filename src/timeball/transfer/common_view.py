"""Common view: two stations observe one satellite at one time, and its clock drops out of the difference.

Sign: x = REFSYS_a − REFSYS_b (or of REFSV), which is clock a minus clock b (s). Allan and Weiss, 1980; Defraigne and
Petit, Metrologia 52 (2015) G1.

Both stations see the same satellite clock, and nearly the same orbit error; the nearer they stand, the better. With
REFSYS both must have used the same ephemeris, which ``same_ephemeris`` asks for; REFSV does not contain the clock that
was broadcast. What it does not do: correct orbits, or weigh one satellite against the others beyond its weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from timeball.readings import FloatArray
from timeball.transfer.errors import NoLinkError, TransferError
from timeball.transfer.link import Link, Shown, summary_of
from timeball.transfer.rejected import RejectedRows, Rejections, by_reason
from timeball.transfer.robust import WINDOW_S, outliers
from timeball.transfer.sieve import IONOSPHERE_FREE, Limits, choose_codes, one_code, sieve
from timeball.transfer.tracks import IntArray, StationTracks
from timeball.transfer.weights import epoch_means, variances

VALUES = {"refsys": "refsys_s", "refsv": "refsv_s"}
IONOSPHERES = ("filed", "measured")


@dataclass(frozen=True, slots=True)
class Options:
    """How tracks are compared. value: refsys or refsv. weights: elevation, dsg or equal. sigmas: an outlier is further
    than that from the running median over window_s (0: none is). ionosphere: as filed, or measured (MSIO) in place of
    modelled (MDIO). u_b_s: of the calibrations, NaN when not known. same_ephemeris: common view only.
    """

    limits: Limits = field(default_factory=Limits)
    value: str = "refsys"
    weights: str = "elevation"
    sigmas: float = 5.0
    window_s: float = WINDOW_S
    ionosphere: str = "filed"
    same_ephemeris: bool = False
    u_b_s: float = math.nan


def common_view(a: StationTracks, b: StationTracks, options: Options | None = None) -> Link:
    """Compare two stations by the tracks that both have: same satellite, start and code.

    Raises ``NoLinkError`` when none is left, with the reasons; ``TransferError`` for options that make no sense.
    """
    chosen = options or Options()
    good_a, rejected = within_limits(a, chosen)
    good_b, out_b = within_limits(b, chosen)
    codes = choose_codes((good_a, good_b), shared=True)
    side_a, others_a = one_code(good_a, codes)
    side_b, others_b = one_code(good_b, codes)
    rejected += out_b + others_a + others_b
    rows_a, rows_b = _common(side_a, side_b)
    rejected += Rejections([_alone(side_a, rows_a, b.name), _alone(side_b, rows_b, a.name)])
    both_a, both_b = side_a.take(rows_a), side_b.take(rows_b)
    if chosen.same_ephemeris:
        differs = both_a.ioe != both_b.ioe
        issues = np.stack([both_a.ioe, both_b.ioe], axis=1)
        reason = "with another ephemeris than the other station"
        rejected += Rejections(each.rejected(differs, reason, issues, _issues) for each in (both_a, both_b))
        both_a, both_b = both_a.take(~differs), both_b.take(~differs)
    if not len(both_a):
        raise NoLinkError(f"{a.name} and {b.name} have no track in common", by_reason(rejected))
    column = VALUES[chosen.value]
    x = getattr(both_a, column) - getattr(both_b, column)
    out = np.zeros(x.shape, dtype=bool)
    if chosen.sigmas > 0:
        expected = variances(both_a, chosen.weights) + variances(both_b, chosen.weights)
        out, residual = outliers(both_a.epoch, x, chosen.sigmas, chosen.window_s, expected)
        reason = outlier_reason(chosen)
        rejected += Rejections(each.rejected(out, reason, residual, ns_text) for each in (both_a, both_b))
    return _link(both_a.take(~out), both_b.take(~out), x[~out], chosen, rejected, codes)


def within_limits(tracks: StationTracks, options: Options) -> tuple[StationTracks, Rejections]:
    """Apply the ionosphere that is asked for, and the limits."""
    if options.value not in VALUES or options.ionosphere not in IONOSPHERES:
        raise TransferError(f"no such value or ionosphere: {options.value!r}, {options.ionosphere!r}")
    column = VALUES[options.value]
    if options.ionosphere == "measured":  # the file took MDIO out; with MSIO it would have taken out MSIO
        free = np.char.startswith(tracks.frc, IONOSPHERE_FREE)  # of two frequencies: there was nothing to take out
        change = np.where(free, 0.0, tracks.mdio_s - tracks.msio_s)
        tracks = tracks.replaced(refsys_s=tracks.refsys_s + change, refsv_s=tracks.refsv_s + change)
    return sieve(tracks, options.limits, column)


def half_track_ns(tracks: StationTracks) -> int:
    """Give half the usual length of a track: values belong to the middle (CGGTTS V2E, section 3.2)."""
    return int(np.median(tracks.middle - tracks.epoch))


def outlier_reason(options: Options) -> str:
    """The words for an outlier."""
    return f"more than {options.sigmas:g} σ from the others"


def ns_text(value_s: float) -> str:
    """Write a signed time in ns."""
    return f"{value_s * 1e9:+.1f} ns"


def _issues(pair: IntArray) -> str:
    return f"IOE {pair[0]} and {pair[1]}"


def _common(a: StationTracks, b: StationTracks) -> tuple[IntArray, IntArray]:
    """Give the places of the pairs: same start and satellite; each track is there once by now."""
    _, start = np.unique(np.concatenate([a.epoch, b.epoch]), return_inverse=True)
    names, name = np.unique(np.concatenate([a.satellite, b.satellite]), return_inverse=True)
    key = start * names.size + name
    _, rows_a, rows_b = np.intersect1d(key[: len(a)], key[len(a) :], assume_unique=True, return_indices=True)
    return rows_a.astype(np.int64), rows_b.astype(np.int64)


def _alone(tracks: StationTracks, paired: IntArray, other: str) -> RejectedRows:
    alone = np.ones(len(tracks), dtype=bool)
    alone[paired] = False
    return tracks.rejected(alone, f"not observed by {other}")


def _link(
    a: StationTracks,
    b: StationTracks,
    x: FloatArray,
    options: Options,
    rejected: Rejections,
    codes: dict[str, str],
) -> Link:
    weight = 1.0 / (variances(a, options.weights) + variances(b, options.weights))
    middle = a.epoch + half_track_ns(a)  # a short track has the epoch of the others that began with it
    means = epoch_means(middle, x, weight)
    mean, spread, _ = summary_of(middle, x, weight)
    shown = Shown(middle, a.satellite, x, x - means.x_s[means.row], a.elevation_deg, a.azimuth_deg)
    u_a = summary_of(means.epoch, means.x_s, means.weight)[2]
    return Link(
        a.name, b.name, "common-view", means.epoch, means.x_s, np.sqrt(means.variance_s2), means.count,
        mean, spread, int(x.size), u_a, options.u_b_s, rejected, shown, codes,
    )  # fmt: skip
