"""How a deviation is told to people and machines: JSON, a table, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from timeball.cli.measured import Measured
from timeball.cli.output import format_seconds, format_table, format_tau

if TYPE_CHECKING:
    from timeball.stability import Deviation, Deviations
    from timeball.stability.confidence import Intervals

# Of these the estimate is biased by a known ratio, which is removed unless asked to be left.
BIASED = ("totdev", "mtotdev", "ttotdev", "htotdev", "theo1")


@dataclass(frozen=True, slots=True)
class Report:
    """A deviation of one record, its limits where they were asked for, and what was left out of it."""

    record: Measured
    deviation: Deviation
    deviations: Deviations
    intervals: Intervals | None
    raw: bool = False

    @property
    def type(self) -> str:
        """Key of the deviation."""
        return self.deviation.key

    def without_limits(self) -> Report:
        """The same to those who did not ask for the limits; what the bias was stays."""
        return self if self.type in BIASED and self.intervals is not None else replace(self, intervals=None)

    def as_json(self) -> dict[str, Any]:
        """Give the document of `--json`, SI units throughout."""
        record, grid = self.record, self.record.grid
        document: dict[str, Any] = {
            "file": record.file,
            "clock": record.clock,
            "against": record.against,
            "type": self.type,
            "unit": self.deviation.unit,
            "tau0_s": grid.tau0_s,
            "points": self._points(),
            "samples": record.samples,
            "missing": grid.missing,
            "off_grid": grid.off_grid + grid.repeated,
            "rejected_lines": record.rejected_lines,
            "recipe": record.treated.as_json(),
        }
        if self.intervals is not None:
            document["confidence"] = self.intervals.confidence
            document["bias_removed"] = not self.raw
        return document

    def _points(self) -> list[dict[str, Any]]:
        d = self.deviations
        columns = {"tau_s": d.tau_s, "sigma": d.sigma, "n": d.n}
        if self.intervals is not None:
            found = self.intervals
            columns |= {"low": found.low, "high": found.high, "edf": found.edf, "bias": found.bias}
        rows = [
            dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)
        ]
        if self.intervals is not None:
            from timeball.stability.noise import NOISES

            for row, alpha, method in zip(rows, self.intervals.alpha.tolist(), self.intervals.method, strict=True):
                row |= {"alpha": alpha, "noise": NOISES[alpha], "noise_from": method}
        return rows

    def sigma_text(self, sigma: float) -> str:
        """Write one value: some deviations are times, the others have no unit."""
        if self.deviation.unit == "s":
            return format_seconds(sigma)
        return f"{sigma:.4e}" if sigma == sigma else "?"  # noqa: PLR0124 (NaN)

    def title(self) -> str:
        """Name what was computed of what."""
        return f"{self.deviation.name} of {self.record.clock} against {self.record.against} ({self.record.file})"

    def sentence(self, of: str | None = None) -> str:
        """Say the result in one plain sentence: the ends of the curve and its best point. of: what it is of."""
        d, name = self.deviations, self.deviation.name
        known = [k for k in range(d.n.size) if d.n[k]]
        if not known:
            return f"Gaps leave no term of {name}: nothing can be said."
        low = min(known, key=lambda k: float(d.sigma[k]))
        first, last = known[0], known[-1]
        text = f"{of or f'{self.record.clock} against {self.record.against}'}: {name} is {self._at(first)}"
        if last != first:
            text += f" and {self._at(last)}"
        return text + (f", lowest {self._at(low)}." if low not in (first, last) else ".")

    def _at(self, k: int) -> str:
        return f"{self.sigma_text(float(self.deviations.sigma[k]))} at {format_tau(float(self.deviations.tau_s[k]))} s"


def reports_of(
    record: Measured,
    deviation: Deviation,
    factors: str | list[int],
    confidence: float | None,
    alpha: int | None,
    *,
    raw: bool,
) -> Report:
    """Compute one deviation of one record, and its limits at `confidence`; without it those only that a bias needs."""
    from timeball.stability.confidence import ONE_SIGMA, intervals

    values, tau0_s = record.values, record.grid.tau0_s
    found = deviation.function(values, tau0_s, factors, kind=record.kind)
    if confidence is None and (raw or deviation.key not in BIASED):
        return Report(record, deviation, found, None, raw)
    limits = intervals(
        deviation.key, found, values, tau0_s, kind=record.kind, confidence=confidence or ONE_SIGMA, alpha=alpha
    )
    if raw:
        ratio = limits.bias**0.5
        limits = replace(limits, low=limits.low * ratio, high=limits.high * ratio)
        return Report(record, deviation, found, limits, raw)
    return Report(record, deviation, replace(found, sigma=limits.sigma), limits, raw)


def as_text(report: Report) -> str:
    """Lay out a report as title, what was left out, table and sentence."""
    record, d = report.record, report.deviations
    unit = "sigma" if report.deviation.unit == "s" else "sigma (1)"
    headers = ["tau (s)", unit, "n"]
    rows = [
        [format_tau(tau), report.sigma_text(sigma), str(n)]
        for tau, sigma, n in zip(d.tau_s.tolist(), d.sigma.tolist(), d.n.tolist(), strict=True)
    ]
    if report.intervals is not None:
        headers += ["low", "high", "edf", "noise"]
        rows = [row + cells for row, cells in zip(rows, _limits(report, report.intervals), strict=True)]
    table = format_table(headers, rows, left=0)
    return "\n".join([report.title(), "; ".join(left_out(record)), *_notes(report), "", table, "", report.sentence()])


def _limits(report: Report, found: Intervals) -> list[list[str]]:
    from timeball.stability.noise import NOISES

    return [
        [report.sigma_text(low), report.sigma_text(high), f"{edf:.4g}" if edf == edf else "?", NOISES[alpha]]  # noqa: PLR0124 (NaN)
        for low, high, edf, alpha in zip(
            found.low.tolist(), found.high.tolist(), found.edf.tolist(), found.alpha.tolist(), strict=True
        )
    ]


def _notes(report: Report) -> list[str]:
    """What the table does not say of itself: the confidence, the bias."""
    notes = []
    if report.intervals is not None:
        notes.append(f"low and high: {100 * report.intervals.confidence:.4g} % confidence")
        if report.type in BIASED:
            notes.append(f"the bias of the estimator is {'left in' if report.raw else 'removed'}")
    return ["; ".join(notes)] if notes else []


def left_out(record: Measured) -> list[str]:
    """How many values there are, and what was left out, and why."""
    grid = record.grid
    counts = [
        (grid.missing, "places of the grid without a value"),
        (grid.off_grid + grid.repeated, "samples off the grid or repeated"),
        (record.rejected_lines, "lines rejected"),
        (record.treated.removed, "values removed by the recipe"),
    ]
    notes = [f"{record.samples} values every {format_tau(grid.tau0_s)} s"]
    notes += [f"{count} {what}" for count, what in counts if count]
    if record.treated.done:
        notes.append("recipe: " + ", ".join(step.name for step in record.treated.recipe))
    return notes
