"""`timeball ledger`: what is done with a whole ledger, one module `ledger_<name>.py` per subcommand."""

from __future__ import annotations

import click

from timeball.cli.root import LazyGroup, Table

SUBCOMMANDS: Table = {
    "serve": "Serve a ledger over HTTP, payloads to those who may read them.",
    "mirror": "Follow another log: fetch, check and keep what is new.",
    "erase": "Erase payloads; the tree stays whole.",
    "archive": "Move old payloads to cold storage (Parquet).",
    "backup": "Copy a state folder while its station runs.",
    "restore": "Make a state folder from a backup or a mirror.",
}


class LedgerGroup(LazyGroup):
    """The table of this file."""

    table = SUBCOMMANDS
    prefix = "timeball.cli.ledger_"


@click.group("ledger", cls=LedgerGroup)
def command() -> None:
    """Serve, mirror, archive, back up, restore and erase from a ledger."""
