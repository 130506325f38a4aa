"""`timeball roughtime delegate`: a file of online keys that a long-term key vouches for, for a time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from timeball.cli.output import CommandError, print_json

DAY_S = 86_400
OVERLAP_S = 3600


@click.command("delegate")
@click.option("--key", "key_file", type=click.Path(path_type=Path), required=True, help="file of the long-term key")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="file of delegations to write, whole")
@click.option("--days", type=click.FloatRange(0.05, 366), default=30.0, show_default=True, help="life of an online key")
@click.option(
    "--count", type=click.IntRange(1, 100), default=1, show_default=True, help="online keys, one after another"
)
@click.option("--start", help="when the first begins, as 2026-11-23T00:00:00Z [default: now]")
@click.option("--version", "texts", multiple=True, help="version to sign for [default: all that are spoken]")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(
    key_file: Path, out: Path, days: float, count: int, start: str | None, texts: tuple[str, ...], as_json: bool
) -> None:
    """Make online keys, sign that they may speak for the long-term key, and write both to a file.

    The file is a secret: carry it to the server and name it as roughtime.delegation. A running server notices a new
    file under the same name. Keys overlap by an hour.

    \b
    timeball roughtime delegate --key long-term.key --out delegations.json --days 30 --count 3
    """  # noqa: D301 (click wants the backspace itself)
    import secrets

    from timeball.protocols.roughtime.delegation import (
        KEY_BYTES,
        delegate,
        encode_base64,
        parse_long_term_key,
        public_key_of,
        write_delegations,
    )
    from timeball.protocols.roughtime.versions import VERSIONS, parse_version
    from timeball.station.timesigning.keys import read_secret, write_secret

    try:
        versions = [parse_version(text) for text in texts] or list(VERSIONS)
    except ValueError as error:
        raise CommandError(f"--version: {error}") from error
    seed, begin_s, life_s = parse_long_term_key(read_secret(key_file)), _unix_s(start), int(days * DAY_S)
    keys = [
        delegate(seed, secrets.token_bytes(KEY_BYTES), at_s - OVERLAP_S, at_s + life_s + OVERLAP_S, versions)
        for at_s in range(begin_s, begin_s + count * life_s, life_s)
    ]
    public_key = public_key_of(seed)
    write_secret(out, write_delegations(public_key, keys), replace=True)
    if as_json:
        rows = [{"mint_s": key.mint_s, "maxt_s": key.maxt_s} for key in keys]
        print_json({"file": str(out), "public_key": encode_base64(public_key), "delegations": rows})
        return
    click.echo(f"public key  {encode_base64(public_key)}")
    for key in keys:
        click.echo(f"online key  {_utc(key.mint_s)} to {_utc(key.maxt_s)}")
    click.echo(f"file        {out}, a secret: for the server alone")


def _unix_s(text: str | None) -> int:
    if text is None:
        return int(datetime.now(UTC).timestamp())
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--start: {text!r} is no time like 2026-11-23T00:00:00Z") from error
    at_s = int(found.replace(tzinfo=found.tzinfo or UTC).timestamp())
    if at_s < OVERLAP_S:
        raise CommandError(f"--start: {text!r} is before 1970")
    return at_s


def _utc(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
