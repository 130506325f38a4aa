"""`timeball transfer all-in-view`: two clocks by the mean of all that each station saw."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from timeball.cli.transfer_options import Wanted, limits_of, link_options, names_of, track_options


@click.command("all-in-view", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a")
@click.argument("b")
@click.option("--across", is_flag=True, help="Take all satellite systems for one (their times are then in the link).")
@track_options
@link_options
def command(a: str, b: str, across: bool, calibration: Path | None, names: str | None, **options: Any) -> None:
    """Compare the clocks of stations A and B by the mean of what each saw: clock A − clock B.

    No satellite needs to be seen from both. A and B are CGGTTS files of any version and satellite system: a file, a
    folder, a pattern in quotes, or several joined by commas.

    \b
    timeball transfer all-in-view labA/ labB/ --systems G,E --plot link.png
    timeball transfer all-in-view labA/ labB/ --smooth kalman --at clocks.txt --out link.txt
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.transfer_inputs import load_stations, read_calibration
    from timeball.cli.transfer_report import finish, link_of
    from timeball.transfer import Options, all_in_view

    wanted = Wanted.of(options)
    chosen = Options(limits=limits_of(options), **options)
    stations = load_stations((a, b), names_of(names), read_calibration(calibration))
    link = link_of(partial(all_in_view, across=across), stations, chosen)
    finish(link, wanted, [each for side in stations for each in side.defects])
