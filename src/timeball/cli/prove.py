"""`timeball prove`: one self-contained file that shows what was served at a moment."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CannotReachError, CommandError, OutOfLimitsError, print_json

if TYPE_CHECKING:
    from timeball.station.proving.making import Made, Stamp
    from timeball.station.proving.source import Source


@click.command("prove")
@click.option("--at", "moment", required=True, help="the moment, UTC: 2026-11-22T09:31:07.123456Z; 23:59:60 counts")
@click.option("--state", type=click.Path(path_type=Path), help="state folder or mirror [default: XDG state folder]")
@click.option("--url", help="address of a served ledger, instead of a folder")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="the file to write")
@click.option("--key", "vkey", help="verifier key of the log (default: log.vkey of the ledger)")
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="a kept checkpoint")
@click.option("--timestamp-url", "urls", multiple=True, help="have this authority (RFC 3161) stamp the checkpoint")
@click.option(
    "--tsa-token",
    "tokens",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="a time-stamp response over the checkpoint used",
)
@click.option("--leap-seconds", type=click.Path(path_type=Path), help="a leap-seconds.list (default: tzdata's)")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(
    moment: str,
    state: Path | None,
    url: str | None,
    output: Path | None,
    vkey: str | None,
    checkpoint: Path | None,
    urls: tuple[str, ...],
    tokens: tuple[Path, ...],
    leap_seconds: Path | None,
    as_json: bool,
) -> None:
    """Write a .tlog-proof file that shows, offline and years later, what UTC − served was at a moment.

    It carries its bound and every entry that it rests on. Exit code 3 when the station said nothing around the moment.
    """
    from timeball.cli.proof_words import describe, sentences
    from timeball.station.proving.timestamps import read_tokens

    made = _make(moment, _source(state, url), leap_seconds, vkey, checkpoint, _stamps(urls, tokens))
    statement = made.verified.statement
    path = output if output is not None else Path(f"served-{statement['utc'].replace(':', '')}.tlog-proof")
    path.write_bytes(made.data)
    stamps = [
        (info, False) for info in read_tokens(made.verified.extra.timestamp_bytes(), made.verified.proof.checkpoint)
    ]
    if as_json:
        document = describe(made.verified, stamps)
        print_json({"file": str(path), "bytes": len(made.data), "warnings": made.warnings, **document})
        return
    for line in sentences(made.verified, stamps):
        click.echo(line)
    click.echo(f"written: {path} ({len(made.data)} bytes)")
    for warning in made.warnings:
        click.echo(f"warning: {warning}", err=True)


def _make(
    moment: str,
    source: Source,
    leap_seconds: Path | None,
    vkey: str | None,
    checkpoint: Path | None,
    stamps: tuple[Stamp, ...],
) -> Made:
    from timeball.instants import InstantError
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.station.proving.errors import NothingServedError, UnreachableError
    from timeball.station.proving.making import make_proof
    from timeball.station.proving.timestamps import TimestampsMissingError

    kept = None if checkpoint is None else checkpoint.read_bytes()
    try:
        return make_proof(source, moment, load_leap_table(leap_seconds), stamps, vkey, kept)
    except UnreachableError as error:
        raise CannotReachError(str(error)) from error
    except NothingServedError as error:
        raise OutOfLimitsError(f"nothing to prove: {error}") from error
    except (InstantError, TimestampsMissingError) as error:
        raise CommandError(str(error)) from error


def _source(state: Path | None, url: str | None) -> Source:
    from timeball.station import paths
    from timeball.station.proving.errors import UnreachableError
    from timeball.station.proving.source import FolderSource, WebSource

    if state is not None and url is not None:
        raise CommandError("give --state or --url, not both")
    if url is None:
        return FolderSource(state if state is not None else paths.default_state_dir())
    try:
        return WebSource(url)
    except UnreachableError as error:
        raise CommandError(str(error)) from error


def _stamps(urls: tuple[str, ...], tokens: tuple[Path, ...]) -> tuple[Stamp, ...]:
    from timeball.station.proving.tsaclient import ask_token

    held = tuple(partial(_read, token) for token in tokens)
    return (*(partial(ask_token, url) for url in urls), *held)


def _read(token: Path, _checkpoint: bytes) -> bytes:
    return token.read_bytes()
