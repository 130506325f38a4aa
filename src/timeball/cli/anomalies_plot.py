"""Draw anomalies: every clock's phase on a line of its own, a mark where something happened, one sentence under it.

Sign: phases are clock minus what they were judged against. matplotlib is an extra (`reports`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from timeball.cli.anomalies import headline
from timeball.cli.plotting import COLOURS, GRID, INK, MUTED, new_plot
from timeball.cli.scale_report import detrend
from timeball.integrity.anomalies import Anomaly, Record

MARKS = {"phase step": "-", "rate step": "--", "drift": ":", "variance": "-."}


def draw_anomalies(record: Record, found: Sequence[Anomaly], path: Path) -> None:
    """Write the figure; the suffix chooses the format. Raises ``CommandError`` when it cannot be drawn."""
    count = len(record.clocks)
    with new_plot(path, 12, 1.6 + 1.15 * count) as figure:
        rows = np.atleast_1d(figure.subplots(count, 1, sharex=True))
        dates = [datetime.fromtimestamp(epoch / 1e9, UTC).replace(tzinfo=None) for epoch in record.epochs.tolist()]
        for row, (axes, name) in enumerate(zip(rows, record.clocks, strict=True)):
            _draw_clock(axes, record, found, name, dates, COLOURS[row % len(COLOURS)])
        rows[0].set_title("Phase of each clock, without mean offset and rate", loc="left", fontsize=12, color=INK)
        figure.subplots_adjust(
            left=0.1, right=0.98, top=1 - 0.6 / (1.6 + 1.15 * count), bottom=0.9 / (1.6 + 1.15 * count)
        )
        figure.text(0.1, 0.12 / (1.6 + 1.15 * count), f"{headline(record, found)} {_key()}", fontsize=9.5, color=INK)


def _key() -> str:
    return "Lines: full a phase step, dashed a rate step, dotted a drift, dash-dotted a change of noise."


def _draw_clock(axes: Any, record: Record, found: Sequence[Anomaly], name: str, dates: list[Any], colour: str) -> None:
    """One clock: its phase and the anomalies that it took part in."""
    x = detrend(record.epochs, record.x[:, record.clocks.index(name)])
    largest = float(np.nanmax(np.abs(x))) if np.isfinite(x).any() else 1.0
    scale_s, unit = next(
        ((value, word) for value, word in ((1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")) if largest >= value), (1e-12, "ps")
    )
    axes.plot(dates, x / scale_s, color=colour, lw=1.2, zorder=3)
    for anomaly in found:
        if name in anomaly.clocks:
            when = datetime.fromtimestamp(anomaly.epoch / 1e9, UTC).replace(tzinfo=None)
            axes.axvline(when, color=INK, lw=0.9, ls=MARKS[anomaly.kind], alpha=0.7, zorder=2)
    axes.set_ylabel(f"{name}\n({unit})", color=colour, rotation=0, ha="right", va="center", fontsize=9)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.tick_params(colors=MUTED, length=3, labelsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
