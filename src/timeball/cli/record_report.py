"""How records are told before any statistic: what there is, how far the phase went, and its mean frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.deviation_report import left_out
from timeball.cli.output import CommandError, format_seconds, format_tau

if TYPE_CHECKING:
    from timeball.cli.measured import Measured
    from timeball.stability.views import View


@dataclass(frozen=True, slots=True)
class Views:
    """A record and what is drawn of it: its phase and its frequency over average_s; None for what is not drawn."""

    record: Measured
    name: str
    phase: View | None
    frequency: View | None
    average_s: float
    note: str = ""

    @property
    def mean_frequency(self) -> float:
        """Of phase its whole way over the whole time; of frequency the mean of what is there."""
        values = self.record.values
        if self.record.kind == "frequency":
            return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
        there = np.flatnonzero(np.isfinite(values))
        if there.size < 2:
            return float("nan")
        return float((values[there[-1]] - values[there[0]]) / ((there[-1] - there[0]) * self.record.grid.tau0_s))

    @property
    def phase_range_s(self) -> float:
        """From the lowest to the highest phase (s); NaN where no phase is drawn."""
        return _range(self.phase)

    def _rates(self) -> list[float]:
        """The rates that the recipe took off: the slopes of straight lines of phase."""
        column = 0 if self.record.kind == "frequency" else 1
        return [each.coefficients[column] for each in self.record.treated.done if len(each.coefficients) == column + 1]

    def as_json(self) -> dict[str, Any]:
        """Give the document of `--json`, SI units throughout."""
        record, grid = self.record, self.record.grid
        return {
            "file": record.file,
            "clock": record.clock,
            "against": record.against,
            "kind": record.kind,
            "start_tai_ns": str(grid.start_ns),
            "tau0_s": grid.tau0_s,
            "span_s": record.span_s,
            "samples": record.samples,
            "missing": grid.missing,
            "off_grid": grid.off_grid + grid.repeated,
            "rejected_lines": record.rejected_lines,
            "recipe": record.treated.as_json(),
            "mean_frequency": self.mean_frequency,
            "phase_range_s": self.phase_range_s,
            "average_s": self.average_s,
            "frequency_range": _range(self.frequency),
            "note": self.note,
        }

    def sentence(self) -> str:
        """Say in one sentence what the curves are."""
        told = f"{self.name}: {'; '.join(left_out(self.record))}; mean frequency {_frequency_text(self.mean_frequency)}"
        told += "".join(f" ({each:.4g} was taken off)" for each in self._rates())
        if self.phase is not None:
            told += f", phase within {format_seconds(self.phase_range_s)}"
        return f"{told}{f'; {self.note}' if self.note else ''}."


def views_of(record: Measured, name: str, show: str, average_s: float | None) -> Views:
    """Make the views asked for: show is phase, frequency or both.

    Raises CommandError for an average_s that is no multiple of the interval or longer than the record, and where phase
    alone is asked of frequencies with gaps (beside the frequency it is only noted).
    """
    from timeball.stability.errors import FactorError, FrequencyGapError
    from timeball.stability.views import frequency_view, phase_view

    tau0_s, note, phase, frequency = record.grid.tau0_s, "", None, None
    m = _factor(average_s, tau0_s)
    if show != "frequency":
        try:
            phase = phase_view(record.values, tau0_s, kind=record.kind)
        except FrequencyGapError as error:
            if show == "phase":
                raise CommandError(f"{record.file}: {error}; --show frequency draws it") from error
            note = "its phase is not known across missing frequencies and not drawn"
    if show != "phase":
        try:
            frequency = frequency_view(record.values, tau0_s, m, kind=record.kind)
        except FactorError as error:
            raise CommandError(f"{record.file}: {error}") from error
    return Views(record, name, phase, frequency, m * tau0_s, note)


def _factor(average_s: float | None, tau0_s: float) -> int:
    if average_s is None:
        return 1
    m = round(average_s / tau0_s)
    if m < 1 or abs(average_s - m * tau0_s) > 1e-6 * average_s:
        raise CommandError(f"--average: {average_s:g} s is not a multiple of the interval, {format_tau(tau0_s)} s")
    return m


def _frequency_text(y: float) -> str:
    return f"{y:.4g}" if math.isfinite(y) else "?"


def _range(view: View | None) -> float:
    if view is None or not np.isfinite(view.values).any():
        return float("nan")
    return float(np.nanmax(view.values) - np.nanmin(view.values))
