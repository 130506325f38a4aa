"""How a rate from frequency standards is told to people and machines: words, tables, JSON and a plot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import format_table
from timeball.cli.plotting import new_plot

if TYPE_CHECKING:
    from timeball.ensemble.noise import ClockNoise
    from timeball.ensemble.standards import Correction, RateEstimate
    from timeball.formats import PSFSReport, TAIEstimate

UNIT = 1e-15
DOUBTFUL = 0.01  # a chi² less likely than this is said to be doubtful
FAR = 3.0  # a report so many of its standard uncertainties off the others is marked


@dataclass(frozen=True, slots=True)
class RateReport:
    """Rates of a scale, the reports they come from, and what the BIPM says itself."""

    reports: tuple[PSFSReport, ...]
    estimates: tuple[RateEstimate, ...]
    published: tuple[TAIEstimate, ...]
    noise: ClockNoise
    corrections: tuple[Correction, ...]
    rejected_lines: int

    @property
    def last(self) -> RateEstimate:
        """The newest interval: its weights are the ones shown."""
        return self.estimates[-1]

    @property
    def p_chi2(self) -> float:
        """Probability of a chi² at least this large."""
        from timeball.ensemble.standards import chi2_tail

        return chi2_tail(self.last.chi2, self.last.degrees)

    def bipm(self, estimate: RateEstimate) -> TAIEstimate | None:
        """Give the BIPM's estimate for the same interval, if the files have one."""
        days = (estimate.start_mjd, estimate.end_mjd)
        return next((each for each in self.published if (each.start_mjd, each.end_mjd) == days), None)

    def as_json(self) -> dict[str, Any]:
        """Give the document of `--json`."""
        return {
            "estimates": [self._estimate(each) for each in self.estimates],
            "reports": [self._report(k) for k in range(len(self.reports))],
            "chi2": self.last.chi2,
            "degrees": self.last.degrees,
            "p_chi2": self.p_chi2,
            "noise": {name: getattr(self.noise, name) for name in ("wfm", "ffm", "rwfm")},
            "steering": [
                {"start_mjd": each.start_mjd, "end_mjd": each.end_mjd, "y": each.y} for each in self.corrections
            ],
            "rejected_lines": self.rejected_lines,
        }

    def _estimate(self, estimate: RateEstimate) -> dict[str, Any]:
        bipm = self.bipm(estimate)
        return {
            "start_mjd": estimate.start_mjd,
            "end_mjd": estimate.end_mjd,
            "d": estimate.d,
            "y": estimate.y,
            "u": estimate.u,
            "mean_d": estimate.mean_d,
            "mean_u": estimate.mean_u,
            "bipm_d": bipm.d if bipm else None,
            "bipm_u": bipm.u if bipm else None,
        }

    def _report(self, k: int) -> dict[str, Any]:
        report, last = self.reports[k], self.last
        names = ("standard", "start_mjd", "end_mjd", "d", "u_a", "u_b", "u_lab", "u_tai", "u", "u_srep", "steer")
        known = {name: getattr(report, name) for name in names}
        return {**known, "weight": last.weights[k], "off": last.off[k], "u_off": last.u_off[k]}


def print_rate(report: RateReport) -> None:
    """Print the newest rate in words, the rates before it, then the reports and what stands out."""
    click.echo(_headline(report))
    if len(report.estimates) > 1:
        click.echo("\n" + _estimates_table(report))
    click.echo("\n" + _reports_table(report))
    click.echo(
        "\nAll in 1e-15. weight: in the newest estimate. off: the report less what all others make expect for its days."
    )
    click.echo(_judgement(report))


def _headline(report: RateReport) -> str:
    last = report.last
    fast = "high" if last.y > 0 else "low"
    words = (
        f"d = {_in_unit(last.d)} ± {last.u / UNIT:.3f} (1e-15, k = 1) over MJD {last.start_mjd:g} to {last.end_mjd:g}, "
        f"from {len(report.reports)} reports of {len({each.standard for each in report.reports})} standards: "
        f"the scale's frequency is {fast} by {abs(last.y):.2g}."
    )
    if math.isfinite(last.mean_d):
        words += f"\nPlain mean by 1/(u² + uSrep²): {_in_unit(last.mean_d)} ± {last.mean_u / UNIT:.3f}."
    if bipm := report.bipm(last):
        words += f" The BIPM says {_in_unit(bipm.d)} ± {bipm.u / UNIT:.3f}."
    return words


def _in_unit(value: float) -> str:
    return f"{value / UNIT:+.3f}"


def _estimates_table(report: RateReport) -> str:
    rows = []
    for each in report.estimates:
        bipm = report.bipm(each)
        row = [f"{each.start_mjd:g} to {each.end_mjd:g}", _in_unit(each.d), f"{each.u / UNIT:.3f}"]
        row += [_in_unit(each.mean_d) if math.isfinite(each.mean_d) else "–"]
        rows.append([*row, _in_unit(bipm.d) if bipm else "–"])
    return format_table(["MJD", "d", "u", "plain mean", "BIPM"], rows)


def _reports_table(report: RateReport) -> str:
    rows = []
    for k, each in enumerate(report.reports):
        off, u_off = float(report.last.off[k]), float(report.last.u_off[k])
        known = math.isfinite(off)
        mark = " !" if known and abs(off) > FAR * u_off else ""
        rows.append(
            [
                each.standard,
                f"{each.start_mjd:g} to {each.end_mjd:g}",
                _in_unit(each.d),
                f"{each.u / UNIT:.3f}",
                f"{each.u_srep / UNIT:.3f}" if each.u_srep else "–",
                f"{report.last.weights[k]:.3f}",
                f"{_in_unit(off)} ± {u_off / UNIT:.3f}{mark}" if known else "–",
            ]
        )
    return format_table(["standard", "MJD", "d", "u", "uSrep", "weight", "off"], rows, left=2)


def _judgement(report: RateReport) -> str:
    last = report.last
    if not last.degrees:
        return "One report alone: nothing to hold it against."
    words = f"chi² {last.chi2:.1f} for {last.degrees} degrees of freedom (p = {report.p_chi2:.2g}): "
    if report.p_chi2 < DOUBTFUL:
        words += "the reports do not agree within their uncertainties"
    else:
        words += "the reports agree within their uncertainties"
    # only the furthest is named: one that weighs much pulls the others off, too
    sizes = [abs(off / u_off) for off, u_off in zip(last.off.tolist(), last.u_off.tolist(), strict=True)]
    furthest = max(range(len(sizes)), key=sizes.__getitem__)
    named = f"; furthest off is {report.reports[furthest].standard}, {sizes[furthest]:.1f} u"
    return words + (f"{named}." if sizes[furthest] > FAR else ".")


def write_plot(report: RateReport, path: Path) -> None:
    """Draw reports over their days with u and uSrep as bars, and the estimates with their band."""
    with new_plot(path, 9, 5.5, layout="constrained") as figure:
        axes = figure.subplots()
        for k, name in enumerate(sorted({each.standard for each in report.reports})):
            _draw_standard(axes, report, name, f"C{k % 10}")
        for each in report.estimates:
            days, low, high = [each.start_mjd, each.end_mjd], (each.d - each.u) / UNIT, (each.d + each.u) / UNIT
            axes.fill_between(days, low, high, color="0.6", alpha=0.5, linewidth=0, zorder=0)
            axes.plot(days, [each.d / UNIT] * 2, color="black", linewidth=1.5)
        axes.set(xlabel="MJD", ylabel="d / 1e-15", title="Scale interval against frequency standards")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, ncols=2, title="bars: k = 1, uSrep included; grey: estimate ± u", title_fontsize=8)
        figure.supxlabel(_headline(report).splitlines()[0], fontsize=8)


def _draw_standard(axes: Any, report: RateReport, name: str, colour: str) -> None:
    own = [each for each in report.reports if each.standard == name]
    axes.errorbar(
        [(each.start_mjd + each.end_mjd) / 2 for each in own],
        [each.d / UNIT for each in own],
        xerr=[(each.end_mjd - each.start_mjd) / 2 for each in own],
        yerr=[math.hypot(each.u, each.u_srep) / UNIT for each in own],
        fmt="o",
        markersize=4,
        linewidth=1,
        color=colour,
        label=name,
    )
