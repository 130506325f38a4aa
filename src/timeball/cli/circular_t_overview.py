"""All laboratories of one or more Circular T: a line each, and JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.circular_t_report import ns_text, points_json, print_steps, steps_json, summary_json
from timeball.cli.output import format_table

if TYPE_CHECKING:
    from timeball.formats import LabPoints
    from timeball.formats.circular_t.notes import Step
    from timeball.steering.against_utc import Summary


@dataclass(frozen=True, slots=True)
class Overview:
    """All laboratories of some circulars: a row for each with values, and the names of those without."""

    circulars: tuple[int, ...]
    places: dict[str, str]
    rows: tuple[tuple[LabPoints, Summary], ...]
    silent: tuple[str, ...]
    steps: tuple[Step, ...]
    rejected_lines: int

    def as_json(self) -> dict[str, Any]:
        """Give the document of `--json`."""
        return {
            "circulars": list(self.circulars),
            "labs": [
                {"lab": points.lab, "place": self.places[points.lab], **summary_json(summary)}
                | {"points": points_json(points)}
                for points, summary in self.rows
            ],
            "silent": list(self.silent),
            "steps": steps_json(self.steps),
            "rejected_lines": self.rejected_lines,
        }


def print_overview(overview: Overview) -> None:
    """Print a line for each laboratory, the best rms first."""
    numbers = ", ".join(map(str, overview.circulars))
    click.echo(f"Circular T {numbers}: {len(overview.rows)} laboratories with values. UTC − UTC(k) in ns:\n")
    rows = []
    for points, summary in sorted(overview.rows, key=lambda row: row[1].rms_s):
        last = points.values_s.tolist()[-1]
        rows.append(
            [
                points.lab,
                overview.places[points.lab],
                str(points.epochs.size),
                ns_text(last),
                ns_text(points.u_s.tolist()[-1]),
                ns_text(summary.rms_s, 2),
                ns_text(summary.largest_s),
                f"{summary.rate:+.1e}" if math.isfinite(summary.rate) else "–",
            ]
        )
    click.echo(format_table(["lab", "place", "values", "last", "u", "rms", "largest", "rate"], rows, left=2))
    click.echo("\nrate: of UTC(k) against UTC, steps that the notes name taken out.")
    print_steps(overview.steps)
    if overview.silent:
        click.echo(f"Without a value: {', '.join(overview.silent)}.")
