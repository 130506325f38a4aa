"""Lay out `timeball scale --algorithm all`: one table, the yardsticks beside the algorithms, the reasons under it."""

from __future__ import annotations

import click

from timeball.cli.output import format_table, format_tau
from timeball.cli.scale_compare import Comparison


def print_comparison(comparison: Comparison) -> None:
    """Print the verdict in words, weights and deviations side by side, and why the algorithms differ."""
    reports = list(comparison.reports.values())
    names = [report.algorithm for report in reports]
    first = reports[0]
    click.echo(f"{', '.join(names)}: {len(first.clocks)} clocks, {len(first.epochs)} epochs, the same readings.")
    click.echo(_verdict(comparison) + "\n")
    taus = _taus(comparison)
    headers = ["clock", *(f"w {name}" for name in names)]
    headers += [f"{what} {format_tau(tau_s)} s" for tau_s in taus for what in (*names, "equal", "partner")]
    click.echo(format_table(headers, [_row(comparison, clock.name, taus) for clock in first.by_weight()]))
    click.echo(
        "\nw: mean weight. Columns: overlapping Allan deviation against the scale without the clock, beside the plain "
        "mean of the others\n(equal) and the best single partner, which one knows only afterwards."
    )
    for sentence in comparison.why:
        click.echo(f"- {sentence}")


def _verdict(comparison: Comparison) -> str:
    """How often each yardstick is the steadier one, over all clocks, at the shortest tau."""
    tau_s = _taus(comparison)[:1]
    if not tau_s:
        return "The record is too short for a deviation."
    told = []
    for report in comparison.reports.values():
        better = sum(
            dict(clock.oadev).get(tau_s[0], float("inf"))
            < dict(comparison.equal.get(clock.name, [])).get(tau_s[0], float("inf"))
            for clock in report.clocks
        )
        told.append(f"{report.algorithm} for {better}")
    of = len(next(iter(comparison.reports.values())).clocks)
    return f"Steadier than the plain mean at {format_tau(tau_s[0])} s: {', '.join(told)} of {of} clocks."


def _taus(comparison: Comparison) -> list[float]:
    """The shortest averaging time and one of about a tenth of the record."""
    first = next(iter(comparison.reports.values()))
    known = sorted({tau_s for clock in first.clocks for tau_s, _ in clock.oadev})
    long = [tau_s for tau_s in known if tau_s <= first.span_s / 10]
    return sorted({known[0], long[-1]}) if long else known[:1]


def _row(comparison: Comparison, name: str, taus: list[float]) -> list[str]:
    clocks = [next(clock for clock in report.clocks if clock.name == name) for report in comparison.reports.values()]
    partner = {tau_s: sigma for tau_s, sigma, _ in comparison.partner.get(name, [])}
    columns = [*(dict(clock.oadev) for clock in clocks), dict(comparison.equal.get(name, [])), partner]
    cells = [f"{column[tau_s]:.2e}" if tau_s in column else "–" for tau_s in taus for column in columns]
    return [name, *(f"{clock.weight:.3f}" for clock in clocks), *cells]
