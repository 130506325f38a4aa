"""The root command: a table of subcommands, each loaded only when it is called.

Each subcommand lives in `timeball/cli/<name>.py` and defines one click command called `command`. The one-line helps
stand here, so that `timeball --help` imports no room. Errors become the exit codes of `timeball.cli.output.ExitCode`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from timeball import __version__
from timeball.cli.output import ExitCode, exit_code_of

Table = dict[str, str]
SUBCOMMANDS: Table = {
    "run": "Start a station: clocks in, scale, ledger and time out.",
    "scale": "Compute a time scale from files of clock comparisons.",
    "fit": "Fit the noise and drift of every clock, with intervals.",
    "why": "Say why a clock has its weight, and how it was predicted.",
    "anomalies": "Find steps, drifts and noise changes of clocks; say whose.",
    "circular-t": "Compare UTC(k) with Circular T; predict it to the next one.",
    "transfer": "Compare clocks that stand apart, by way of satellites.",
    "psfs": "Find a scale's rate from reports of frequency standards.",
    "steer": "Simulate the steering to UTC; propose the next steer.",
    "report": "Write a laboratory's daily, weekly or monthly report.",
    "plot": "Draw phase and frequency of records.",
    "stability": "Compute deviations of phase or frequency records, with limits.",
    "mask": "Judge MTIE and TDEV of records by the masks of ITU-T.",
    "hat": "Tell three clocks apart by their differences.",
    "convert": "Write a file of one format as another, and compare.",
    "simulate": "Write simulated clocks and compare their ADEV with the theory.",
    "query": "Ask NTP and NTS servers; compare them with this host's clock.",
    "status": "Show time, bound, clocks and leases of a station.",
    "diag": "Check a running station; say what will need somebody.",
    "clients": "Show who asks the NTP server, how often, and in vain.",
    "watch-chrony": "Read a chronyd on this host and judge it by limits.",
    "verify": "Verify a ledger offline: signatures, tree, payloads, rollback.",
    "replay": "Recompute scale and steers from a ledger and compare.",
    "prove": "Write one file that proves what was served at a moment.",
    "witness": "Cosign the heads of other logs; audit what they say.",
    "nts": "Show and change the cookie keys of NTS; make a cluster.",
    "roughtime": "Ask Roughtime servers; make and delegate keys; check reports.",
    "ledger": "Serve, mirror, archive, restore and erase from a ledger.",
    "check": "Check a configuration file and explain what is wrong.",
}


class LazyGroup(click.Group):
    """A group whose subcommands are modules, imported when they are asked for and not before.

    `table` names them and says what they do; subcommand `a-b` is `command` of the module `<prefix>a_b`.
    """

    table: Table = SUBCOMMANDS
    prefix = "timeball.cli."

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click calls it so)
        """Name the subcommands in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module and take its `command`; None for a name that is not in the table."""
        if cmd_name not in self.table:
            return None
        loaded: click.Command = importlib.import_module(self.prefix + cmd_name.replace("-", "_")).command
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the subcommands from the table alone: click's own version would import every one of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="timeball")
def root() -> None:
    """Turn atomic clocks into standard time, and serve it so that it cannot lie quietly.

    Exit codes: 0 fine, 1 usage, 2 cannot reach, 3 out of limits, 4 evidence failed.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code. Errors without a code of their own are our bugs and are raised."""
    try:
        outcome = root.main(
            args=None if arguments is None else list(arguments), prog_name="timeball", standalone_mode=False
        )
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        return ExitCode.INTERRUPTED
    except click.UsageError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # the reader of our output has gone (`timeball ... | head`): nothing to say, and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FINE
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        click.echo(f"Error: {error}", err=True)
        return code
    return outcome if isinstance(outcome, int) else ExitCode.FINE


def main() -> NoReturn:
    """Entry point of the `timeball` command."""
    sys.exit(run())
