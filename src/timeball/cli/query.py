"""`timeball query`: ask NTP and NTS servers by hand, and say what they say against this host's clock.

It parses its arguments and calls: `station.watching.questioning` asks, `query_report` tells, `query_plot` draws.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.numbers import FiniteRange
from timeball.cli.output import CommandError, ExitCode, print_documents
from timeball.cli.plotting import PLOT

if TYPE_CHECKING:
    from timeball.protocols.ntp.clientauth import Authentication
    from timeball.station.watching.questioning import Answers, Wishes

AT_ONCE = 16
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("query", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("servers", nargs=-1, required=True, metavar="HOST[:PORT]...")
@click.option("--nts", is_flag=True, help="Over NTS; the port is that of the key exchange (4460).")
@click.option("--ca", type=FILE, help="With --nts: PEM file of the authorities to trust (else the system's).")
@click.option("--keys", type=FILE, help="File of symmetric keys, lines `id AES128 HEX:...`; with --key.")
@click.option("--key", "key_id", type=click.IntRange(min=1), metavar="ID", help="Which key of --keys.")
@click.option("--interleaved", is_flag=True, help="In interleaved mode, for the server's true send stamps.")
@click.option("--count", type=click.IntRange(1, 1000), default=4, show_default=True, help="Exchanges a server.")
@click.option(
    "--interval",
    "interval_s",
    type=FiniteRange(min=0.01, max=3600),
    default=0.5,
    show_default=True,
    help="Seconds between.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=FiniteRange(min=0.01, max=60),
    default=1.0,
    show_default=True,
    help="Seconds to wait.",
)
@click.option(
    "--limit", "limit_s", type=FiniteRange(min=0.0, min_open=True), metavar="S", help="Greatest offset, seconds."
)
@click.option("--plot", "plot", type=PLOT, help="Draw the exchanges to a file (.png, .svg, .pdf).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or a list when there are several.")
def command(
    servers: tuple[str, ...],
    nts: bool,
    ca: Path | None,
    keys: Path | None,
    key_id: int | None,
    interleaved: bool,
    count: int,
    interval_s: float,
    timeout_s: float,
    limit_s: float | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Ask servers and tell their offset against this host's clock, delay, and what they claim.

    The offset is server minus this host's clock; of several exchanges the one of least delay counts, and its error is
    at most half that delay. Nothing is set. Exit code 2 when a server gives no time, 3 when one is beyond --limit.

    \b
    timeball query time.example
    timeball query --nts --interleaved --count 8 nts.example time.example:4460
    timeball query --limit 0.001 --json 127.0.0.1:11123
    """  # noqa: D301 (click's mark of a block that is not rewrapped)
    from timeball.cli import query_report
    from timeball.station.watching.questioning import Wishes

    if ca is not None and not nts:
        raise click.UsageError("--ca is for --nts")
    if nts and keys is not None:
        raise click.UsageError("--keys is for servers without --nts")
    wishes = Wishes(count, interval_s, timeout_s, interleaved, nts, str(ca or ""), _key(keys, key_id))
    answers = _ask_all(servers, wishes)
    if plot is not None:
        from timeball.cli.query_plot import write_plot

        write_plot(answers, plot, limit_s)
    if as_json:
        print_documents([query_report.as_json(one, limit_s) for one in answers])
    else:
        click.echo("\n".join(line for one in answers for line in query_report.sentences(one, limit_s)))
    if plot is not None:
        click.echo(f"plot written to {plot}", err=True)
    return max((query_report.code_of(one, limit_s) for one in answers), default=ExitCode.FINE)


def _ask_all(servers: tuple[str, ...], wishes: Wishes) -> list[Answers]:
    """Ask them all at once, a bar on the terminal meanwhile."""
    from concurrent.futures import ThreadPoolExecutor

    from timeball.cli.progress import progress_bar
    from timeball.station.watching.questioning import question

    total = len(servers) * (wishes.count + wishes.interleaved)
    done = 0
    with progress_bar("asking") as report, ThreadPoolExecutor(min(AT_ONCE, len(servers))) as pool:

        def step() -> None:
            nonlocal done
            done += 1
            if report is not None:
                report(done, total)

        ask: Callable[[str], Answers] = lambda server: question(server, wishes, step)  # noqa: E731 (closes over step)
        try:
            return list(pool.map(ask, servers))
        except ValueError as error:
            raise CommandError(str(error)) from error


def _key(keys: Path | None, key_id: int | None) -> Authentication | None:
    """The symmetric key to authenticate with."""
    if keys is None and key_id is None:
        return None
    if keys is None or key_id is None:
        raise click.UsageError("--keys and --key belong together")
    from timeball.protocols.ntp.clientauth import MACAuthentication
    from timeball.protocols.ntp.mac import parse_keys
    from timeball.protocols.ntp.packet import NTPError

    try:
        known = parse_keys(keys.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, NTPError) as error:
        raise CommandError(f"{keys}: {error}") from error
    if key_id not in known:
        raise CommandError(f"{keys}: there is no key {key_id}")
    return MACAuthentication(known[key_id])
