"""How a record in Circular T is told to people and machines: words, tables and JSON. People see ns, JSON has s."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import format_table

if TYPE_CHECKING:
    from timeball.formats import LabPoints
    from timeball.formats.circular_t.links import TimeLink
    from timeball.formats.circular_t.notes import Step
    from timeball.stability import Deviations
    from timeball.steering.against_utc import Outlook, Summary

ROWS_SHOWN = 14
DAY_S = 86_400
NS_OF_DAY = DAY_S * 10**9
MJD_OF_1970 = 40_587


def mjd_of(epoch: int) -> int:
    """The MJD in which an epoch (ns of TAI) lies."""
    return epoch // NS_OF_DAY + MJD_OF_1970


def date_text(epoch: int) -> str:
    """An epoch's day."""
    return datetime.fromtimestamp(epoch // 10**9, UTC).strftime("%Y-%m-%d")


def ns_text(seconds: float, digits: int = 1) -> str:
    """A time in ns as the bulletin prints it."""
    if not math.isfinite(seconds):
        return "–"
    return f"{round(seconds * 1e9, digits) + 0.0:.{digits}f}"  # no minus sign before a zero


def summary_json(summary: Summary) -> dict[str, Any]:
    """Give a record's figures."""
    return {
        "mean_s": summary.mean_s,
        "rms_s": summary.rms_s,
        "largest_s": summary.largest_s,
        "rate": summary.rate,
        "oadev": _oadev_json(summary.deviations),
    }


def _oadev_json(d: Deviations | None) -> list[dict[str, Any]]:
    if d is None:
        return []
    rows = zip(d.tau_s.tolist(), d.sigma.tolist(), d.n.tolist(), strict=True)
    return [{"tau_s": tau, "sigma": sigma, "n": n} for tau, sigma, n in rows]


def points_json(points: LabPoints) -> list[dict[str, Any]]:
    """Give a record's points, oldest first."""
    columns = (points.epochs, points.values_s, points.u_a_s, points.u_s)
    return [
        {"mjd": mjd_of(epoch), "tai_ns": str(epoch), "value_s": value, "u_a_s": u_a, "u_s": u}
        for epoch, value, u_a, u in zip(*(column.tolist() for column in columns), strict=True)
    ]


def steps_json(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """Give the steps that notes name."""
    return [{"lab": step.lab, "tai_ns": str(step.epoch), "step_s": step.step_s} for step in steps]


def print_steps(steps: tuple[Step, ...]) -> None:
    """Print a line for each step that a note names."""
    for step in steps:
        click.echo(f"UTC({step.lab}) was stepped by {ns_text(step.step_s)} ns on {date_text(step.epoch)}.")


@dataclass(frozen=True, slots=True)
class LabReport:
    """One laboratory: its published points, their summary, our own scales beside them, and the outlook."""

    points: LabPoints
    circulars: tuple[int, ...]
    steps: tuple[Step, ...]
    summary: Summary
    beside: dict[str, tuple[LabPoints, Summary]]
    outlook: Outlook | None
    why_no_outlook: str
    rejected_lines: int
    link: TimeLink | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the document of `--json --lab`."""
        return {
            "lab": self.points.lab,
            "circulars": list(self.circulars),
            "points": points_json(self.points),
            "steps": steps_json(self.steps),
            **summary_json(self.summary),
            "beside": [
                {"name": name, "points": points_json(points), **summary_json(summary)}
                for name, (points, summary) in self.beside.items()
            ],
            "outlook": None if self.outlook is None else _outlook_json(self.outlook),
            "link": None if self.link is None else _link_json(self.link),
            "rejected_lines": self.rejected_lines,
        }


def _link_json(link: TimeLink) -> dict[str, Any]:
    return {
        "pivot": link.pivot,
        "technique": link.technique,
        "u_stb_s": link.u_stb_s,
        "u_cal_s": link.u_cal_s,
        "calibrations": list(link.calibrations),
    }


def _print_link(link: TimeLink) -> None:
    calibrated = f"; calibrations {', '.join(link.calibrations)}" if link.calibrations else ""
    click.echo(
        f"Linked to {link.pivot} by {link.technique}: uStb {ns_text(link.u_stb_s)} ns, uCal {ns_text(link.u_cal_s)} ns"
        f"{calibrated}."
    )


def _outlook_json(outlook: Outlook) -> dict[str, Any]:
    columns = (outlook.epochs, outlook.value_s, outlook.u_s, outlook.low_s, outlook.high_s)
    names = ("value_s", "u_s", "low_s", "high_s")
    return {
        "published_tai_ns": str(outlook.published),
        "confidence": outlook.confidence,
        "points": [
            {"mjd": mjd, "tai_ns": str(int(epoch)), **dict(zip(names, figures, strict=True))}
            for mjd, epoch, *figures in zip(outlook.mjd, *(column.tolist() for column in columns), strict=True)
        ],
        "noise": {name: float(getattr(outlook.noise, name)) for name in ("wpm", "wfm", "ffm", "rwfm", "rrfm")},
    }


def print_lab(report: LabReport) -> None:
    """Print the record in words, its newest values, its deviations, and where it will be."""
    points, summary = report.points, report.summary
    last = points.values_s.tolist()[-1]
    known = math.isfinite(summary.rate)
    rate = f"rate of UTC({points.lab}) {summary.rate:+.1e}" if known else "a rate needs more values"
    click.echo(
        f"UTC − UTC({points.lab}): {points.epochs.size} values from {date_text(int(points.epochs[0]))} to "
        f"{date_text(int(points.epochs[-1]))}; last {ns_text(last)} ns, rms {ns_text(summary.rms_s, 2)} ns, "
        f"largest {ns_text(summary.largest_s)} ns; {rate}.\n"
    )
    click.echo(_values_table(report))
    if points.epochs.size > ROWS_SHOWN:
        click.echo(f"  the last {ROWS_SHOWN}; all of them: --json")
    click.echo("")
    print_steps(report.steps)
    if report.link is not None:
        _print_link(report.link)
    _print_deviations(f"UTC({points.lab})", summary)
    for name, (_, own) in report.beside.items():
        _print_deviations(name, own)
    _print_outlook(report)


def _values_table(report: LabReport) -> str:
    points = report.points
    others = {
        name: dict(zip(each.epochs.tolist(), each.values_s.tolist(), strict=True))
        for name, (each, _) in report.beside.items()
    }
    columns = (points.epochs, points.values_s, points.u_a_s, points.u_s)
    rows = [
        [date_text(epoch), str(mjd_of(epoch)), ns_text(value), ns_text(u_a), ns_text(u)]
        + [ns_text(values.get(epoch, math.nan), 2) for values in others.values()]
        for epoch, value, u_a, u in zip(*(column.tolist()[-ROWS_SHOWN:] for column in columns), strict=True)
    ]
    headers = ["date", "MJD", "value/ns", "uA/ns", "u/ns", *(f"UTC − {name}/ns" for name in others)]
    return format_table(headers, rows, left=2)


def _print_deviations(name: str, summary: Summary) -> None:
    if summary.deviations is None:
        return
    rows = [row for row in _oadev_json(summary.deviations) if row["n"]]
    text = ", ".join(f"{row['sigma']:.1e} at {row['tau_s'] / DAY_S:g} d" for row in rows)
    click.echo(f"OADEV of {name} against UTC: {text}.")


def _print_outlook(report: LabReport) -> None:
    outlook = report.outlook
    if outlook is None:
        click.echo(f"What comes next cannot be said: {report.why_no_outlook}.")
        return
    low, high = (ns_text(float(each[-1])) for each in (outlook.low_s, outlook.high_s))
    click.echo(
        f"\nNext Circular T, about {date_text(outlook.published)}: UTC − UTC({report.points.lab}) on MJD "
        f"{outlook.mjd[-1]} is expected at {ns_text(float(outlook.value_s[-1]))} ns, "
        f"with {100 * outlook.confidence:.3g} % between {low} and {high} ns, if it goes on as so far."
    )
    figures = zip(outlook.mjd, outlook.value_s, outlook.u_s, outlook.low_s, outlook.high_s, strict=True)
    rows = [[str(mjd), *(ns_text(float(each)) for each in row)] for mjd, *row in figures]
    click.echo(format_table(["MJD", "value/ns", "u/ns", "low/ns", "high/ns"], rows))
