"""`timeball status`: what a station says of itself now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from timeball.cli.output import CannotReachError, ExitCode, format_seconds, format_table, print_json


@click.command("status")
@click.option(
    "--state", type=click.Path(path_type=Path), help="state folder of the station [default: XDG state folder]"
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(state: Path | None, as_json: bool) -> int:
    """Show the time, the bound, both leases, the clocks and the ledger of a station.

    The verdict comes first, in words. Exit code 0 while time is served in sync, 3 while it is withdrawn.
    """
    from timeball.station import paths
    from timeball.station.reporting.status import StatusReader

    folder = state if state is not None else paths.default_state_dir()
    if not paths.config_file(folder).exists():
        raise CannotReachError(f"{folder}: no station has run here (no run/config.json)")
    status = StatusReader(folder).status()
    if as_json:
        print_json(status)
    else:
        for line in sentences(status):
            click.echo(line)
    return ExitCode.FINE if status["time"]["in_sync"] else ExitCode.OUT_OF_LIMITS


def sentences(status: dict[str, Any]) -> Iterator[str]:
    """The status in words: verdict first, numbers with unit and age after."""
    from timeball.station.reporting.witnesses import witnessing_words

    station, time, output, ledger = status["station"], status["time"], status["output"], status["ledger"]
    scale = status["scale"]
    simulated = " (simulated laboratory: nothing here is traceable)" if station["simulated"] else ""
    yield f"{station['lamp'].upper()}  {station['verdict']}{simulated}"
    offset_s = time["leap"]["tai_minus_utc_s"]
    leap = f"TAI − UTC {'unknown' if offset_s is None else f'{offset_s} s'}, {time['leap']['words']}"
    yield f"UTC({station['name']})  {time['utc'] or 'unknown'}   {leap}"
    bound = format_seconds(time["bound_s"]) if time["bound_s"] is not None else "unknown"
    yield f"bound    {bound} against UTC, as served; stratum {time['stratum']}, refid {time['refid'] or 'none'}"
    for name, lease in status["leases"].items():
        state = f"{lease['remaining_s']:.1f} s left" if lease["valid"] else "ended"
        yield f"lease    {name}: {state}; {lease['why']}"
    if output["residual_s"] is not None:
        yield f"output   {format_seconds(output['residual_s'])} from TA(k) + steers; {output['why']}"
    newest = scale["epoch_utc"] or "none yet"
    yield f"scale    {scale['algorithm']} every {scale['interval_s']:g} s, newest epoch {newest}"
    yield f"ledger   {ledger['size']} entries of {ledger['origin']}"
    yield f"witness  {witnessing_words(status['witnessing'])}"
    yield from _servers(status)
    yield ""
    rows = (
        [clock["name"], clock["kind"], f"{clock['weight']:.4f}", _seconds(clock["x_s"]), clock["state"], clock["why"]]
        for clock in status["clocks"]
    )
    yield format_table(["clock", "kind", "weight", "x against TA(k)", "state", "why"], rows, left=2)
    for anomaly in status["anomalies"]:
        yield f"anomaly  {anomaly}"
    for alarm in status["alarms"]:
        yield f"ALARM    {alarm}"


def _servers(status: dict[str, Any]) -> Iterator[str]:
    """What answers the public and what is fed, a line each; of what is not configured nothing."""
    ntp, nts, roughtime = status["ntp"], status["nts"], status["roughtime"]
    kinds = (
        f"{ntp[name]} {name.replace('_', ' ')}"
        for name in ("unsynchronised", "refused", "limited", "naks", "malformed", "internal_errors")
        if ntp[name]
    )
    yield f"ntp      {', '.join(ntp['listen'])}: {', '.join([_served(ntp), *kinds])}"
    smear = ntp["smear"]
    if smear["offset_s"] is not None:
        words = f"{smear['shape']} over {smear['length_s']:g} s, {format_seconds(smear['offset_s'])} from UTC now"
        yield f"smeared  {', '.join(smear['listen'])}: {words}"
    if nts["listen"]:
        left_s = nts["certificate_left_s"]
        ends = "no certificate" if left_s is None else f"certificate for {left_s / 86400:.0f} more days"
        words = f"{nts['handshakes']} key exchanges, {nts['failures']} failed; {ends}"
        yield f"nts      {', '.join(nts['listen'])}: {words}"
    if roughtime["listen"]:
        yield f"rough    {', '.join(roughtime['listen'])}: {roughtime['replies']} of {roughtime['packets']} answered"
    for sentence in status["outputs"]:
        yield f"fed      {sentence}"


def _served(ntp: dict[str, Any]) -> str:
    over = f" ({ntp['nts']} over NTS)" if ntp["nts"] else ""
    return f"{ntp['in_sync']} of {ntp['received']} answered in sync{over}"


def _seconds(value: float | None) -> str:
    return format_seconds(value) if value is not None else "?"
