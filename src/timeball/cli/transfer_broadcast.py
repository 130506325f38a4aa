"""`timeball transfer broadcast`: UTC(k) and UTC against the UTC that satellites broadcast, day by day."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from timeball.cli.inputs import report_defects
from timeball.cli.output import CommandError, format_table, print_json
from timeball.cli.plotting import PLOT
from timeball.cli.reading import read_bounded
from timeball.cli.transfer_options import limit_options, limits_of

if TYPE_CHECKING:
    from timeball.cli.transfer_inputs import Station
    from timeball.formats.broadcast_utc import BroadcastUTC
    from timeball.formats.bulletin import LabPoints
    from timeball.transfer import Rejections, StationTracks
    from timeball.transfer.broadcast import DayOfUTC

NS = 1e-9
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("broadcast", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files")
@click.option("--message", "messages", type=FILE, multiple=True, required=True, help="Parameters of broadcast UTC.")
@click.option("--system", type=click.Choice(["G", "E", "C"]), default="G", show_default=True, help="Satellite system.")
@click.option("--utc", type=FILE, help="Circular T, or a series of UTC − UTC(k).")
@click.option("--lab", metavar="K", help="Laboratory whose UTC(k) it is, in Circular T.")
@limit_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--plot", type=PLOT, help="Draw to a file (.png, .svg, .pdf).")
def command(
    files: str,
    messages: tuple[Path, ...],
    system: str,
    utc: Path | None,
    lab: str | None,
    calibration: Path | None,
    as_json: bool,
    plot: Path | None,
    **options: Any,
) -> None:
    """Compare UTC(k) with the UTC that satellites broadcast, each day at 0h UTC, as section 4 of Circular T does.

    FILES are CGGTTS files of a receiver at UTC(k): a file, a folder, a pattern in quotes, or several joined by commas.
    With --utc also UTC − broadcast UTC.

    \b
    timeball transfer broadcast 'GZ*' --message nav.txt --utc cirt.txt --lab AUS
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.transfer_inputs import load_station, read_calibration
    from timeball.transfer import by_reason
    from timeball.transfer.broadcast import against_broadcast

    options["systems"] = system
    station = load_station(files, read_calibration(calibration))
    report_defects(station.defects)
    tracks, rejected = _ready(station, options)
    told = [each for path in messages for each in _read_messages(path, system)]
    days, far = against_broadcast(tracks, told, _midnights(tracks), _published(utc, lab), station.u_s)
    if not days:
        raise CommandError("no track of these files is near a 0h UTC")
    left_out = station.rejected + rejected + far
    if plot is not None:
        _draw(days, plot, math.isfinite(station.u_s))
    if as_json:
        rows = [{name: getattr(day, name) for name in day.__slots__ if name != "epoch"} for day in days]
        document = [{"tai_ns": str(day.epoch), **row} for day, row in zip(days, rows, strict=True)]
        calibrated = math.isfinite(station.u_s)
        print_json({"system": system, "calibrated": calibrated, "days": document, "reasons": by_reason(left_out)})
    else:
        _print(days, by_reason(left_out))
        for note in station.notes:
            click.echo(f"{note}.")
        if not math.isfinite(station.u_s) and any(math.isfinite(day.u_s) for day in days):
            click.echo("u leaves out what the delays of the receiver are off by: see --calibration.")


def _draw(days: list[DayOfUTC], plot: Path, calibrated: bool) -> None:
    from timeball.cli.broadcast_plot import draw_broadcast

    told = "" if calibrated else "; the bars leave out what the delays of the receiver are off by"
    draw_broadcast(days, plot, f"Each day the mean of the tracks around 0h UTC{told}.")
    click.echo(f"plot written to {plot}", err=True)


def _ready(station: Station, options: dict[str, Any]) -> tuple[StationTracks, Rejections]:
    """Apply limits and one code; weights and outliers are not asked for here."""
    from timeball.transfer import Options
    from timeball.transfer.common_view import within_limits
    from timeball.transfer.sieve import choose_codes, one_code

    chosen = Options(limits=limits_of(options), **options)
    good, rejected = within_limits(station.tracks, chosen)
    kept, others = one_code(good, choose_codes((good,), shared=False))
    return kept, rejected + others


def _midnights(tracks: StationTracks) -> list[tuple[int, int]]:
    """Give MJD and epoch of every 0h UTC that the tracks lie around."""
    from timeball.instants import DAY_NS, MJD_OF_1970, from_utc_parts
    from timeball.station.hosttime.leaps import load_leap_table

    if not len(tracks):
        return []
    leaps = load_leap_table()
    days = range(int(tracks.epoch[0]) // DAY_NS - 1, int(tracks.epoch[-1]) // DAY_NS + 3)
    return [(day + MJD_OF_1970, from_utc_parts(day, 0, 0, leaps).ns) for day in days]


def _read_messages(path: Path, system: str) -> list[BroadcastUTC]:
    from timeball import formats
    from timeball.formats.broadcast_utc import read_broadcast_utc

    try:
        found, defects = read_broadcast_utc(read_bounded(path), str(path), system)
    except formats.FormatError as error:
        raise CommandError(str(error)) from error
    report_defects(defects)
    return found


def _published(utc: Path | None, lab: str | None) -> LabPoints | None:
    """Read UTC − UTC(k): a Circular T needs the laboratory's name, a series of one laboratory does not."""
    from timeball import formats
    from timeball.station.hosttime.leaps import load_leap_table

    if utc is None:
        return None
    data, leaps = read_bounded(utc), load_leap_table()
    try:
        if formats.recognise(data, str(utc)) == "circular-t":
            circular = formats.read_circular_t(data, str(utc), leaps)
            if lab not in circular.labs:
                raise CommandError(f"{utc}: name the laboratory with --lab; it has {', '.join(sorted(circular.labs))}")
            return formats.lab_points([circular], lab)
        points, defects = formats.read_lab_series(data, str(utc), leaps, lab)
    except formats.FormatError as error:
        raise CommandError(str(error)) from error
    report_defects(defects)
    return points


def _print(days: list[DayOfUTC], reasons: dict[str, int]) -> None:
    rows = [
        (
            str(day.mjd),
            *(_ns(each) for each in (day.lab_minus_system_s, day.system_minus_broadcast_s, day.lab_minus_broadcast_s)),
            _ns(day.utc_minus_broadcast_s),
            f"{day.u_s / NS:.2f}" if math.isfinite(day.u_s) else "–",
            str(day.n),
            day.why,
        )
        for day in days
    ]
    width = max(len(row[-1]) for row in rows)
    headers = ("MJD", "UTC(k)−system", "system−bUTC", "UTC(k)−bUTC", "UTC−bUTC", "u", "tracks", "")
    click.echo("At 0h UTC, in ns, modulo 1 s; bUTC is the UTC that was broadcast.\n")
    click.echo(format_table(headers, [(*row[:-1], row[-1].ljust(width)) for row in rows]))
    if reasons:
        click.echo("\n" + format_table(("left out", "n"), [(reason, str(count)) for reason, count in reasons.items()]))


def _ns(value_s: float) -> str:
    return f"{value_s / NS:+.2f}" if np.isfinite(value_s) else "–"
