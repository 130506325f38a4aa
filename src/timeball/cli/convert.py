"""`timeball convert`: a file of one format written as another, and read back to see that it says the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.convert_files import Written, read_back, write_file
from timeball.cli.inputs import Input, load_file, report_defects
from timeball.cli.output import CommandError, format_seconds, print_json
from timeball.cli.reading import column_options, held_kind, read_bounded

if TYPE_CHECKING:
    from timeball.formats import Kind, ReadOptions
    from timeball.readings import Readings

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}
SUFFIXES = {".dat": "stable32", ".tau": "stable32-tau", ".txt": "columns", ".csv": "columns", ".tsv": "columns"}
SUFFIXES |= {".tfex": "tfex"}
WRITTEN = (
    "rinex-clock", "cggtts", "itu-tw", "tfex", "bipm-clocks", "tempo2", "stable32-tau", "stable32", "columns"
)  # fmt: skip
READ = (
    "rinex-clock", "circular-t", "utcr", "tfex", "bipm-clocks", "tempo2", "chrony-measurements", "chrony-statistics",
    "chrony-tracking", "chrony-refclocks", "ntpd-rawstats", "ntpd-peerstats", "ntpd-loopstats", "timelab", "stable32",
    "columns"
)  # fmt: skip


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--to", "to", type=click.Choice(WRITTEN), help="Format of OUT (else by its name, or as IN).")
@click.option("--from", "origin", type=click.Choice(READ), help="Format of IN (else told from its content).")
@click.option("--clock", metavar="NAME", help="Only the comparisons of this clock.")
@click.option("--against", metavar="NAME", help="Only those with this one, the sign turned where need be.")
@click.option("--kind", type=click.Choice(["phase", "frequency"]), help="What plain columns hold (else as they say).")
@click.option("--tau0", "tau0_s", type=float, metavar="S", help="Interval between samples without tags.")
@click.option("--unit", type=click.Choice(list(UNITS_S)), help="Unit of phase in plain columns.")
@click.option("--nominal", "nominal_hz", type=float, metavar="HZ", help="Frequency is in hertz, about this value.")
@click.option("--tags", type=click.Choice(["mjd", "seconds"]), default="mjd", help="Tags of plain columns written.")
@click.option("--cggtts", "version", type=click.Choice(["01", "02", "2E"]), help="Version of CGGTTS written.")
@click.option("--code", metavar="FRC", help="Its code: of tracks that name none, or the one that version 01 keeps.")
@click.option("--force", is_flag=True, help="Write over OUT if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    source: Path,
    target: Path,
    to: str | None,
    origin: str | None,
    clock: str | None,
    against: str | None,
    kind: str | None,
    tau0_s: float | None,
    unit: str | None,
    nominal_hz: float | None,
    tags: str,
    version: str | None,
    code: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the file IN as OUT in another format, and read OUT back: say what is not the same.

    Comparisons of clocks go from any format that has them to any that can hold them. A file of satellite tracks or
    two-way sessions is written anew in its own format, with its checksums. OUT ending in .gz is packed.

    \b
    timeball convert igs15904.clk amc2.dat --clock AMC2 --against 'GPST(IGS)'
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.formats import WriteError, WriteOptions
    from timeball.station.hosttime.leaps import load_leap_table

    if target.exists() and not force:
        raise CommandError(f"{target}: is there already; --force writes over it")
    columns = column_options(
        kind=kind, tau0_s=tau0_s, unit_s=None if unit is None else UNITS_S[unit], nominal_hz=nominal_hz
    )
    options = _read_options(columns, version, code)
    found = held_kind(source, options, origin)
    chosen = _target_kind(found, target, to)
    if (version or code) and chosen.key != "cggtts":
        raise CommandError("--cggtts and --code are for files of CGGTTS")
    try:
        if chosen.rewrite is not None:
            report = _rewritten(source, target, found, chosen, options)
        else:
            data = load_file(source, columns=columns, kind=found.key)
            readings = _pair(data.readings, clock, against)
            assert chosen.write is not None
            pieces = chosen.write(readings, WriteOptions(load_leap_table(), tags))
            written = write_file(target, pieces, len(readings))
            report = _report(data, readings, chosen, written)
    except WriteError as error:
        raise CommandError(f"{target}: {error}") from error
    if as_json:
        print_json(report)
    else:
        click.echo(_as_text(report))


def _read_options(columns: Any, version: str | None, code: str | None) -> ReadOptions:
    from timeball.formats import ReadOptions
    from timeball.station.hosttime.leaps import load_leap_table

    return ReadOptions(load_leap_table(), None, columns, version or "", code or "")


def _target_kind(found: Kind, target: Path, to: str | None) -> Kind:
    """Choose the format of OUT: as asked, by the name, or that of IN; CommandError when it cannot hold what IN has."""
    from timeball.formats import KINDS

    suffix = target.with_suffix("").suffix if target.suffix.lower() == ".gz" else target.suffix
    key = to or SUFFIXES.get(suffix.lower()) or (found.key if found.key in WRITTEN else None)
    if key is None:
        raise CommandError(f"{target}: say with --to which format it shall have: {', '.join(WRITTEN)}")
    chosen = KINDS[key]
    if found.read is None and chosen.key != found.key:
        hint = f", only its own format: --to {found.key}" if found.rewrite else ""
        raise CommandError(f"{found.holds} cannot become {chosen.title}{hint}{found.instead}")
    if chosen.rewrite is not None and chosen.key != found.key:
        raise CommandError(f"{chosen.title} cannot be made from {found.title}")
    return chosen


def _pair(readings: Readings, clock: str | None, against: str | None) -> Readings:
    """Keep the comparisons of a clock, and of those with one other; turned so that the clock named comes first."""
    import numpy as np

    from timeball.readings import Readings, ReadingsError

    try:
        for name in (clock, against):
            readings = readings if name is None else readings.select([name])
    except ReadingsError as error:
        raise CommandError(str(error)) from error
    if clock is None or not len(readings):
        return readings
    turned = readings.b == readings.clocks.index(clock)
    a, b = np.where(turned, readings.b, readings.a), np.where(turned, readings.a, readings.b)
    x = np.where(turned, -readings.x, readings.x)
    return Readings.from_columns(readings.clocks, readings.epoch, a, b, x, readings.u)


def _rewritten(source: Path, target: Path, found: Kind, chosen: Kind, options: ReadOptions) -> dict[str, Any]:
    from timeball.formats import FormatError

    assert chosen.rewrite is not None
    try:
        data, defects = chosen.rewrite(read_bounded(source), str(source), options)
        again, faults = chosen.rewrite(data, str(target), options)
    except FormatError as error:
        raise CommandError(str(error)) from error
    report_defects(defects)
    if again != data or faults:
        raise CommandError(f"{target}: would not read back as it was written; nothing is written")
    written = write_file(target, [data], 1)
    return {
        "input": str(source),
        "from": found.key,
        "output": str(target),
        "to": chosen.key,
        "bytes": written.size,
        "rejected": sum(defect.lines for defect in defects),
        "same": True,
    }


def _report(data: Input, readings: Readings, chosen: Kind, written: Written) -> dict[str, Any]:
    import numpy as np

    back = read_back(written, readings, chosen)
    used = np.unique(np.concatenate([np.unique(readings.a), np.unique(readings.b)]))
    return {
        "input": str(data.path),
        "from": data.kind,
        "output": str(written.path),
        "to": chosen.key,
        "bytes": written.size,
        "rejected": data.rejected_lines,
        "same": back.same,
        "readings": len(readings),
        "clocks": [readings.clocks[number] for number in used.tolist()],
        "first_epoch": str(int(readings.epoch.min())),
        "last_epoch": str(int(readings.epoch.max())),
        "largest_difference_s": back.largest_difference_s,
        "lost": back.lost,
    }


def _as_text(report: dict[str, Any]) -> str:
    lines = [f"{report['output']}: {report['to']}, {report['bytes']} bytes, from {report['from']}"]
    if "readings" in report:
        lines[0] = f"{report['output']}: {report['readings']} readings as {report['to']}, from {report['from']}"
    if report["same"]:
        lines.append("read back: the same, to the last bit")
    elif report["same"] is None:
        lines.append("not read back: too long to be held a second time")
    elif report["largest_difference_s"] is not None:
        lines.append(f"read back: the same but for {format_seconds(report['largest_difference_s'])} at most")
    if report.get("lost"):
        lines.append(f"not in the new file: {report['lost']}")
    return "\n".join(lines)
