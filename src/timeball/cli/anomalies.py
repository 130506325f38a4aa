"""`timeball anomalies`: what happened to clocks, from files of their comparisons, and whom to blame.

It parses its arguments, calls the rooms `formats`, `ensemble` and `integrity`, and prints. `anomalies_plot.py` holds
what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.numbers import MJD, FiniteRange
from timeball.cli.output import CommandError, format_table, print_json
from timeball.cli.plotting import PLOT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from timeball.formats import Defect
    from timeball.integrity.anomalies import Anomaly, Record
    from timeball.readings import Readings

    BoolArray = npt.NDArray[np.bool_]

DAY_S = 86_400.0
GRID = FiniteRange(min=1e-6, max=10_000)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--clocks", metavar="A,B,…", help="Only these clocks (default: every clock in the files).")
@click.option(
    "--reference", metavar="R", help="What all are compared with: a clock of them, or a scale such as 'UTC(USNO)'."
)
@click.option("--link", "links", metavar="L=A,B,…", multiple=True, help="Clocks compared through one link; repeatable.")
@click.option("--grid", "grid_days", metavar="DAYS", type=GRID, help="Put the readings on a grid of so many days.")
@click.option("--since", metavar="MJD", type=MJD, help="Only from this date of TAI on.")
@click.option("--until", metavar="MJD", type=MJD, help="Only before this date of TAI.")
@click.option("--threshold", metavar="SIGMAS", type=float, help="Tell steps beyond so many sigma (default 5).")
@click.option("--plot", type=PLOT, help="Draw it: .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    files: tuple[Path, ...],
    clocks: str | None,
    reference: str | None,
    links: tuple[str, ...],
    grid_days: float | None,
    since: float | None,
    until: float | None,
    threshold: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Find phase steps, rate steps, drifts and changes of noise in FILES of clock comparisons.

    What moved alone is a clock; what moved with all others of its link is the link; what all others moved against is
    the reference. Each clock's noise is learned from the record.

    \b
    timeball anomalies ao2gps.clk gbt2gps.clk vla2gps.clk gps2utc.clk --reference 'UTC(USNO)' --grid 5 \\
        --since 57060 --until 59080
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.integrity.anomalies import find_in_record
    from timeball.integrity.anomalies.record import lone_readings, rules_for

    record, defects = read_record(files, _names(clocks), reference, _links(links), grid_days, (since, until))
    rules = rules_for(record.epochs)
    if threshold is not None:
        import msgspec

        rules = msgspec.structs.replace(rules, threshold=threshold)
    found = find_in_record(record, rules)
    lone = lone_readings(record)
    if plot is not None:
        from timeball.cli.anomalies_plot import draw_anomalies

        draw_anomalies(record, found, plot)
    if as_json:
        print_json(_document(record, rules.threshold, found, defects, plot) | {"lone": _lone_json(record, lone)})
        return
    print_found(record, found)
    if lone.any():
        click.echo(_lone_words(record, lone))
    if plot is not None:
        click.echo(f"\nDrawn: {plot}")


def read_record(
    files: Sequence[Path],
    clocks: list[str] | None,
    reference: str | None,
    links: dict[str, str],
    grid_days: float | None,
    dates: tuple[float | None, float | None] = (None, None),
) -> tuple[Record, list[Defect]]:
    """Read files into a record of phases, bad lines told on stderr; raises ``CommandError``.

    Against a reference that is no clock of the record the phases stand as read; else they are taken against the AT1
    scale of the clocks, which no clock's coming or going moves.
    """
    from timeball.cli.inputs import load_files
    from timeball.readings import ReadingsError
    from timeball.readings.grid import CIRCULAR_T_PHASE_NS, on_grid

    readings, inputs = load_files(files)
    defects = [defect for each in inputs for defect in each.defects]
    try:
        if grid_days is not None:
            readings = on_grid(readings, grid_days * DAY_S, CIRCULAR_T_PHASE_NS)
        return _record(_between(readings, dates), clocks, reference, links), defects
    except ReadingsError as error:
        raise CommandError(str(error)) from error


def _between(readings: Readings, dates: tuple[float | None, float | None]) -> Readings:
    """The readings from the first date (MJD of TAI) on and before the second."""
    from timeball.instants import DAY_NS, MJD_OF_1970

    since, until = (None if date is None else round((date - MJD_OF_1970) * DAY_NS) for date in dates)
    kept = readings.epoch >= (since if since is not None else readings.epoch.min(initial=0))
    return readings.take(kept if until is None else kept & (readings.epoch < until))


def _record(readings: Readings, clocks: list[str] | None, reference: str | None, links: dict[str, str]) -> Record:
    from timeball.ensemble.algorithms import algorithm
    from timeball.integrity.anomalies import Record
    from timeball.readings import is_scale, phase_table

    chosen = clocks
    if chosen is None:
        chosen = [name for name in readings.clocks if name == reference or not is_scale(name)]
        if not [name for name in chosen if name != reference]:
            # files of scales alone, each a clock's time: those that are compared with the reference only in passing
            chosen = _ends(readings, reference)
    if reference is None and len(chosen) == 1:
        reference = _partner(readings, chosen[0])
    unknown = sorted(set(links) - set(readings.clocks))
    if unknown:
        raise CommandError(f"--link names clocks that are not in the files: {', '.join(unknown)}")
    outside = reference is not None and (reference not in chosen or is_scale(reference))
    members = [name for name in chosen if not (outside and name == reference)]
    table = phase_table(readings, reference, members)
    if outside:
        rows = table.pivot == -1
        if not rows.any():
            raise CommandError(f"no clock was compared with {reference} at any epoch, directly or through others")
        return Record(table.epochs[rows], table.clocks, table.x[rows], links, reference, outside=True)
    steps = algorithm("at1").run(table, None).steps
    return Record(steps.epochs, steps.clocks, steps.x, links, reference or table.reference)


def _ends(readings: Readings, reference: str | None) -> list[str]:
    """The names that stand first in a comparison and never second: what was measured, not what it was measured by."""
    second = {readings.clocks[j] for j in set(readings.b.tolist())}
    first = [readings.clocks[j] for j in sorted(set(readings.a.tolist()))]
    return [name for name in first if name not in second and name != reference]


def _partner(readings: Readings, clock: str) -> str:
    """What a clock that stands alone is compared with, and so judged against; raises ``CommandError`` if not one."""
    at = readings.clocks.index(clock)
    pairs = zip(readings.a.tolist(), readings.b.tolist(), strict=True)
    names: list[str] = sorted({readings.clocks[b if a == at else a] for a, b in pairs if at in (a, b)})
    if len(names) != 1:
        raise CommandError(
            f"{clock} is the only clock, compared with {', '.join(names) or 'nothing'}: choose --reference"
        )
    return names[0]


def print_found(record: Record, found: Sequence[Anomaly]) -> None:
    """Print the verdict in words, then a line for each anomaly."""
    click.echo(headline(record, found))
    if not found:
        return
    rows = [
        [
            _date(each.epoch),
            _who(each, record.reference),
            each.kind,
            f"{each.sigmas:.1f}" if each.sigmas < 1000 else f"{each.sigmas:.0f}",
            each.words.partition(" (")[0].removeprefix(f"{each.kind} of "),
            each.words.rpartition(": ")[2],
        ]
        for each in found
    ]
    for column in (4, 5):
        width = max(len(row[column]) for row in rows)
        rows = [[*row[:column], row[column].ljust(width), *row[column + 1 :]] for row in rows]
    click.echo("\n" + format_table(["first epoch after, TAI", "who", "what", "sigma", "size", "why"], rows, left=3))
    click.echo("\nA size is after minus before, with its standard uncertainty. Epochs, dates and more: --json.")


def _lone_words(record: Record, lone: BoolArray) -> str:
    counts = [(name, int(lone[:, j].sum())) for j, name in enumerate(record.clocks)]
    told = ", ".join(f"{name} {count}" for name, count in counts if count)
    return f"\nNot counted, for both readings beside them say otherwise: {told}. Their epochs: --json."


def _lone_json(record: Record, lone: BoolArray) -> list[dict[str, str]]:
    import numpy as np

    return [{"clock": record.clocks[j], "tai_ns": str(int(record.epochs[i]))} for i, j in np.argwhere(lone).tolist()]


def headline(record: Record, found: Sequence[Anomaly]) -> str:
    """What was found, in one sentence."""
    days = float(record.epochs[-1] - record.epochs[0]) / 1e9 / DAY_S
    span = f"{days / 365.25:.1f} years" if days > 700 else f"{days:.3g} days"
    one = len(record.clocks) == 1
    who = f"{record.clocks[0]} against {record.reference}" if one else f"{len(record.clocks)} clocks"
    said = f"{who}, {len(record.epochs)} epochs over {span}: "
    if not found:
        return said + "nothing out of the ordinary."
    kinds = [(kind, sum(each.kind == kind for each in found)) for kind in ("phase step", "rate step", "drift")]
    told = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds if count]
    noisy = sum(each.kind == "variance" for each in found)
    told += [f"{noisy} change{'s' if noisy > 1 else ''} of noise"] if noisy else []
    return said + ", ".join(told) + "."


def _who(anomaly: Anomaly, reference: str | None) -> str:
    if anomaly.origin == "link":
        return f"link {anomaly.link}"
    return f"reference {reference}" if anomaly.origin == "reference" else anomaly.clocks[0]


def _date(epoch_ns: int) -> str:
    from timeball.integrity.anomalies.anomaly import tai_words

    return tai_words(epoch_ns).removesuffix(" TAI")


def _document(
    record: Record, threshold: float, found: Sequence[Anomaly], defects: Sequence[Defect], plot: Path | None
) -> dict[str, Any]:
    return {
        "clocks": list(record.clocks),
        "reference": record.reference,
        "links": dict(record.links),
        "epochs": len(record.epochs),
        "first_tai_ns": str(int(record.epochs[0])),
        "last_tai_ns": str(int(record.epochs[-1])),
        "threshold": threshold,
        "anomalies": [_one(each) for each in found],
        "rejected_lines": len(defects),
        "defects": [
            {"file": d.file, "line": d.line, "field": d.field, "text": d.text, "reason": d.reason} for d in defects
        ],
        "plot": str(plot) if plot else None,
    }


def _one(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "kind": anomaly.kind,
        "origin": anomaly.origin,
        "clocks": list(anomaly.clocks),
        "link": anomaly.link,
        "tai_ns": str(anomaly.epoch),
        "u_epoch_s": anomaly.u_epoch_s,
        "size": anomaly.size,
        "u_size": anomaly.u_size,
        "sigmas": anomaly.sigmas,
        "found_tai_ns": str(anomaly.found),
        "readmit_tai_ns": str(anomaly.readmit),
        "words": anomaly.words,
    }


def _names(clocks: str | None) -> list[str] | None:
    if clocks is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in clocks.split(",") if name.strip()))
    if not names:
        raise click.BadParameter("no name in it", param_hint="--clocks")
    return names


def _links(given: Sequence[str]) -> dict[str, str]:
    """`L=A,B` as {clock: link}."""
    links: dict[str, str] = {}
    for text in given:
        link, mark, clocks = text.partition("=")
        names = [name.strip() for name in clocks.split(",") if name.strip()]
        if not mark or not link.strip() or not names:
            raise click.BadParameter(f"{text!r} is not LINK=CLOCK,CLOCK,…", param_hint="--link")
        links |= dict.fromkeys(names, link.strip())
    return links
