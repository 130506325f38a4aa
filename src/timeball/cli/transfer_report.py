"""What becomes of a link: smoothed, printed, written as readings, drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from timeball.cli.output import CommandError, format_table, print_json
from timeball.cli.transfer_options import HOUR_S, NS, WORDS, Wanted

if TYPE_CHECKING:
    from timeball.cli.transfer_inputs import Station
    from timeball.formats import Defect
    from timeball.transfer import Link, Options, StationTracks

MOST_EPOCHS = 200_000  # a smoothed link is no record of every second


def link_of(
    method: Callable[[StationTracks, StationTracks, Options], Link], stations: tuple[Station, Station], options: Options
) -> Link:
    """Make the link of two stations, with what their calibrations leave uncertain, and what was left out before."""
    a, b = stations
    link = method(a.tracks, b.tracks, replace(options, u_b_s=math.hypot(a.u_s, b.u_s)))
    return replace(link, rejected=a.rejected + b.rejected + link.rejected, notes=(*a.notes, *b.notes, *link.notes))


def finish(link: Link, wanted: Wanted, defects: Sequence[Defect]) -> None:
    """Smooth, write, draw and print, as asked."""
    shown = _smoothed(link, wanted)
    if wanted.out is not None:
        from timeball.cli.transfer_written import write_link

        write_link(shown, wanted.out)
    if wanted.plot is not None:
        from timeball.cli.transfer_plot import draw_link

        draw_link(link, shown, wanted.plot)
    if wanted.as_json:
        print_json({**shown.as_json(), **_defects(defects), **_files(wanted)})
    else:
        _print(link, shown, defects, wanted)


def _defects(defects: Sequence[Defect]) -> dict[str, Any]:
    told = [{name: getattr(each, name) for name in ("file", "line", "field", "text", "reason")} for each in defects]
    return {"rejected_lines": sum(each.lines for each in defects), "defects": told}


def _files(wanted: Wanted) -> dict[str, str | None]:
    return {name: str(path) if path else None for name, path in (("out", wanted.out), ("plot", wanted.plot))}


def _smoothed(link: Link, wanted: Wanted) -> Link:
    from timeball.transfer.smoothing import kalman, vondrak

    if wanted.method is None:
        return link
    at = _epochs(link, wanted)
    if wanted.method == "vondrak":
        found = vondrak(link.epoch, link.x_s, link.u_s, wanted.cutoff * HOUR_S, at)
        note = f"smoothed by Vondrák's method, periods of {wanted.cutoff:g} h halved"
    else:
        found = kalman(link.epoch, link.x_s, link.u_s, at=at)
        note = "smoothed by a Kalman filter forward and back, noises fitted to the link"
    if not found.epoch.size:
        raise CommandError(f"none of the epochs asked for lies within the link {link.a} − {link.b}")
    return link.with_series(found.epoch, found.x_s, found.u_s, note)


def _epochs(link: Link, wanted: Wanted) -> np.ndarray | None:
    from timeball.cli.transfer_inputs import epochs_of

    if wanted.at is not None:
        at: np.ndarray = epochs_of(wanted.at)
        at = np.asarray(at[(at >= link.epoch[0]) & (at <= link.epoch[-1])])
        if at.size > MOST_EPOCHS:
            raise CommandError(f"{wanted.at}: {at.size} epochs within the link are more than {MOST_EPOCHS}")
        return at
    if wanted.every is None:
        return None
    return _grid(link, wanted.every)


def _grid(link: Link, every_s: float) -> np.ndarray:
    """Give multiples of an interval, counted from 0h UTC of the link's first day."""
    from timeball.instants import DAY_NS
    from timeball.instants.arrays import tai_minus_utc_array
    from timeball.station.hosttime.leaps import load_leap_table

    first, last = int(link.epoch[0]), int(link.epoch[-1])
    offset_ns = int(tai_minus_utc_array(link.epoch[:1], load_leap_table())[0]) * 10**9
    start = (first - offset_ns) // DAY_NS * DAY_NS + offset_ns
    step = round(every_s * 1e9)
    if (last - start) // step > MOST_EPOCHS:
        raise CommandError(f"--every {every_s:g} would give more than {MOST_EPOCHS} epochs")
    return np.arange(start, last + 1, step, dtype=np.int64)


def _print(link: Link, shown: Link, defects: Sequence[Defect], wanted: Wanted) -> None:
    """Print the verdict in words, then what stands behind it, then what was left out and why."""
    click.echo(verdict(link))
    what = "sessions" if link.method == "two-way" else "tracks" if link.method == "all-in-view" else "pairs of tracks"
    codes = ", ".join(f"{system} {code}" for system, code in sorted(link.codes.items()))
    click.echo(
        f"{link.n} {what} at {link.epoch.size} epochs" + (f" ({codes})" if codes else "")
        + f"; spread {_ns(link.spread_s)}."
    )  # fmt: skip
    for system, offset in link.systems_s.items():
        if offset:
            click.echo(f"{system} stands {offset / NS:+.2f} ns from the first system; taken out.")
    for note in shown.notes:
        click.echo(f"{note}.")
    _print_reasons(link, defects)
    for words, path in (("written", wanted.out), ("drawn", wanted.plot)):
        if path is not None:
            click.echo(f"{words}: {path}")


def verdict(link: Link) -> str:
    """Say the result in one sentence."""
    method = WORDS[link.method]
    mean = f"{link.mean_s / NS:+.2f}".replace("-", "−")
    text = f"{link.a} − {link.b} = {mean} ns ± {link.u_total_s / NS:.2f} ns (k = 1) by {method}"
    if not math.isfinite(link.u_a_s):
        return f"{link.a} − {link.b} = {mean} ns by {method}: of too few epochs to say how well."
    if math.isfinite(link.u_b_s):
        return f"{text}: uA {link.u_a_s / NS:.2f} ns, uB {link.u_b_s / NS:.2f} ns."
    return f"{text}: uA alone; what the delays are off by is not known."


def _ns(seconds: float) -> str:
    return f"{seconds / NS:.2f} ns" if math.isfinite(seconds) else "not known"


def _print_reasons(link: Link, defects: Sequence[Defect]) -> None:
    from timeball.transfer import by_reason

    rows = [(reason, str(count)) for reason, count in by_reason(link.rejected).items()]
    lines = sum(each.lines for each in defects)
    if lines:
        rows.append(("lines that cannot be read (above)", str(lines)))
    if not rows:
        click.echo("Nothing was left out.")
        return
    click.echo("\n" + format_table(("left out", "n"), rows))
    if link.rejected:
        click.echo("each of them: --json")
