"""`timeball steer`: steering UTC(k) to UTC, one module `steer_<name>.py` per subcommand.

`simulate` and `propose` move nothing; `take-back` and `approve` record what a person decided.
"""

from __future__ import annotations

import click

from timeball.cli.root import LazyGroup, Table

SUBCOMMANDS: Table = {
    "simulate": "Steer in closed loop; say where UTC(k) will be, with a band.",
    "propose": "Propose the next steer from published values; move nothing.",
    "take-back": "Take the last steer of a running station back.",
    "approve": "Let doubted values of a bulletin count.",
}


class SteerGroup(LazyGroup):
    """The table of this file."""

    table = SUBCOMMANDS
    prefix = "timeball.cli.steer_"


@click.group("steer", cls=SteerGroup)
def command() -> None:
    """Simulate the steering of UTC(k) to UTC, propose the next steer, take the last one back."""
