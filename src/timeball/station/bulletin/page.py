"""A report as one web page: no script, no second file, figures as SVG inside it, so that it can be put anywhere.

The text of the figures is text: it can be read aloud, searched and copied. Every value passes through the template's
escaping; figures are our own SVG and are put in as they are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from typing import Any

import jinja2

from timeball.station.bulletin import figures
from timeball.station.bulletin.contents import Report
from timeball.station.bulletin.style import PAPER, colour_of, drawing
from timeball.station.bulletin.tables import bulletin_table, clock_table, event_table, facts, steer_table

WIDE, HALF = (9.8, 3.3), (4.75, 3.9)
Draw = Callable[[Any, Report], None]


def render_page(report: Report, made: str) -> str:
    """The page; `made` says when and by what it was made, in words. Raises ``ReportError`` without matplotlib."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(_resource("page.html"))
    return template.render(
        style=_resource("page.css"),
        report=report,
        made=made,
        figure=_figures(report),
        facts=facts(report),
        clocks=clock_table(report),
        bulletin=bulletin_table(report),
        steers=steer_table(report),
        events=event_table(report),
        colour_of=colour_of,
    )


def _resource(name: str) -> str:
    return files("timeball.station.bulletin").joinpath(name).read_text(encoding="utf-8")


def _figures(report: Report) -> dict[str, str]:
    wanted: dict[str, tuple[Draw, tuple[float, float], tuple[float, float, float, float]]] = {
        "weights": (figures.draw_weights, WIDE, (0.07, 0.09, 0.815, 0.87)),
        "phases": (figures.draw_phases, HALF, (0.12, 0.085, 0.76, 0.89)),
        "stability": (figures.draw_stability, HALF, (0.15, 0.125, 0.82, 0.755)),
    }
    if any(len(points.epochs) for points in report.record.points.values()):
        wanted["utc"] = (figures.draw_utc, WIDE, (0.07, 0.09, 0.915, 0.81))
    if report.record.steers:
        wanted["steers"] = (figures.draw_steers, (9.8, 2.3), (0.07, 0.13, 0.915, 0.8))
    with drawing():
        return {name: _svg(name, report, *how) for name, how in wanted.items()}


def _svg(
    name: str, report: Report, draw: Draw, size: tuple[float, float], place: tuple[float, float, float, float]
) -> str:
    """One figure as an <svg> element whose ids no other figure of the page has."""
    figure = import_module("matplotlib.figure").Figure(figsize=size, facecolor=PAPER)
    draw(figure.add_axes(place), report)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1)
    words = report.sentences[name].replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{words}"', 1)
