"""The plot of UTC(k) and UTC against the UTC that satellites broadcast: a value a day, with its uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.axis_units import phase_axis
from timeball.cli.output import CommandError
from timeball.cli.plotting import COLOURS, GRID, new_plot, plain_frame, sentences_below

if TYPE_CHECKING:
    from timeball.transfer.broadcast import DayOfUTC


def draw_broadcast(days: Sequence[DayOfUTC], path: Path, sentence: str) -> None:
    """Write the figure; the suffix chooses the format. A day without a value leaves its curve open.

    Raises CommandError when no day has a value.
    """
    mjd = _column(days, "mjd")
    lab, utc, u_s = (_column(days, name) for name in ("lab_minus_broadcast_s", "utc_minus_broadcast_s", "u_s"))
    # a day has the u of the last difference that is known of it
    curves = (
        ("UTC(k) − broadcast UTC", lab, np.where(np.isnan(utc), u_s, 0.0)),
        ("UTC − broadcast UTC", utc, np.where(np.isnan(utc), 0.0, u_s)),
    )
    if not np.isfinite(lab).any():
        raise CommandError(f"{path}: nothing to draw: {days[0].why}")
    scale = phase_axis([lab, utc])
    with new_plot(path, 9, 5, layout="constrained") as figure:
        axes = figure.subplots()
        for (words, values, bars), colour in zip(curves, COLOURS, strict=False):
            if np.isfinite(values).any():
                style: dict[str, Any] = {"fmt": "o-", "ms": 4, "lw": 1.0, "capsize": 3, "color": colour}
                axes.errorbar(mjd, scale.at(values), yerr=np.nan_to_num(bars) / scale.size, label=words, **style)
        axes.set(xlabel="MJD, at 0h UTC", ylabel=f"difference{scale.words}")
        axes.ticklabel_format(useOffset=False, style="plain")
        axes.set_xlim(mjd.min() - 0.5, mjd.max() + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(color=GRID)
        axes.legend(title="bars: 1 σ, where it is known", fontsize=8, title_fontsize=8, frameon=False)
        plain_frame(axes)
        sentences_below(figure, [sentence])


def _column(days: Sequence[DayOfUTC], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([getattr(day, name) for day in days], dtype=np.float64)
