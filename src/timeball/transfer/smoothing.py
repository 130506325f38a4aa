"""Smoothed links, at their own epochs or at any others: Vondrák's smoothing and a Kalman smoother of a clock's model.

Sign: x is x_a − x_b (s). Both take values at unequal intervals with their uncertainties, pass over gaps, and give
values where they are asked for, with a standard uncertainty (k = 1) that says what white noise of the link leaves.
A link on the epochs of other readings is how it enters an ensemble.

What it does not do: carry a link beyond its first and last epoch, or across a step of a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timeball.readings import EpochArray, FloatArray
from timeball.transfer.errors import TransferError
from timeball.transfer.kalman import ClockNoise, fit_noise, smooth_clock
from timeball.transfer.tracks import MaskArray
from timeball.transfer.vondrak import smooth_vondrak

FEWEST = 4
NS = 1e9
# Epochs nearer than this are one: third differences over less would be noise of rounding.
NEAREST_NS = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Smoothed values at epochs. noise: the clocks' model, of the Kalman smoother; else None."""

    epoch: EpochArray
    x_s: FloatArray
    u_s: FloatArray
    noise: ClockNoise | None = None


def vondrak(
    epoch: EpochArray, x_s: FloatArray, u_s: FloatArray, cutoff_s: float, at: EpochArray | None = None
) -> Smoothed:
    """Smooth by Vondrák's method (Bull. Astron. Inst. Czech. 28 (1977) 84), which keeps what is slower than a period.

    epoch: int64[n], rising, ns of TAI; x_s, u_s: float64[n] (weights 1/u²; equal where u is not known). cutoff_s:
    period whose amplitude is halved. at: epochs wanted, default those given; outside the first and last none is given.
    Raises ``TransferError`` for fewer than 4 values or a period that is not positive.
    """
    _check(epoch, x_s)
    if not (np.isfinite(cutoff_s) and cutoff_s > 0):
        raise TransferError(f"the period of a smoothing must be positive, not {cutoff_s:g} s")
    times, values, weight, wanted = _merged(epoch, x_s, u_s, at)
    y, u = smooth_vondrak((times - times[0]) / NS, values, weight, cutoff_s)
    return Smoothed(times[wanted], y[wanted], u[wanted])


def kalman(
    epoch: EpochArray, x_s: FloatArray, u_s: FloatArray, noise: ClockNoise | None = None, at: EpochArray | None = None
) -> Smoothed:
    """Smooth by a clock's model: white noise of the link, white and random walk frequency noise of the clocks.

    noise: the model; None: fitted to the values by maximum likelihood, the link's own noise at least what u says.
    Other arguments and errors as `vondrak`.
    """
    _check(epoch, x_s)
    times, values, weight, wanted = _merged(epoch, x_s, u_s, at)
    t = (times - times[0]) / NS
    least = 1.0 / float(np.mean(1.0 / u_s**2)) if _known(u_s) else 0.0
    if noise is not None and not (noise.r_s2 > 0 and max(noise.q_phase, noise.q_frequency) > 0):
        raise TransferError("a clock's model needs noise of the link and of the clock")
    model = noise or fit_noise(t[weight > 0], values[weight > 0], weight[weight > 0], least)
    y, u = smooth_clock(t, values, weight, model)
    return Smoothed(times[wanted], y[wanted], u[wanted], model)


def _check(epoch: EpochArray, x_s: FloatArray) -> None:
    if x_s.size < FEWEST:
        raise TransferError(f"{x_s.size} epochs are too few to smooth: at least {FEWEST} are needed")
    if np.any(np.diff(epoch) <= 0):
        raise TransferError("epochs to smooth must rise")


def _merged(
    epoch: EpochArray, x_s: FloatArray, u_s: FloatArray, at: EpochArray | None
) -> tuple[EpochArray, FloatArray, FloatArray, MaskArray]:
    """Put wanted epochs among the measured ones, with weight 0: (epochs, values, weights of mean 1, wanted)."""
    weight = 1.0 / u_s**2 if _known(u_s) else np.ones(x_s.shape)
    weight = weight / weight.mean()
    if at is None:
        return epoch, x_s, weight, np.ones(epoch.shape, dtype=bool)
    inside = np.unique(at[(at >= epoch[0]) & (at <= epoch[-1])])
    near = np.abs(epoch[np.clip(np.searchsorted(epoch, inside), 0, epoch.size - 1)] - inside)
    before = np.abs(epoch[np.clip(np.searchsorted(epoch, inside) - 1, 0, epoch.size - 1)] - inside)
    apart = inside[(np.minimum(near, before) >= NEAREST_NS)]
    times = np.concatenate([epoch, apart])
    order = np.argsort(times, kind="stable")
    extra = np.zeros(apart.size)
    wanted = np.isin(times, inside)
    _near_enough(times, inside, wanted)
    return (
        times[order],
        np.concatenate([x_s, extra])[order],
        np.concatenate([weight, extra])[order],
        wanted[order],
    )


def _known(u_s: FloatArray) -> bool:
    return bool(np.isfinite(u_s).all() and (u_s > 0).all())


def _near_enough(times: EpochArray, inside: EpochArray, wanted: MaskArray) -> None:
    """Mark measured epochs that stand for a wanted one less than a second away."""
    for epoch in inside[~np.isin(inside, times)].tolist():
        wanted[int(np.argmin(np.abs(times - epoch)))] = True
