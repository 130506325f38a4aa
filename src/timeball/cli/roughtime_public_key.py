"""`timeball roughtime public-key`: the public half of a long-term key or of a file of delegations."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import print_json


@click.command("public-key")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(file: Path, as_json: bool) -> None:
    """Show the long-term public key of FILE: a long-term key, or delegations, whose signatures are verified.

    A station's own long-term key, where it has one, is STATE/keys/roughtime.key.

    \b
    timeball roughtime public-key delegations.json
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.protocols.roughtime.delegation import (
        LONG_TERM_PREFIX,
        encode_base64,
        parse_delegations,
        parse_long_term_key,
        public_key_of,
        server_id,
    )
    from timeball.station.timesigning.keys import read_secret

    text = read_secret(file)
    if text.startswith(LONG_TERM_PREFIX):
        public_key = public_key_of(parse_long_term_key(text))
    else:
        public_key, _ = parse_delegations(text)
    key = encode_base64(public_key)
    if as_json:
        print_json({"public_key": key, "srv": encode_base64(server_id(public_key))})
    else:
        click.echo(key)
