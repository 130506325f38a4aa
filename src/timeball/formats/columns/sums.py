"""Samples of plain columns become readings: units, hertz, and frequencies that are added up to phases.

Sign: x is x_clock − x_reference. What it does not do: fill a gap between phases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.formats.columns.options import ColumnOptions
from timeball.instants import NS_PER_SECOND
from timeball.readings import FloatArray, Readings

IntArray = npt.NDArray[np.int64]
REAL_ZERO = 1e-99  # what Stable32 writes for a 0 that is no gap


@dataclass(slots=True)
class Samples:
    """Columns of n samples: epoch (ns of TAI), figure of the file (NaN: missing), u of the file or None."""

    epoch: IntArray
    value: FloatArray
    u: FloatArray | None


def readings_of_samples(samples: Samples, options: ColumnOptions) -> tuple[Readings, int]:
    """Give the readings, and how many gaps between frequencies were bridged.

    Uses the samples up: their columns become those of the readings where nothing has to be changed.
    """
    if options.zero_is_missing:
        _zeros_are_missing(samples, options.kind == "phase")
    with np.errstate(all="ignore"):  # what overflows is not finite, and left out
        if options.kind == "phase":
            if options.unit_s not in (None, 1.0):
                samples.value *= options.unit_s
            gaps = 0
        else:
            gaps = _to_phases(samples, options)
    names = (options.clock or "clock", options.reference or "reference")
    epoch, x, u = samples.epoch, samples.value, samples.u
    good = np.isfinite(x)
    if not good.all():
        epoch, x, u = epoch[good], x[good], None if u is None else u[good]
    count = len(x)
    columns = (np.zeros(count, dtype=np.int32), np.ones(count, dtype=np.int32))
    return Readings.from_columns(names, epoch, *columns, x, u), gaps


def _zeros_are_missing(samples: Samples, keep_ends: bool) -> None:
    gaps = samples.value == 0
    if keep_ends and gaps.size:
        gaps[[0, -1]] = False
    samples.value[gaps] = np.nan
    samples.value[samples.value == REAL_ZERO] = 0.0


def _to_phases(samples: Samples, options: ColumnOptions) -> int:
    """Put phases in place of frequencies; gives the number of gaps bridged."""
    y = samples.value
    if options.nominal_hz is not None:
        y = (y - options.nominal_hz) / options.nominal_hz
    finite = np.isfinite(y)
    tau0_s = 1.0 if options.tau0_s is None and options.time == "none" else options.tau0_s
    samples.epoch, samples.value, gaps = _add_up(samples.epoch[finite], y[finite], tau0_s)
    samples.u = None
    return gaps


def _add_up(epochs: IntArray, y: FloatArray, tau0_s: float | None) -> tuple[IntArray, FloatArray, int]:
    """Add frequencies up to phases, 0 at the first tag: (epochs, x in s, gaps bridged).

    y_k holds from t_k for tau0, or to t_k+1 when that is less than 1.5 tau0 away. A wider gap is crossed with the
    mean of all y, and the phase at its near edge is kept too.
    """
    if not y.size:
        return epochs, y, 0
    steps_ns = np.diff(epochs)
    if tau0_s is None:
        tau0_ns = float(np.median(steps_ns)) if steps_ns.size else float(NS_PER_SECOND)
    else:
        tau0_ns = tau0_s * NS_PER_SECOND
    lasting_ns = np.append(np.where(steps_ns < 1.5 * tau0_ns, steps_ns, tau0_ns), tau0_ns)
    edges = epochs + np.rint(lasting_ns).astype(np.int64)
    advance = y * (lasting_ns / NS_PER_SECOND)
    crossing = np.append(0.0, (epochs[1:] - edges[:-1]) / NS_PER_SECOND * np.mean(y))
    x_starts = np.cumsum(np.append(0.0, advance[:-1]) + crossing)
    gap_ends = np.append(edges[:-1] != epochs[1:], True)  # the last edge is an end, too
    all_epochs = np.concatenate([epochs, edges[gap_ends]])
    all_x = np.concatenate([x_starts, (x_starts + advance)[gap_ends]])
    order = np.argsort(all_epochs, kind="stable")
    return all_epochs[order], all_x[order], int(gap_ends.sum()) - 1
