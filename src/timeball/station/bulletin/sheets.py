"""A report as PDF: A4 sheets that print well, drawn by matplotlib, the same figures and tables as the page.

Places and sizes are millimetres from the top left corner. The same report gives the same bytes: no date is put in.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from timeball.station.bulletin import figures
from timeball.station.bulletin.contents import Report
from timeball.station.bulletin.record import ReportError
from timeball.station.bulletin.setting import LEFT, TEXT_MM, WIDTH_MM, Sheets
from timeball.station.bulletin.style import INK, MUTED, drawing
from timeball.station.bulletin.tables import bulletin_table, clock_table, event_table, facts, steer_table


def write_sheets(report: Report, made: str, path: Path) -> None:
    """Write the PDF; raises ``ReportError`` without matplotlib or when the file cannot be written."""
    with drawing():
        sheets = Sheets(f"{report.heading}   {report.period.kind} report, {report.period.title}")
        _first(sheets, report)
        _tables(sheets, report)
        _clocks(sheets, report)
        _steers(sheets, report)
        _events(sheets, report)
        sheets.say(f"Source: {report.record.source}. {made}", size=7, colour=MUTED, before=5)
        try:
            with import_module("matplotlib.backends.backend_pdf").PdfPages(path, metadata=_about(report)) as pages:
                for sheet in sheets.finished():
                    pages.savefig(sheet)
        except OSError as error:
            raise ReportError(f"{path}: cannot be written: {error.strerror}") from error


def _about(report: Report) -> dict[str, Any]:
    title = f"{report.heading}: {report.period.kind} report, {report.period.title}"
    return {"Title": title, "Creator": "Timeball", "CreationDate": None}


def _first(sheets: Sheets, report: Report) -> None:
    """Who, when, the verdict, the few numbers, UTC − UTC(k) and the weights."""
    sheets.text(LEFT, 24, f"{report.period.kind} report".upper(), size=7.5, colour=MUTED)
    sheets.text(LEFT, 33, report.heading, size=27, weight="bold")
    right = WIDTH_MM - LEFT
    sheets.text(right, 28, report.period.title, size=14, weight="bold", ha="right")
    sheets.text(right, 33, f"MJD {report.period.mjd}, days of UTC", size=8, colour=MUTED, ha="right")
    sheets.rule(36.5, INK, 1.8)
    sheets.y = 40
    if report.record.simulated:
        sheets.say("Simulated laboratory: nothing here is traceable.", size=8, colour="#7a5600", before=2)
    sheets.say(report.headline, size=12, before=4)
    _facts(sheets, facts(report))
    if any(len(points.epochs) for points in report.record.points.values()):
        sheets.heading(f"UTC − {report.heading}", "discs: Circular T, k = 1; diamonds: UTCr; dots: the own link")
        sheets.figure(lambda axes: figures.draw_utc(axes, report), 58, left=11, top=5)
        sheets.say(report.sentences["utc"])
    sheets.heading("Weights", f"the share of every clock in TA({report.record.laboratory}), {report.record.algorithm}")
    sheets.figure(lambda axes: figures.draw_weights(axes, report), 56, left=13, right=17)
    sheets.say(report.sentences["weights"])


def _facts(sheets: Sheets, told: list[tuple[str, str, str]]) -> None:
    width = TEXT_MM / max(len(told), 1)
    sheets.y += 4
    sheets.box(sheets.y, 16)
    for place, (name, value, remark) in enumerate(told):
        x = LEFT + place * width + 3.5
        sheets.text(x, sheets.y + 4.6, name, size=7, colour=MUTED)
        sheets.text(x, sheets.y + 10.2, value, size=13, weight="bold")
        sheets.text(x, sheets.y + 13.9, remark, size=7, colour=MUTED)
    sheets.y += 16


def _tables(sheets: Sheets, report: Report) -> None:
    when = "at hours of UTC" if report.period.kind == "daily" else "at 0h UTC"
    sheets.heading("Bulletin", f"{when}; a clock that is ahead of TA({report.record.laboratory}) has a plus", least=45)
    sheets.table(bulletin_table(report), strong=lambda row: row[0].startswith("UTC"))
    sheets.heading("Clocks", "mean weight; rate over the period; σ: Allan deviation against the others", least=45)
    sheets.table(clock_table(report), marks=True, long=True)


def _clocks(sheets: Sheets, report: Report) -> None:
    """Phases and stability, side by side."""
    sheets.heading("Phases and stability", "clock minus TA, the heaviest on top; none is measured against itself", 78)
    half = TEXT_MM / 2
    y = sheets.y
    sheets.figure(lambda axes: figures.draw_phases(axes, report), 68, left=12, right=half + 12)
    sheets.y = y
    sheets.figure(lambda axes: figures.draw_stability(axes, report), 68, left=half + 15, top=8, bottom=9)
    sheets.say(f"{report.sentences['phases']} {report.sentences['stability']}")


def _steers(sheets: Sheets, report: Report) -> None:
    if report.record.steers:
        who = report.heading
        sheets.heading("Frequency steers", f"steers move {who} and never TA({report.record.laboratory})", least=60)
        sheets.figure(lambda axes: figures.draw_steers(axes, report), 40, left=13)
        sheets.say(report.sentences["steers"])
        sheets.y += 3
        sheets.table(steer_table(report), long=True)


def _events(sheets: Sheets, report: Report) -> None:
    found = event_table(report)
    how = "what changed, and whose doing it was; a size is after minus before" if found.rows else "nothing was found"
    sheets.heading("Anomalies", how, least=20)
    if found.rows:
        sheets.table(found, long=True)
