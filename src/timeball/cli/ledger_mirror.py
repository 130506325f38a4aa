"""`timeball ledger mirror`: follow another log, check everything, and keep it."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CannotReachError, CommandError, OutOfLimitsError, print_json
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.station.publishing.attested import Trust
    from timeball.station.publishing.mirror import Mirror, Update


@click.command("mirror")
@click.argument("url")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--follow", "going_on", is_flag=True, help="go on asking until it is stopped")
@click.option("--every", "every_s", default=2.0, type=click.FloatRange(0.1, 3600), help="seconds between two questions")
@click.option("--key", "vkey", metavar="VKEY", help="the log's verifier key")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="a tlog-policy file: whose heads and cosignatures count"
)
@click.option("--token-file", type=click.Path(path_type=Path), help="a file that holds the reader's token")
@click.option("--json", "as_json", is_flag=True, help="one JSON object, with --follow one a line")
def command(
    url: str,
    folder: Path,
    going_on: bool,
    every_s: float,
    vkey: str | None,
    policy: Path | None,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Mirror the log at URL in FOLDER, which gets the layout of a state folder.

    Every head is verified and must extend the one before; every byte is checked against the head before it is kept.
    Exit code 4 when something does not hold: then the mirror is as it was, and a contradicting head stays as evidence.
    """
    from timeball.station.publishing.mirror import Mirror
    from timeball.station.publishing.source import Source

    try:
        source = Source(url, read_token(token_file, "--token-file"))
    except ValueError as error:
        raise CommandError(str(error)) from error
    mirror = Mirror(source, folder.absolute(), _trust(vkey, policy))
    if going_on:
        _follow(mirror, every_s, as_json)
        return
    with progress_bar("entries") as progress:
        update = mirror.update(progress)
    if update.what == "none":
        raise CannotReachError(f"{url}: the log has no head yet")
    document = _document(update, mirror)
    if as_json:
        print_json(document)
    else:
        click.echo(_sentence(document))
    if update.what == "older":
        raise OutOfLimitsError(
            f"{url} shows an older head of {update.shown} entries; the mirror holds {document['size']}: rolled back?"
        )


def _follow(mirror: Mirror, every_s: float, as_json: bool) -> None:
    from timeball.station.publishing.following import follow
    from timeball.station.supervision.signalevent import SignalEvent

    stop = SignalEvent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    last: list[str] = []

    def told(outcome: Update | Exception) -> None:
        if isinstance(outcome, Exception):
            event: dict[str, Any] = {"event": "trouble", "words": str(outcome)}
            words = f"trouble: {outcome}"
        elif outcome.what == "older":
            event = {"event": "older", "shown": outcome.shown}
            words = f"the log shows an older head of {outcome.shown} entries; the mirror holds more"
        elif outcome.added:
            event = {"event": "new", **_document(outcome, mirror)}
            words = _sentence(event)
        else:
            last.clear()
            return
        line = json.dumps(event, ensure_ascii=False) if as_json else words
        if last != [line]:
            last[:] = [line]
            click.echo(line)
            sys.stdout.flush()

    with progress_bar("entries") as progress:
        follow(mirror, stop, every_s, told, progress)


def _document(update: Update, mirror: Mirror) -> dict[str, Any]:
    head = update.head
    return {
        "folder": str(mirror.folder),
        "origin": None if head is None else head.origin,
        "size": 0 if head is None else head.size,
        "root": None if head is None else head.root.hex(),
        "key": None if mirror.key is None else mirror.key.vkey,
        "added": update.added,
        "withheld": update.withheld,
        "cosigned": dict(update.times),
    }


def _sentence(document: dict[str, Any]) -> str:
    cosigned = ", ".join(document["cosigned"])
    withheld = f"; {document['withheld']} payloads were withheld" if document["withheld"] else ""
    return (
        f"{document['size']} entries of {document['origin']} are kept, {document['added']} of them new"
        f"{f'; cosigned by {cosigned}' if cosigned else ''}{withheld}"
    )


def read_token(path: Path | None, option: str) -> str | None:
    """The token in the file that `option` names; raises CommandError."""
    if path is None:
        return None
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{option}: cannot read {path}: {error}") from error
    if not token.isprintable() or not token or " " in token:
        raise CommandError(f"{option}: {path} holds no token")
    return token


def _trust(vkey: str | None, policy: Path | None) -> Trust:
    from timeball.ledger.cosignature import parse_log_vkey
    from timeball.ledger.errors import LedgerError
    from timeball.ledger.policy import parse_policy
    from timeball.station.publishing.attested import Trust

    try:
        return Trust(
            None if vkey is None else parse_log_vkey(vkey),
            None if policy is None else parse_policy(policy.read_bytes()),
        )
    except LedgerError as error:
        raise CommandError(str(error)) from error
