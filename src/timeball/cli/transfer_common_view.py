"""`timeball transfer common-view`: two clocks by the satellites that both stations saw at one time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from timeball.cli.transfer_options import Wanted, limits_of, link_options, names_of, track_options


@click.command("common-view", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("a")
@click.argument("b")
@click.option(
    "--value", type=click.Choice(["refsys", "refsv"]), default="refsys", show_default=True, help="What is subtracted."
)
@click.option("--same-ephemeris", is_flag=True, help="Only tracks for which both used one ephemeris (IOE).")
@track_options
@link_options
def command(
    a: str, b: str, value: str, same_ephemeris: bool, calibration: Path | None, names: str | None, **options: Any
) -> None:
    """Compare the clocks of stations A and B by the satellites that both saw: clock A − clock B.

    A and B are CGGTTS files of any version: a file, a folder, a pattern in quotes, or several joined by commas.
    Every track that is left out is counted by its reason; --json has each of them.

    \b
    timeball transfer common-view javad.57490.cctf trimble.57490.cctf --plot link.png
    timeball transfer common-view 'labA/*' 'labB/*' --smooth vondrak --every 3600 --out link.txt
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.transfer_inputs import load_stations, read_calibration
    from timeball.cli.transfer_report import finish, link_of
    from timeball.transfer import Options, common_view

    wanted = Wanted.of(options)
    chosen = Options(limits=limits_of(options), value=value, same_ephemeris=same_ephemeris, **options)
    stations = load_stations((a, b), names_of(names), read_calibration(calibration))
    finish(link_of(common_view, stations, chosen), wanted, [each for side in stations for each in side.defects])
