"""`timeball transfer two-way`: two clocks by signals both ways through one satellite."""

from __future__ import annotations

from typing import Any

import click

from timeball.cli.numbers import FiniteRange
from timeball.cli.transfer_options import NS, POSITIVE, Wanted, link_options, names_of


@click.command("two-way", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a")
@click.argument("b")
@click.option("--max-drms", type=POSITIVE, default=1.0, show_default=True, help="Largest DRMS of a session, in ns.")
@click.option("--min-samples", type=click.IntRange(min=0), default=60, show_default=True, help="Fewest in a session.")
@click.option("--window", type=FiniteRange(min=1), default=24.0, show_default=True, help="Of the outliers, in hours.")
@link_options
def command(
    a: str, b: str, max_drms: float, min_samples: int, window: float, names: str | None, sigmas: float, **options: Any
) -> None:
    """Compare the clocks of stations A and B by two-way satellite time transfer: clock A − clock B.

    A and B are the ITU-R TF.1153 files of the two stations: a file, a folder, a pattern in quotes, or several joined
    by commas. Sessions that the other station did not measure are left out, and counted.

    \b
    timeball transfer two-way twlab160.400 twlab260.400 --out link.txt
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.transfer_inputs import load_sessions
    from timeball.cli.transfer_report import finish
    from timeball.transfer import TwoWayOptions, two_way

    wanted = Wanted.of(options)
    chosen = TwoWayOptions(max_drms * NS, min_samples, sigmas, window * 3600.0)
    ends = [load_sessions(each, name) for each, name in zip((a, b), names_of(names), strict=True)]
    link = two_way(ends[0][0], ends[1][0], chosen)
    finish(link, wanted, [defect for _, defects in ends for defect in defects])
