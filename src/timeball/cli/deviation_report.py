"""How a deviation is told to people and machines: JSON, table, one sentence, and a plot with slopes of the noises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeball.cli.output import CommandError, format_seconds, format_table, format_tau

if TYPE_CHECKING:
    from timeball.stability import Deviations

# What each power of τ is the mark of (NIST SP 1065, figure 5 and table 2), by kind of deviation.
ALLAN_SLOPES = {-1.0: "white and flicker PM", -0.5: "white FM", 0.0: "flicker FM", 0.5: "random walk FM", 1.0: "drift"}
MODIFIED_SLOPES = {-1.5: "white PM", -1.0: "flicker PM", -0.5: "white FM", 0.0: "flicker FM", 0.5: "random walk FM"}
TIME_SLOPES = {slope + 1: noise for slope, noise in MODIFIED_SLOPES.items()}
SLOPES = {"adev": ALLAN_SLOPES, "oadev": ALLAN_SLOPES, "mdev": MODIFIED_SLOPES, "tdev": TIME_SLOPES}


@dataclass(frozen=True, slots=True)
class Report:
    """A deviation of one clock of one file, and what was left out of it."""

    file: str
    clock: str
    against: str
    type: str
    tau0_s: float
    points: int
    missing: int
    rejected_lines: int
    off_grid: int
    deviations: Deviations

    def as_json(self) -> dict[str, Any]:
        """Give the document of `--json`, SI units throughout."""
        rows = zip(
            *(a.tolist() for a in (self.deviations.tau_s, self.deviations.sigma, self.deviations.n)), strict=True
        )
        return {
            "file": self.file,
            "clock": self.clock,
            "against": self.against,
            "type": self.type,
            "tau0_s": self.tau0_s,
            "points": [{"tau_s": tau, "sigma": sigma, "n": n} for tau, sigma, n in rows],
            "samples": self.points,
            "missing": self.missing,
            "off_grid": self.off_grid,
            "rejected_lines": self.rejected_lines,
        }

    def sigma_text(self, sigma: float) -> str:
        """Write one value: TDEV is a time, the others have no unit."""
        return format_seconds(sigma) if self.type == "tdev" else f"{sigma:.4e}"

    def title(self) -> str:
        """Name what was computed of what."""
        return f"{self.type.upper()} of {self.clock} against {self.against} ({self.file})"

    def sentence(self) -> str:
        """Say the result in one plain sentence: the ends of the curve and its best point."""
        d = self.deviations
        known = [k for k in range(d.n.size) if d.n[k]]
        if not known:
            return f"Gaps leave no term of {self.type.upper()}: nothing can be said."
        low = min(known, key=lambda k: float(d.sigma[k]))
        first, last = known[0], known[-1]
        text = f"{self.clock} against {self.against}: {self.type.upper()} is {self._at(first)}"
        if last != first:
            text += f" and {self._at(last)}"
        return text + (f", lowest {self._at(low)}." if low not in (first, last) else ".")

    def _at(self, k: int) -> str:
        return f"{self.sigma_text(float(self.deviations.sigma[k]))} at {format_tau(float(self.deviations.tau_s[k]))} s"


def as_text(report: Report) -> str:
    """Lay out a report as title, what was left out, table and sentence."""
    left_out = [
        (report.missing, "places of the grid without a value"),
        (report.off_grid, "samples off the grid or repeated"),
        (report.rejected_lines, "lines rejected"),
    ]
    notes = [f"{report.points} values every {format_tau(report.tau0_s)} s"]
    notes += [f"{count} {what}" for count, what in left_out if count]
    d = report.deviations
    unit = "sigma" if report.type == "tdev" else "sigma (1)"
    rows = [
        (format_tau(tau), report.sigma_text(sigma), str(n))
        for tau, sigma, n in zip(d.tau_s.tolist(), d.sigma.tolist(), d.n.tolist(), strict=True)
    ]
    table = format_table(("tau (s)", unit, "n"), rows, left=0)
    return "\n".join([report.title(), "; ".join(notes), "", table, "", report.sentence()])


def need_matplotlib() -> Any:
    """Import matplotlib's pyplot without a screen, or say in words how to get it (CommandError, exit 1)."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise CommandError("--plot needs matplotlib: pip install 'timeball[reports]'") from error
    mpl.use("agg")
    from matplotlib import pyplot

    return pyplot


def write_plot(reports: Sequence[Report], path: Path) -> None:
    """Draw deviations over τ with rough bars and the slopes of the noises; the name of the file gives its format."""
    pyplot = need_matplotlib()
    figure, axes = pyplot.subplots(figsize=(8, 6), layout="constrained")
    for report in reports:
        d = report.deviations
        # N/m stretches of length τ that do not overlap: the width that white FM would roughly have
        bars = d.sigma / (report.points / d.m) ** 0.5
        axes.errorbar(d.tau_s, d.sigma, yerr=bars, fmt="o-", capsize=3, label=f"{report.clock} − {report.against}")
    kind = reports[0].type
    axes.set(xscale="log", yscale="log", xlabel="averaging time τ / s")
    axes.set_ylabel("TDEV σx(τ) / s" if kind == "tdev" else f"{kind.upper()} σy(τ)")
    _draw_slopes(axes, reports)
    axes.grid(which="both", alpha=0.25)
    axes.legend(title="bars: ± σ/√(N/m), a rough 1-sigma guide")
    figure.supxlabel("\n".join(report.sentence() for report in reports), fontsize=9)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: cannot write the plot: {error}") from error
    finally:
        pyplot.close(figure)


def _draw_slopes(axes: Any, reports: Sequence[Report]) -> None:
    """Draw one grey line a noise through the first point of the first curve, named where it leaves the picture."""
    points = [
        (tau, sigma)
        for report in reports
        for tau, sigma in zip(report.deviations.tau_s.tolist(), report.deviations.sigma.tolist(), strict=True)
        if sigma > 0
    ]
    if not points:
        return
    tau, sigma = points[0]
    right = 2 * max(point[0] for point in points)
    bottom, top = (factor * limit(p[1] for p in points) for factor, limit in ((1 / 3, min), (3, max)))
    axes.set_ylim(bottom, top)
    axes.set_xlim(min(point[0] for point in points) / 1.5, right)
    for slope in SLOPES[reports[0].type]:
        edge = top if slope > 0 else bottom
        end = min(right, tau * (edge / sigma) ** (1 / slope)) if slope else right
        at = (end, sigma * (end / tau) ** slope)
        axes.plot([tau, end], [sigma, at[1]], color="0.7", linewidth=0.8, linestyle="--", zorder=0)
        axes.annotate(f"τ^{slope:+g}" if slope else "τ^0", at, fontsize=7, color="0.4", ha="right", va="top")
    guide = ", ".join(f"τ^{slope:g} {noise}" for slope, noise in SLOPES[reports[0].type].items())
    axes.set_title(f"grey: slopes of {guide}", fontsize=8, color="0.4")
