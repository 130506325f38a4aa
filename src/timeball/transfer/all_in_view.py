"""All in view: each station averages all satellites it sees, and the averages are subtracted.

Sign: x = mean REFSYS_a − mean REFSYS_b, which is clock a minus clock b (s). Petit and Jiang, Metrologia 45 (2008) 35.

No satellite needs to be seen from both ends, so the length of the baseline does not matter, but the clocks and orbits
that the satellites broadcast do not cancel. Each satellite system is averaged by itself, since its time is its own,
and subtracted at epochs at which both stations see it. Where there are several, the other systems are shifted onto
the one with most tracks by the median of what they differ: receivers' delays differ by system, and an epoch without
one of them would be a step otherwise. The shifts are told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timeball.readings import EpochArray, FloatArray
from timeball.transfer.common_view import VALUES, Options, half_track_ns, ns_text, outlier_reason, within_limits
from timeball.transfer.errors import NoLinkError, TransferError
from timeball.transfer.link import Link, Shown, summary_of
from timeball.transfer.rejected import RejectedRows, Rejections, by_reason
from timeball.transfer.robust import RESOLUTION_S, outliers
from timeball.transfer.sieve import SYSTEMS, choose_codes, one_code
from timeball.transfer.tracks import IntArray, StationTracks
from timeball.transfer.weights import EpochMeans, epoch_means, variances

ACROSS = "*"


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One station's means of one system, and the tracks that are in them."""

    tracks: StationTracks
    value_s: FloatArray
    means: EpochMeans


def all_in_view(a: StationTracks, b: StationTracks, options: Options | None = None, *, across: bool = False) -> Link:
    """Compare two stations by the averages of what each sees.

    across: take all systems for one, so that stations that have none in common can be compared; the difference of the
    systems' times (as receivers see them) is then in the link. Raises ``NoLinkError`` when no epoch is left, with
    reasons; ``TransferError`` for options that make no sense.
    """
    chosen = options or Options()
    if chosen.value != "refsys":
        raise TransferError("all in view averages over satellites: their clocks must be out, so it takes REFSYS")
    rejected: list[RejectedRows] = []
    codes: dict[str, str] = {}
    side_a, side_b = (_of_one_code(each, chosen, codes, rejected) for each in (a, b))
    sides_a = _sides(side_a, chosen, rejected, across)
    sides_b = _sides(side_b, chosen, rejected, across)
    rejected += _unshared(sides_a, sides_b, b.name) + _unshared(sides_b, sides_a, a.name)
    shared = sorted(set(sides_a) & set(sides_b), key=lambda key: (-len(sides_a[key].tracks), key))
    parts = {key: _subtract(sides_a[key], sides_b[key], a.name, b.name, rejected) for key in shared}
    parts = {key: part for key, part in parts.items() if part.epoch.size}
    if not parts:
        raise NoLinkError(f"{a.name} and {b.name} see no satellite system at one time", by_reason(Rejections(rejected)))
    return _link(a.name, b.name, parts, codes, chosen, Rejections(rejected))


def _of_one_code(
    tracks: StationTracks, options: Options, codes: dict[str, str], rejected: list[RejectedRows]
) -> StationTracks:
    """Apply the limits and choose a code a system for one station alone; where the two differ both are told."""
    good, out = within_limits(tracks, options)
    own = choose_codes((good,), shared=False)
    kept, others = one_code(good, own)
    rejected += (*out.parts, *others.parts)
    for system, code in own.items():
        told = codes.setdefault(system, code)
        codes[system] = told if told == code else f"{told} and {code}"
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The difference of one system: m epochs, and the tracks of both sides that are in it."""

    epoch: EpochArray
    x_s: FloatArray
    variance_s2: FloatArray
    count: IntArray
    shown: Shown


def _sides(tracks: StationTracks, options: Options, rejected: list[RejectedRows], across: bool) -> dict[str, _Side]:
    """Average one station by system, its outliers left out."""
    found: dict[str, _Side] = {}
    system = tracks.system
    for key in [ACROSS] if across else sorted(set(system.tolist())):
        own = tracks if across else tracks.take(system == key)
        if not len(own):
            continue
        value = getattr(own, VALUES[options.value])
        if options.sigmas > 0:
            out, residual = outliers(
                own.epoch, value, options.sigmas, options.window_s, variances(own, options.weights)
            )
            rejected.append(own.rejected(out, outlier_reason(options), residual, ns_text))
            own, value = own.take(~out), value[~out]
        found[key] = _Side(own, value, epoch_means(own.epoch, value, 1.0 / variances(own, options.weights)))
    return found


def _unshared(sides: dict[str, _Side], others: dict[str, _Side], other: str) -> list[RejectedRows]:
    alone = {key: sides[key].tracks for key in sorted(set(sides) - set(others))}
    return [
        tracks.rejected(np.arange(len(tracks)), f"of {SYSTEMS.get(key, key)}, of which {other} has no track")
        for key, tracks in alone.items()
    ]


def _subtract(a: _Side, b: _Side, name_a: str, name_b: str, rejected: list[RejectedRows]) -> _Part:
    """Subtract where both have the epoch; tracks of other epochs are rejected."""
    epoch, at_a, at_b = np.intersect1d(a.means.epoch, b.means.epoch, return_indices=True)
    for side, other in ((a, name_b), (b, name_a)):
        alone = ~np.isin(side.tracks.epoch, epoch)
        rejected.append(side.tracks.rejected(alone, f"at a time at which {other} has none of its system"))
    count = a.means.count[at_a] + b.means.count[at_b]
    x = a.means.x_s[at_a] - b.means.x_s[at_b]
    half_ns = half_track_ns(a.tracks)
    shown = _joined(_shown(a, epoch, half_ns), _shown(b, epoch, half_ns))
    variance = a.means.variance_s2[at_a] + b.means.variance_s2[at_b]
    return _Part(epoch + half_ns, x, variance, count, shown)


def _shown(side: _Side, epoch: EpochArray, half_ns: int) -> Shown:
    inside = np.isin(side.tracks.epoch, epoch)
    kept = side.tracks.take(inside)
    residual = (side.value_s - side.means.x_s[side.means.row])[inside]
    return Shown(
        kept.epoch + half_ns, kept.satellite, side.value_s[inside], residual, kept.elevation_deg, kept.azimuth_deg
    )


def _joined(*parts: Shown) -> Shown:
    names = ("epoch", "satellite", "x_s", "residual_s", "elevation_deg", "azimuth_deg")
    return Shown(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _link(
    a: str, b: str, parts: dict[str, _Part], codes: dict[str, str], options: Options, rejected: Rejections
) -> Link:
    """Put the systems together, each shifted onto the first and weighed by its variance."""
    first = next(iter(parts.values()))
    offsets = {key: _offset(part, first) for key, part in parts.items()}
    epoch = np.concatenate([part.epoch for part in parts.values()])
    x = np.concatenate([part.x_s - offsets[key] for key, part in parts.items()])
    variance = np.concatenate([part.variance_s2 for part in parts.values()])
    count = np.concatenate([part.count for part in parts.values()])
    known = bool(np.isfinite(variance).all())
    weight = 1.0 / np.maximum(variance, RESOLUTION_S**2) if known else np.ones(x.shape)
    whole = epoch_means(epoch, x, weight)
    counts = np.bincount(whole.row, count, minlength=whole.epoch.size).astype(np.int64)
    u = np.sqrt(1.0 / whole.weight) if known else np.full(whole.epoch.size, np.nan)
    mean, spread, u_a = summary_of(whole.epoch, whole.x_s, np.ones(whole.epoch.size))
    shown = _joined(*(part.shown for part in parts.values()))
    several = {SYSTEMS.get(key, key): offsets[key] for key in parts} if len(parts) > 1 else {}
    return Link(
        a, b, "all-in-view", whole.epoch, whole.x_s, u, counts, mean, spread, int(counts.sum()), u_a,
        options.u_b_s, rejected, shown, codes, several,
    )  # fmt: skip


def _offset(part: _Part, first: _Part) -> float:
    """Give the median of what one system's link differs from the first's; 0 when they share no epoch."""
    if part is first:
        return 0.0
    _, mine, its = np.intersect1d(part.epoch, first.epoch, return_indices=True)
    return float(np.median(part.x_s[mine] - first.x_s[its])) if mine.size else 0.0
