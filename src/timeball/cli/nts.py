"""`timeball nts`: the cookie keys of a station, one module `nts_<name>.py` each."""

from __future__ import annotations

import click

from timeball.cli.root import LazyGroup, Table

SUBCOMMANDS: Table = {
    "keys": "Show the numbers and ages of the cookie keys.",
    "rotate": "Ask for a new cookie key now, or for all new ones.",
    "cluster": "Make the certificates by which servers share cookie keys.",
}


class NTSGroup(LazyGroup):
    """The table of this file."""

    table = SUBCOMMANDS
    prefix = "timeball.cli.nts_"


@click.group("nts", cls=NTSGroup)
def command() -> None:
    """Look after the keys that NTS cookies are sealed under."""
