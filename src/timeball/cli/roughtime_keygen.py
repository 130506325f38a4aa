"""`timeball roughtime keygen`: a new long-term key in a file of its own."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import print_json


@click.command("keygen")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(file: Path, as_json: bool) -> None:
    """Write a new long-term key to FILE, for its owner alone, and show its public key.

    Clients know a server by this key: keep it offline, and delegate from it.

    \b
    timeball roughtime keygen long-term.key
    """  # noqa: D301 (click wants the backspace itself)
    import secrets

    from timeball.protocols.roughtime.delegation import (
        KEY_BYTES,
        encode_base64,
        public_key_of,
        write_long_term_key,
    )
    from timeball.station.timesigning.keys import write_secret

    seed = secrets.token_bytes(KEY_BYTES)
    write_secret(file, write_long_term_key(seed) + "\n", replace=False)
    key = encode_base64(public_key_of(seed))
    if as_json:
        print_json({"file": str(file), "public_key": key})
    else:
        click.echo(f"public key  {key}\nfile        {file}, a secret: keep it offline")
