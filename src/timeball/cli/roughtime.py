"""`timeball roughtime`: keys of a Roughtime server, and questions to others, one module `roughtime_<name>.py` each."""

from __future__ import annotations

import click

from timeball.cli.root import LazyGroup, Table

SUBCOMMANDS: Table = {
    "keygen": "Make a long-term key; it stays offline.",
    "delegate": "Delegate from a long-term key to online keys.",
    "public-key": "Show the public key in a file of keys.",
    "query": "Ask one server and verify what it says.",
    "measure": "Ask several servers in a chain; prove it when one lies.",
    "check-report": "Check a malfeasance report.",
    "server-list": "Show a server list, or add a server to it.",
}


class RoughtimeGroup(LazyGroup):
    """The table of this file."""

    table = SUBCOMMANDS
    prefix = "timeball.cli.roughtime_"


@click.group("roughtime", cls=RoughtimeGroup)
def command() -> None:
    """Make and delegate keys, ask Roughtime servers, and check what they signed."""
