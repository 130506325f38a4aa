"""The slow noises of the clocks without drift, once more, from their own course against a scale.

`solving` takes every clock through third differences, which a drift does not touch and which see little of a walk. Of a
clock that has no drift second differences say more; but against a scale they hold the drift of that scale, which all
these clocks share. So it is found with them: each clock has a likelihood of its flicker floor, its random walk and the
common drift, on a grid; the drift is averaged over by what all the clocks say of it together, and so are the variances
of the pairs. These clocks carry the drift of the scale, each as far as its walk is small, so this is what a scale's
months depend on. Weights that go with the inverse of expected variances make the expected variance of the scale least;
the most likely walk is often none at all, and its clock would carry everything.

Sign: x is clock minus scale (s), the common drift that of the clocks against the scale (1/s). What it does not do:
judge which clocks have no drift (`anchors` does), or touch white noises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from timeball.ensemble.fitting.covariances import POWERS, generalised
from timeball.ensemble.noise import ClockNoise

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
POINTS = 64  # readings of a clock that are looked at, spread over the record
FEWEST = 12
# In months the most likely walk is often none at all, and a clock without one would carry the scale (two months of a
# drawn laboratory: worse than before). A year was better (`bench/truth.py`), so nothing is done with much less.
SHORTEST_S = 300 * 86400.0
FLOORS = np.array([0.0, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0])  # of the floor found before
# A walk meets the white noise of the clock at three records, where it is as good as none, to a hundredth of one.
MEETINGS = np.geomspace(3.0, 0.01, 15)
DRIFTS = 801
FAR = 3.0
WORST = 2.0  # χ² over its number, of the pair that explains a clock best: beyond, something happened to the clock


def refined_walks(
    noise: Mapping[str, ClockNoise], epochs: IntArray, clocks: Sequence[str], x: FloatArray
) -> dict[str, ClockNoise]:
    """The noises with flicker floor and random walk of the driftless clocks found anew; the others as they were.

    epochs: ns, int64[m]; x: clock minus scale, s, float64[m, n], NaN where a clock was not read; clocks: names of its
    columns. A clock with few readings, without white FM, or to which something happened that no noise explains stays as
    it was, and so do all when only one is left, or when the record is shorter than SHORTEST_S.
    """
    t_s = (epochs - epochs[0]) / 1e9
    if float(t_s[-1]) < SHORTEST_S:
        return dict(noise)
    kept = {}
    for name, each in noise.items():
        if each.drifts or each.wfm == 0.0 or name not in clocks:
            continue
        phase = x[:, list(clocks).index(name)]
        at = _spread_out(t_s, phase)
        likelihood = _likelihood(each, t_s[at], phase[at], float(t_s[-1])) if len(at) >= FEWEST else None
        if likelihood is not None:
            kept[name] = likelihood
    if len(kept) < 2:
        return dict(noise)
    surfaces = _over_drift([each[0] for each in kept.values()])
    found = dict(noise)
    for (name, (_, floors, walks)), surface in zip(kept.items(), surfaces, strict=True):
        share = surface / surface.sum()
        ffm, rwfm = (float(np.sqrt((share * each**2).sum())) for each in (floors, walks))
        found[name] = replace(noise[name], ffm=ffm, rwfm=rwfm)
    return found


def _spread_out(t_s: FloatArray, x: FloatArray) -> npt.NDArray[np.intp]:
    """Rows of the first reading in each of POINTS parts of the record."""
    rows = np.flatnonzero(np.isfinite(x))
    part = np.minimum((t_s[rows] / max(float(t_s[-1]), 1e-9) * POINTS).astype(np.int64), POINTS - 1)
    return np.asarray(rows[np.unique(part, return_index=True)[1]], dtype=np.intp)


def _likelihood(
    noise: ClockNoise, t_s: FloatArray, x: FloatArray, span_s: float
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Log likelihood of each pair of coefficients as a square of the drift, [pairs, 3], and the pairs (ADEV at 1 s).

    The three: at no drift, its slope, and what the clock knows of a drift (information, s²). None when no pair explains
    the clock.
    """
    unit = span_s / POINTS
    t = t_s / unit
    contrast = _second_differences(t)
    lag = t[:, None] - t[None, :]
    shape = {kind: contrast @ generalised(kind, lag) @ contrast.T for kind in ("wfm", "ffm", "rwfm")}
    white = contrast @ contrast.T * (noise.wpm**2 / 3.0 / unit**2)  # of the readings themselves
    floors, walks = (
        each.ravel()
        for each in np.meshgrid(noise.ffm * FLOORS, np.append(0.0, noise.wfm / (span_s * MEETINGS)), indexing="ij")
    )
    covariance = white + noise.wfm**2 * unit ** POWERS["wfm"] * shape["wfm"]
    covariance = (
        covariance
        + (floors**2)[:, None, None] * shape["ffm"]
        + (walks**2 * unit ** POWERS["rwfm"])[:, None, None] * shape["rwfm"]
    )
    lower = np.linalg.cholesky(covariance)
    columns = np.stack([contrast @ (x / unit), contrast @ (0.5 * t * t) * unit], axis=1)
    seen, drift = np.moveaxis(np.linalg.solve(lower, np.broadcast_to(columns, (len(lower), *columns.shape))), 2, 0)
    size, along, known = (seen * seen).sum(axis=1), (seen * drift).sum(axis=1), (drift * drift).sum(axis=1)
    if float((size - along * along / known).min()) > WORST * (len(t) - 3):
        return None
    level = -np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1) - 0.5 * size
    return np.stack([level, along, known], axis=1), floors, walks


def _second_differences(t: FloatArray) -> FloatArray:
    """Differences of neighbouring rates, float64[k − 2, k], of phases at times t that need not be even."""
    h, rows = np.diff(t), np.arange(len(t) - 2)
    contrast = np.zeros((len(t) - 2, len(t)))
    contrast[rows, rows] = 1.0 / h[:-1]
    contrast[rows, rows + 1] = -1.0 / h[:-1] - 1.0 / h[1:]
    contrast[rows, rows + 2] = 1.0 / h[1:]
    return contrast / np.sqrt(t[2:] - t[:-2])[:, None]


def _over_drift(squares: Sequence[FloatArray]) -> list[FloatArray]:
    """Weight of every pair of each clock, float64[pairs], the common drift averaged over."""
    likely = [each[each[:, 0].argmax()] for each in squares]
    centres = [float(each[1] / each[2]) for each in likely]
    reach = FAR / float(np.sqrt(sum(each[2] for each in likely)))
    drift = np.linspace(min(centres) - reach, max(centres) + reach, DRIFTS)
    logs = [each[:, :1] + each[:, 1:2] * drift - 0.5 * each[:, 2:] * drift**2 for each in squares]
    greatest = [each.max(axis=0) for each in logs]
    totals = [top + np.log(np.exp(each - top).sum(axis=0)) for each, top in zip(logs, greatest, strict=True)]
    joint = np.sum(totals, axis=0)
    weight = np.exp(joint - joint.max())
    weight /= weight.sum()
    return [np.exp(each - total) @ weight for each, total in zip(logs, totals, strict=True)]
