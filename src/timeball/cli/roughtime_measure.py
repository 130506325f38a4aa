"""`timeball roughtime measure`: the chained measurement of RFC 10049 over servers of a list."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CannotReachError, CommandError, print_json

if TYPE_CHECKING:
    from timeball.protocols.roughtime.measuring import Measurement
    from timeball.protocols.roughtime.serverlist import Server

TRIES = 3


@click.command("measure")
@click.option("--list", "list_file", type=click.Path(path_type=Path), required=True, help="server list (JSON)")
@click.option("--servers", type=click.IntRange(3, 100), default=3, show_default=True, help="how many, chosen at random")
@click.option("--report", type=click.Path(path_type=Path), help="where a report goes when a server lied")
@click.option("--version", "texts", multiple=True, help="version to offer [default: all that are spoken]")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.1, 60), default=2.0, show_default=True, help="seconds")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(
    list_file: Path, servers: int, report: Path | None, texts: tuple[str, ...], timeout_s: float, as_json: bool
) -> None:
    """Ask servers of a list one after the other, twice, each request made from the reply before it.

    When two verified replies cannot both be true, the chain proves it: exit code 4, and a malfeasance report in
    --report. A server that does not answer is asked up to three times, then exit code 2.

    \b
    timeball roughtime measure --list servers.json --report lie.json
    """  # noqa: D301 (click wants the backspace itself)
    import random
    import secrets

    from timeball.cli.roughtime_words import versions_option
    from timeball.protocols.roughtime.errors import CausalityBroken
    from timeball.protocols.roughtime.measuring import ROUNDS, Measurement, broken_pairs
    from timeball.protocols.roughtime.reports import write_report
    from timeball.protocols.roughtime.serverlist import parse_list

    known = parse_list(list_file.read_bytes()).servers
    if len(known) < servers:
        raise CommandError(f"{list_file} names {len(known)} that can be asked: {servers} servers are needed")
    chosen = random.SystemRandom().sample(known, servers)
    rands = [secrets.token_bytes(32) for _ in range(ROUNDS * servers)]
    try:
        measurement = Measurement([server.public_key for server in chosen], rands, versions_option(texts))
    except ValueError as error:
        raise CommandError(str(error)) from error
    _ask_all(measurement, chosen, timeout_s, as_json)
    pairs = broken_pairs([exchange.verified for exchange in measurement.exchanges])
    if pairs and report is not None:
        report.write_text(write_report(measurement.exchanges), "ascii")
    _tell(measurement, chosen, pairs, as_json)
    if pairs:
        raise CausalityBroken(pairs)


def _ask_all(measurement: Measurement, chosen: list[Server], timeout_s: float, as_json: bool) -> None:
    from timeball.protocols.roughtime.client import retry_delay_s
    from timeball.station.timesigning.asking import ask_until

    while (step := measurement.next_request()) is not None:
        server = chosen[step.server]
        if not as_json:
            click.echo(f"asking {server.name} …", err=True)
        try:
            reply = ask_until(
                server.addresses[0],
                step.request,
                timeout_s,
                TRIES,
                lambda failures: time.sleep(retry_delay_s(failures)),
            )
        except OSError as error:
            raise CannotReachError(f"{server.name} does not answer: {error.strerror or error}") from error
        measurement.receive(reply)


def _tell(measurement: Measurement, chosen: list[Server], pairs: list[tuple[int, int]], as_json: bool) -> None:
    from timeball.cli.roughtime_words import utc, verified_document

    names = [chosen[number % len(chosen)].name for number in range(len(measurement.exchanges))]
    replies = [exchange.verified for exchange in measurement.exchanges]
    if as_json:
        rows = [{"server": name, **verified_document(one)} for name, one in zip(names, replies, strict=True)]
        print_json({"consistent": not pairs, "contradictions": pairs, "replies": rows})
        return
    click.echo("The replies contradict each other." if pairs else "All replies can be true.")
    for number, (name, one) in enumerate(zip(names, replies, strict=True), start=1):
        click.echo(f"{number:3}  {utc(one.midpoint_s)} within {one.radius_s} s  {name}")
