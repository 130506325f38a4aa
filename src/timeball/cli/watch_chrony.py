"""`timeball watch-chrony`: what a chronyd says of itself, judged."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CannotReachError, CommandError, ExitCode, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

EPILOG = "Example: timeball watch-chrony --interval 16 --record system.txt --limit offset=1e-5 --limit age=120"


@click.command("watch-chrony", epilog=EPILOG)
@click.option(
    "--host", metavar="SOCKET|HOST:PORT", help="its Unix socket or address [default: as chronyc looks for it]"
)
@click.option(
    "--limit",
    "limit_texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="offset, distance, age (s), skew, sources (at least); default offset=1e-3, distance=0.1, sources=1",
)
@click.option("--interval", type=click.FloatRange(0.1, 86400), help="look again every so many seconds until Ctrl-C")
@click.option("--count", type=click.IntRange(1), help="with --interval: look so many times")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="append system − NTP to this file")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document, with --interval one line a look")
def command(
    host: str | None,
    limit_texts: tuple[str, ...],
    interval: float | None,
    count: int | None,
    record: Path | None,
    as_json: bool,
) -> int:
    """Read a chronyd over its command protocol and judge it by limits.

    The verdict comes first, in words. Exit code 0 while it is synchronised and within all limits, 3 while it is not, 2
    when no chronyd answers; with --interval the code of the last look.
    """
    from timeball.station.feeding.chronyd import usual_place

    if count is not None and interval is None:
        raise click.UsageError("--count needs --interval")
    place, limits = host or usual_place(), read_limits(limit_texts)
    code = ExitCode.FINE
    looks = 0
    try:
        while True:
            try:
                code = look(place, limits, record, as_json=as_json, one_line=interval is not None)
            except CannotReachError as error:
                if interval is None:
                    raise
                code = _not_reached(error, place, as_json=as_json)
            looks += 1
            if interval is None or looks == count:
                return code
            time.sleep(interval)
    except KeyboardInterrupt:
        return code


def look(place: str, limits: Mapping[str, float], record: Path | None, *, as_json: bool, one_line: bool) -> ExitCode:
    """One look: read, judge, record, print."""
    from timeball.cli.watch_chrony_words import document_of, head_words, sentences
    from timeball.protocols.chrony.errors import ChronyError
    from timeball.protocols.chrony.judging import judge
    from timeball.station.feeding.chronyd import Chronyd, ChronydUnreachableError
    from timeball.station.feeding.chronydview import read_chronyd

    try:
        with Chronyd(place) as chronyd:
            view = read_chronyd(chronyd)
    except (ChronydUnreachableError, ChronyError) as error:
        raise CannotReachError(str(error)) from error
    verdict = judge(view.tracking, view.sources, view.read_ns, limits)
    if record is not None and verdict.synchronised:
        append_reading(record, view.read_ns, view.tracking.system_minus_ntp_s)
    if as_json:
        _print(document_of(place, view, verdict), one_line=one_line)
    elif one_line:
        click.echo(head_words(view, verdict))
    else:
        click.echo("\n".join(sentences(view, verdict)))
    return ExitCode.FINE if verdict.fine else ExitCode.OUT_OF_LIMITS


def read_limits(texts: tuple[str, ...]) -> dict[str, float]:
    """The limits in force: those by default, and those given as NAME=VALUE. Raises UsageError."""
    from timeball.protocols.chrony.judging import DEFAULT_LIMITS, UNITS

    limits = dict(DEFAULT_LIMITS)
    for text in texts:
        name, _, value = text.partition("=")
        try:
            limits[name] = float(value)
        except ValueError:
            limits[name] = -1.0
        if name not in UNITS or not 0 <= limits[name] < float("inf"):
            raise click.UsageError(f"--limit {text}: write NAME=VALUE, NAME one of {', '.join(UNITS)}")
    return limits


def append_reading(path: Path, read_ns: int, system_minus_ntp_s: float) -> None:
    """Append one line of plain columns (docs/formats/columns.md): MJD of TAI, and system − NTP. Raises CommandError."""
    from timeball.instants import DAY_NS, MJD_OF_1970
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.station.hosttime.realtime import tai_of_utc

    days, rest_ns = divmod(tai_of_utc(read_ns, load_leap_table()), DAY_NS)
    head = "# kind = phase\n# unit = s\n# time = mjd\n# clock = SYSTEM\n# reference = NTP\n"
    try:
        with path.open("a", encoding="ascii") as file:
            begins = file.tell() == 0
            file.write(
                head * begins + f"{days + MJD_OF_1970}.{rest_ns * 10**12 // DAY_NS:012d} {system_minus_ntp_s!r}\n"
            )
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error


def _not_reached(error: CannotReachError, place: str, *, as_json: bool) -> ExitCode:
    if as_json:
        _print({"host": place, "verdict": error.message, "fine": False}, one_line=True)
    else:
        click.echo(error.message)
    return ExitCode.CANNOT_REACH


def _print(document: dict[str, Any], *, one_line: bool) -> None:
    if one_line:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        print_json(document)
