"""Weights of tracks, and the mean of the tracks of each epoch with what its scatter says of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timeball.readings import EpochArray, FloatArray
from timeball.transfer.errors import TransferError
from timeball.transfer.robust import RESOLUTION_S
from timeball.transfer.tracks import IntArray, StationTracks

WEIGHTS = ("elevation", "dsg", "equal")


def variances(tracks: StationTracks, weights: str) -> FloatArray:
    """Give relative variances of the tracks: 1/sin² of the elevation, DSG², or 1. Raises ``TransferError``.

    What a file does not say stands for the worst of what it says.
    """
    if weights == "equal":
        return np.ones(len(tracks))
    if weights == "elevation":
        return 1.0 / np.sin(np.radians(np.clip(np.nan_to_num(tracks.elevation_deg, nan=5.0), 5.0, 90.0))) ** 2
    if weights == "dsg":
        dsg_s = np.maximum(tracks.dsg_s, RESOLUTION_S)
        if not np.isfinite(dsg_s).any():
            raise TransferError(f"{tracks.name}: no track has a DSG to weigh it by")
        return np.nan_to_num(dsg_s, nan=float(np.nanmax(dsg_s))) ** 2
    raise TransferError(f"weights are by {', '.join(WEIGHTS)}, not {weights!r}")


@dataclass(frozen=True, slots=True, eq=False)
class EpochMeans:
    """Weighted means of values by epoch: of m epochs the mean, its variance, the weight and the count.

    row: int64[n], each value's epoch. variance_s2 is pooled: the scatter of all values about the means of their
    epochs, over the weight of the epoch; NaN where no epoch has two values.
    """

    epoch: EpochArray
    x_s: FloatArray
    variance_s2: FloatArray
    weight: FloatArray
    count: IntArray
    row: IntArray


def epoch_means(epoch: EpochArray, x_s: FloatArray, weight: FloatArray) -> EpochMeans:
    """Average the values of each epoch."""
    epochs, row = np.unique(epoch, return_inverse=True)
    row = row.astype(np.int64)
    total: FloatArray = np.bincount(row, weight, minlength=epochs.size).astype(np.float64)
    mean: FloatArray = np.bincount(row, weight * x_s, minlength=epochs.size) / total
    count = np.bincount(row, minlength=epochs.size).astype(np.int64)
    freedom = x_s.size - epochs.size
    pooled = float((weight * (x_s - mean[row]) ** 2).sum()) / freedom if freedom > 0 else np.nan
    return EpochMeans(epochs, mean, pooled / total, total, count, row)
