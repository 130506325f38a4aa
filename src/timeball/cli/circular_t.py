"""`timeball circular-t`: what Circular T says of the laboratories, and where one will be at the next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.inputs import load_file, report_defects
from timeball.cli.output import CommandError, print_json
from timeball.cli.plotting import PLOT
from timeball.cli.reading import read_bounded

if TYPE_CHECKING:
    from timeball.cli.circular_t_report import LabReport
    from timeball.formats import CircularT, Defect, LabPoints
    from timeball.formats.circular_t.notes import Step


@dataclass(frozen=True, slots=True)
class _Bulletins:
    """What the files gave: circulars in order of number, the series of one laboratory, and the bad lines."""

    circulars: list[CircularT]
    series: list[LabPoints]
    defects: list[Defect]

    @property
    def steps(self) -> list[Step]:
        """The steps that notes name, each once."""
        return list(dict.fromkeys(step for circular in self.circulars for step in circular.steps))


@click.command("circular-t", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--lab", metavar="LAB", help="This laboratory in full (default: a line for each one).")
@click.option("--beside", type=click.Path(path_type=Path), help="Our own readings against UTC(LAB), shown beside.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Probability of the band.")
@click.option("--drift", is_flag=True, help="Let the prediction allow for a constant drift.")
@click.option("--plot", type=PLOT, help="Draw to a file (.png, .svg, .pdf).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    files: tuple[Path, ...],
    lab: str | None,
    beside: Path | None,
    confidence: float,
    drift: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Read UTC − UTC(k) from Circular T, one or many months, or from one laboratory's series of it.

    With --lab: its values, steps and deviations, our own scale beside them, and its value at each date of the next
    Circular T with a band.

    \b
    timeball circular-t cirt.456.txt
    timeball circular-t cirt.4*.txt --lab OP --beside ta_op.txt --plot op.svg
    """  # noqa: D301 (click wants the backspace itself)
    if lab is None and (beside is not None or plot is not None):
        raise click.UsageError("--beside and --plot are about one laboratory: name it with --lab")
    if not 0.0 < confidence < 1.0:
        raise click.BadParameter("lies between 0 and 1", param_hint="--confidence")
    found = _read(files, lab)
    report_defects(found.defects)
    if lab is None:
        _all(found, as_json)
        return
    report = _of_lab(found, lab, beside, confidence, drift)
    if as_json:
        print_json(report.as_json())
    else:
        from timeball.cli.circular_t_report import print_lab

        print_lab(report)
    if plot is not None:
        from timeball.cli.circular_t_plot import write_plot

        write_plot(report, plot)
        click.echo(f"plot written to {plot}", err=True)


def _read(files: tuple[Path, ...], lab: str | None) -> _Bulletins:
    """Read the files: circulars, and series of the laboratory that is asked for."""
    from timeball import formats
    from timeball.station.hosttime.leaps import load_leap_table

    found = _Bulletins([], [], [])
    leaps = load_leap_table()
    for file in files:
        data = read_bounded(file)
        kind = formats.recognise(data, str(file))
        if kind == "circular-t":
            circular = formats.read_circular_t(data, str(file), leaps)
            found.circulars.append(circular)
            found.defects.extend(circular.defects)
        elif kind == "columns" and lab is not None:
            points, defects = formats.read_lab_series(data, str(file), leaps, lab)
            found.series.append(points)
            found.defects.extend(defects)
        else:
            raise CommandError(
                f"{file}: neither Circular T nor, with --lab, a series of UTC − UTC(LAB); UTCr goes with --beside"
            )
    found.circulars.sort(key=lambda each: each.number)
    return found


def _all(found: _Bulletins, as_json: bool) -> None:
    from timeball.cli.circular_t_overview import Overview, print_overview
    from timeball.formats import lab_points
    from timeball.steering.against_utc import summary

    places = {lab: row.place for circular in found.circulars for lab, row in circular.labs.items()}
    points = [lab_points(found.circulars, lab) for lab in sorted(places)]
    rows = [(each, summary(each, found.steps)) for each in points if each.epochs.size]
    overview = Overview(
        tuple(each.number for each in found.circulars),
        places,
        tuple(rows),
        tuple(each.lab for each in points if not each.epochs.size),
        tuple(found.steps),
        len(found.defects),
    )
    if as_json:
        print_json(overview.as_json())
    else:
        print_overview(overview)


def _of_lab(found: _Bulletins, lab: str, beside: Path | None, confidence: float, drift: bool) -> LabReport:
    """Put together what there is of one laboratory."""
    from timeball.cli.circular_t_report import LabReport
    from timeball.formats import lab_points
    from timeball.formats.bulletin import join_points
    from timeball.readings import Readings
    from timeball.readings.names import did_you_mean
    from timeball.steering import against_utc
    from timeball.steering.prediction import PredictionError

    points = join_points(lab, [*found.series, lab_points(found.circulars, lab)])
    if not points.epochs.size:
        known = sorted({name for circular in found.circulars for name in circular.labs})
        near = did_you_mean(lab, known) if lab not in known else ""
        named = near or f"; they name {', '.join(known) or 'no laboratory'}"
        raise CommandError(f"no value of UTC({lab}) in these files{named}")
    own = Readings.empty() if beside is None else load_file(beside).readings
    others = against_utc.beside(points, own)
    if beside is not None and not others:
        raise CommandError(f"{beside}: nothing in it is compared with UTC({lab}) on a date of the bulletins")
    try:
        outlook, why_not = against_utc.outlook(points, found.steps, confidence=confidence, drifts=drift), ""
    except PredictionError as error:
        outlook, why_not = None, str(error)
    return LabReport(
        points=points,
        circulars=tuple(each.number for each in found.circulars),
        steps=tuple(step for step in found.steps if step.lab == lab),
        summary=against_utc.summary(points, found.steps),
        beside={name: (each, against_utc.summary(each)) for name, each in others.items()},
        outlook=outlook,
        why_no_outlook=why_not,
        rejected_lines=len(found.defects),
        link=next((link for circular in reversed(found.circulars) for link in circular.links if link.lab == lab), None),
    )
