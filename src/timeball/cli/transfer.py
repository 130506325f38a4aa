"""`timeball transfer`: links between clocks that stand apart, one module `transfer_<name>.py` per subcommand."""

from __future__ import annotations

import click

from timeball.cli.root import LazyGroup, Table

SUBCOMMANDS: Table = {
    "common-view": "Compare two clocks by satellites that both stations saw.",
    "all-in-view": "Compare two clocks by the mean of all that each saw.",
    "two-way": "Compare two clocks by signals both ways through a satellite.",
    "broadcast": "Compare UTC(k) and UTC with the UTC that is broadcast.",
    "closure": "Add up links around triangles, where they should give 0.",
}


class TransferGroup(LazyGroup):
    """The table of this file."""

    table = SUBCOMMANDS
    prefix = "timeball.cli.transfer_"


@click.group("transfer", cls=TransferGroup)
def command() -> None:
    """Make links: the difference of two clocks from the files of two stations, with its uncertainty."""
