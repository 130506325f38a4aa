"""`timeball why`: a clock's weight, prediction and error, why the weight fell, and what the scale is without it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.numbers import FiniteRange
from timeball.cli.output import CannotReachError, CommandError, format_seconds, format_table, format_tau, print_json

if TYPE_CHECKING:
    from timeball.station.reporting.why import Account, Audit

STRETCHES_SHOWN = 12
NOTES_SHOWN = 8
ALGORITHMS = ("at1", "algos", "kalman")
Taus = list[tuple[float, float, float]]


@click.command("why", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("clock")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--at", "moment", metavar="UTC", help="The moment: 2026-11-22T09:31:07Z [default: the newest epoch].")
@click.option(
    "--days",
    type=FiniteRange(min=0, max=100_000),
    default=7.0,
    show_default=True,
    help="How far back to look in a ledger.",
)
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="at1", show_default=True, help="For files.")
@click.option("--clocks", metavar="A,B,…", help="Of files only these clocks (default: every clock in them).")
@click.option("--no-stability", is_flag=True, help="Leave out the scale without the clock, which takes the time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(clock: str, sources: tuple[Path, ...], **options: Any) -> None:
    """Say why CLOCK has the weight it has, from a ledger (the state folder) or from files of readings.

    Told are weight, prediction and error at the moment, the greatest weight and the greatest fall before it, every time
    it was reduced, left out or learning and why, the anomalies recorded of it, and two deviations: the clock against
    the scale without it, and how far that scale is from the one with it.

    \b
    timeball why H2 STATE --at 2026-11-22T09:31:07Z
    timeball why WTZR day.clk.gz --algorithm kalman
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.station.reporting.why import account_of

    audit, run = _of_ledger(clock, sources[0], options) if sources[0].is_dir() else _of_files(clock, sources, options)
    account = account_of(audit)
    taus = [] if options["no_stability"] else _stability(audit, run)
    if options["as_json"]:
        print_json(_document(audit, account, taus))
        return
    for line in sentences(audit, account, taus):
        click.echo(line)


def _of_ledger(clock: str, state: Path, options: dict[str, Any]) -> tuple[Audit, Any]:
    from timeball.ensemble.algorithms import algorithm
    from timeball.station.reporting.whyledger import audit_of_ledger, key_of

    if not (state / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{state}: no ledger here (no ledger/checkpoint)")
    audit, rules = audit_of_ledger(state, clock, _tai_ns(options["moment"]), options["days"] * 86400.0)
    key = key_of(audit.algorithm)
    return audit, lambda table: algorithm(key).run(table, rules.parameters(key))


def _of_files(clock: str, files: tuple[Path, ...], options: dict[str, Any]) -> tuple[Audit, Any]:
    from timeball.cli.scale import read_table
    from timeball.ensemble.algorithms import algorithm
    from timeball.station.reporting.why import audit_of_steps

    named: str | None = options["clocks"]
    table, _ = read_table(files, [name.strip() for name in named.split(",")] if named else None, None)
    chosen = algorithm(options["algorithm"])
    steps = chosen.run(table, None).steps
    return audit_of_steps(steps, clock, table, _tai_ns(options["moment"])), lambda others: chosen.run(others, None)


def _tai_ns(moment: str | None) -> int | None:
    from timeball.instants import InstantError, parse_utc
    from timeball.station.hosttime.leaps import load_leap_table

    if moment is None:
        return None
    try:
        return parse_utc(moment, load_leap_table()).ns
    except InstantError as error:
        raise CommandError(f"--at: {error}") from error


def _stability(audit: Audit, run: Any) -> Taus:
    """τ (s), OADEV of the clock against the scale without it, and of that scale against the one with it."""
    from timeball.cli.scale_report import deviations
    from timeball.ensemble.errors import EnsembleError
    from timeball.station.reporting.why import scale_without

    if len(audit.epochs) < 8 or len(audit.table.clocks) < 3:
        return []
    interval_s = min(b - a for a, b in zip(audit.epochs[:-1].tolist(), audit.epochs[1:].tolist(), strict=True)) / 1e9
    try:
        against, moved = scale_without(audit, run)
    except EnsembleError:
        return []
    of_scale = dict(deviations(audit.epochs, moved, interval_s))
    pairs = deviations(audit.epochs, against, interval_s)
    return [(tau_s, sigma, of_scale.get(tau_s, math.nan)) for tau_s, sigma in pairs]


def sentences(audit: Audit, account: Account, taus: Taus) -> Iterator[str]:
    """The account in words: the verdict first, figures after."""
    yield f"{audit.clock} in {audit.algorithm} at {_utc(account.epoch)}: {account.state}: {account.why}"
    yield f"  weight      {account.weight:.4f}; greatest {account.greatest:.4f} at {_utc(account.greatest_epoch)}"
    if account.fall is not None:
        fall = account.fall
        yield f"  fell most   from {fall.before:.4f} to {fall.after:.4f} at {_utc(fall.epoch)}: {fall.why}"
    yield f"  prediction  {_time(account.predicted_s)}, read {_time(account.read_s)}, error {_time(account.error_s)}"
    if audit.read is not audit.x and account.read_s != account.x_s:
        yield f"  estimate    {_time(account.x_s)}"
    yield f"  errors      {_time(account.recent_rms_s)} rms of late, {_time(account.rms_s)} rms over the record"
    counted = ", ".join(f"{count} {word}" for word, count in account.counts.items())
    yield f"  epochs      {len(audit.epochs)} since {_utc(int(audit.epochs[0]))}: {counted}"
    hidden = len(account.stretches) - STRETCHES_SHOWN
    for stretch in account.stretches[-STRETCHES_SHOWN:]:
        times = "" if stretch.epochs == 1 else f" ({stretch.epochs} epochs)"
        yield f"    {_utc(stretch.first)}{times}: {stretch.why}"
    if hidden > 0:
        yield f"    and {hidden} times before"
    for epoch, words in audit.notes[-NOTES_SHOWN:]:
        yield f"  anomaly     {_utc(epoch)}: {words}"
    if taus:
        yield ""
        rows = [[format_tau(tau_s), f"{sigma:.2e}", _deviation(moved)] for tau_s, sigma, moved in taus]
        yield format_table(["tau", f"{audit.clock} − scale without it", "scale without − with it"], rows)


def _document(audit: Audit, account: Account, taus: Taus) -> dict[str, Any]:
    """The same for --json: SI units, epochs in ns of TAI as strings, null for what is not known."""
    fall = account.fall
    return {
        "clock": audit.clock,
        "algorithm": audit.algorithm,
        "tai_ns": str(account.epoch),
        "state": account.state,
        "why": account.why,
        "weight": account.weight,
        "x_s": _known(account.x_s),
        "read_s": _known(account.read_s),
        "predicted_s": _known(account.predicted_s),
        "error_s": _known(account.error_s),
        "greatest_weight": account.greatest,
        "greatest_tai_ns": str(account.greatest_epoch),
        "fall": None
        if fall is None
        else {"tai_ns": str(fall.epoch), "before": fall.before, "after": fall.after, "why": fall.why},
        "rms_s": _known(account.rms_s),
        "recent_rms_s": _known(account.recent_rms_s),
        "epochs": account.counts,
        "stretches": [
            {"first_tai_ns": str(each.first), "last_tai_ns": str(each.last), "epochs": each.epochs, "state": each.state}
            | {"why": each.why}
            for each in account.stretches
        ],
        "anomalies": [{"tai_ns": str(epoch), "words": words} for epoch, words in audit.notes],
        "stability": [
            {"tau_s": tau_s, "oadev_clock": sigma, "oadev_scale": _known(moved)} for tau_s, sigma, moved in taus
        ],
    }


def _utc(epoch: int) -> str:
    """An epoch (ns of TAI) as UTC to the second."""
    from timeball.instants import Instant, format_utc
    from timeball.station.hosttime.leaps import load_leap_table

    return format_utc(Instant.from_ns(epoch), load_leap_table(), 0)


def _time(value_s: float) -> str:
    return format_seconds(value_s) if math.isfinite(value_s) else "unknown"


def _deviation(value: float) -> str:
    return f"{value:.2e}" if math.isfinite(value) else "-"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
