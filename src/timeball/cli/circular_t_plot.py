"""The plot of `timeball circular-t --lab`: published points, our own scales beside them, steps, and the outlook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeball.cli.circular_t_report import mjd_of, ns_text
from timeball.cli.plotting import new_plot

if TYPE_CHECKING:
    from timeball.cli.circular_t_report import LabReport
    from timeball.steering.against_utc import Outlook

NS = 1e9


def write_plot(report: LabReport, path: Path) -> None:
    """Draw to a file whose name gives its format; CommandError when that cannot be written."""
    with new_plot(path, 9, 5.5, layout="constrained") as figure:
        axes = figure.subplots()
        _draw_published(axes, report)
        sentence = _draw_outlook(axes, report.outlook)
        if axes.get_ylim()[0] < 0.0 < axes.get_ylim()[1]:
            axes.axhline(0.0, color="black", linewidth=0.6)
        axes.set(
            xlabel="MJD",
            ylabel=f"UTC − UTC({report.points.lab}) (ns)",
            title=f"UTC − UTC({report.points.lab}) in Circular T",
        )
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
        figure.supxlabel(sentence, fontsize=9)


def _draw_published(axes: Any, report: LabReport) -> None:
    points = report.points
    days = [mjd_of(epoch) for epoch in points.epochs.tolist()]
    u_ns = [0.0 if u != u else u * NS for u in points.u_a_s.tolist()]  # noqa: PLR0124 (NaN: not stated)
    axes.errorbar(days, points.values_s * NS, yerr=u_ns, fmt="o-", markersize=4, label=f"UTC − UTC({points.lab}), uA")
    for name, (each, _) in report.beside.items():
        axes.plot(
            [mjd_of(epoch) for epoch in each.epochs.tolist()], each.values_s * NS, "s--", ms=3, label=f"UTC − {name}"
        )
    for step in report.steps:
        axes.axvline(mjd_of(step.epoch), color="0.5", linestyle=":", label=f"step of {ns_text(step.step_s)} ns")


def _draw_outlook(axes: Any, outlook: Outlook | None) -> str:
    """Draw what is to be expected; give the sentence that says it."""
    if outlook is None:
        return ""
    band = f"{100 * outlook.confidence:.3g} % band"
    axes.fill_between(outlook.mjd, outlook.low_s * NS, outlook.high_s * NS, alpha=0.2, color="C1", label=band)
    axes.plot(outlook.mjd, outlook.value_s * NS, color="C1", label="expected at the next Circular T")
    low, high = (ns_text(float(each[-1])) for each in (outlook.low_s, outlook.high_s))
    odds = f"with {100 * outlook.confidence:.3g} %, if it goes on as so far"
    return f"MJD {outlook.mjd[-1]}: between {low} and {high} ns {odds}."
