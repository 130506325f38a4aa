"""How a deviation of moving windows is told: JSON, a table of windows, and a picture over time and τ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeball.cli.deviation_report import left_out
from timeball.cli.measured import Measured, chosen_factors
from timeball.cli.output import CommandError, format_seconds, format_table, format_tau
from timeball.cli.plotting import new_plot, sentences_below

if TYPE_CHECKING:
    from timeball.stability import Deviation
    from timeball.stability.moving import Dynamic

ROWS = 40


@dataclass(frozen=True, slots=True)
class MovingReport:
    """A deviation of windows that move along one record."""

    record: Measured
    deviation: Deviation
    dynamic: Dynamic

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`: sigma[window][τ], null without a term."""
        record, found = self.record, self.dynamic
        return {
            "file": record.file,
            "clock": record.clock,
            "against": record.against,
            "type": self.deviation.key,
            "unit": self.deviation.unit,
            "tau0_s": record.grid.tau0_s,
            "window_points": found.points,
            "tau_s": found.tau_s,
            "centre_s": found.centre_s(record.grid.tau0_s),
            "start_tai_ns": str(record.grid.start_ns),
            "sigma": found.sigma,
            "n": found.n,
            "samples": record.samples,
            "missing": record.grid.missing,
            "rejected_lines": record.rejected_lines,
            "recipe": record.treated.as_json(),
        }

    def sentence(self) -> str:
        """Say by how much the shortest τ changed along the record."""
        import numpy as np

        column = self.dynamic.sigma[:, 0]
        known = column[np.isfinite(column) & (column > 0.0)]
        name, tau = self.deviation.name, format_tau(float(self.dynamic.tau_s[0]))
        if not known.size:
            return f"Gaps leave no term of {name}: nothing can be said."
        ratio = float(known.max() / known.min())
        return f"{self.record.clock} against {self.record.against}: {name} at {tau} s changes by a factor {ratio:.3g}."


def moving_report(record: Measured, deviation: Deviation, tau: str, window_s: float) -> MovingReport:
    """Compute; CommandError when a window holds fewer than three points."""
    from timeball.stability.moving import dynamic

    tau0_s = record.grid.tau0_s
    points = round(window_s / tau0_s)
    if points < 3:
        raise CommandError(f"--dynamic: a window of {window_s:g} s holds {points} values, it needs 3 or more")
    factors = chosen_factors(tau, tau0_s, deviation.tau_ratio)
    found = dynamic(record.values, tau0_s, points, m=factors, kind=record.kind, function=deviation.function)
    return MovingReport(record, deviation, found)


def as_table(report: MovingReport) -> str:
    """Title, what was left out, a row a window (evenly chosen when there are many), and one sentence."""
    found, record = report.dynamic, report.record
    every = -(-found.first.size // ROWS)
    centres = found.centre_s(record.grid.tau0_s)
    rows = [
        [format_tau(float(centres[k])), *(_text(report, value) for value in found.sigma[k].tolist())]
        for k in range(0, found.first.size, every)
    ]
    headers = ["centre (s)", *(f"{format_tau(tau)} s" for tau in found.tau_s.tolist())]
    title = f"{report.deviation.name} of {record.clock} against {record.against} ({record.file})"
    notes = [*left_out(record), f"{found.first.size} windows of {found.points} values"]
    return "\n".join([title, "; ".join(notes), "", format_table(headers, rows, left=0), "", report.sentence()])


def _text(report: MovingReport, sigma: float) -> str:
    if sigma != sigma:  # noqa: PLR0124 (NaN)
        return "?"
    return format_seconds(sigma) if report.deviation.unit == "s" else f"{sigma:.3e}"


def write_moving_plot(reports: Sequence[MovingReport], path: Path) -> None:
    """Draw one picture a record: time to the right, τ upwards, the deviation as colour."""
    import numpy as np

    with new_plot(path, 10, 4.2 * len(reports), layout="constrained") as figure:
        for axes, report in zip(figure.subplots(len(reports), 1, squeeze=False)[:, 0], reports, strict=True):
            found = report.dynamic
            logs = np.log10(np.where(found.sigma > 0.0, found.sigma, np.nan)).T
            centres = found.centre_s(report.record.grid.tau0_s)
            mesh = axes.pcolormesh(centres, found.tau_s, logs, shading="nearest", cmap="viridis")
            unit = " (s)" if report.deviation.unit == "s" else ""
            figure.colorbar(mesh, ax=axes, label=f"log₁₀ of the {report.deviation.title}{unit}")
            axes.set(yscale="log", xlabel="middle of the window (s)", ylabel="averaging time τ (s)")
            axes.set_title(f"{report.record.clock} − {report.record.against}", loc="left", fontsize=10)
        sentences_below(figure, [report.sentence() for report in reports])
