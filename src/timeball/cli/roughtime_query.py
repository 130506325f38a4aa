"""`timeball roughtime query`: one server, one question, verified."""

from __future__ import annotations

import time

import click

from timeball.cli.output import CannotReachError, CommandError, format_seconds, print_json


@click.command("query")
@click.argument("address")
@click.argument("public_key")
@click.option("--tcp", is_flag=True, help="over TCP instead of UDP")
@click.option("--version", "texts", multiple=True, help="version to offer [default: all that are spoken]")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.1, 60), default=2.0, show_default=True, help="seconds")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(address: str, public_key: str, tcp: bool, texts: tuple[str, ...], timeout_s: float, as_json: bool) -> None:
    """Ask the server at ADDRESS (host:port) whose long-term PUBLIC_KEY (base64) is known, and verify its answer.

    Exit code 2 when no answer comes, 4 when it does not verify.

    \b
    timeball roughtime query roughtime.example:5319 Ixu7gqjJ9TU6IxsO8wxZxAFT5te6FcZZQq5vXFl35JE=
    """  # noqa: D301 (click wants the backspace itself)
    import secrets

    from timeball.cli.roughtime_words import public_key_option, utc, verified_document, versions_option
    from timeball.protocols.roughtime.client import build_request, verify_reply
    from timeball.protocols.roughtime.errors import ServerListError
    from timeball.protocols.roughtime.serverlist import parse_address
    from timeball.protocols.roughtime.versions import version_name
    from timeball.station.timesigning.asking import ask

    key = public_key_option(public_key)
    try:
        place = parse_address("tcp" if tcp else "udp", address)
    except ServerListError as error:
        raise CommandError(str(error)) from error
    request = build_request(secrets.token_bytes(32), versions_option(texts), key)
    begin_s, realtime_s = time.monotonic(), time.time()
    try:
        reply = ask(place, request, timeout_s)
    except OSError as error:
        raise CannotReachError(f"{place.text} does not answer: {error.strerror or error}") from error
    took_s = time.monotonic() - begin_s
    verified = verify_reply(request, reply, key)
    host_ahead_s = realtime_s + took_s / 2 - verified.midpoint_s - 0.5
    if as_json:
        print_json({**verified_document(verified), "took_s": took_s, "host_ahead_s": host_ahead_s})
        return
    click.echo(f"UTC was {utc(verified.midpoint_s)} within {verified.radius_s} s, says {place.text}; it verifies.")
    click.echo(f"version  {version_name(verified.version)}, answered in {format_seconds(took_s)}")
    click.echo(f"key      {utc(verified.delegated.mint_s)} to {utc(verified.delegated.maxt_s)}")
    agrees = "agrees" if abs(host_ahead_s) <= verified.radius_s + 0.5 + took_s else "DISAGREES"
    click.echo(f"host     its clock {agrees}, {host_ahead_s:+.1f} s ahead")
