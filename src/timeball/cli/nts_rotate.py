"""`timeball nts rotate`: asks the key exchange for another cookie key."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import CannotReachError, print_json


@click.command("rotate", epilog="Example: timeball nts rotate --replace")
@click.option(
    "--state", type=click.Path(path_type=Path), help="state folder of the station [default: XDG state folder]"
)
@click.option("--replace", is_flag=True, help="replace all keys at once: cookies given out are not taken any more")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(state: Path | None, replace: bool, as_json: bool) -> None:
    """Ask for a new cookie key: it is announced now, and used when every server has it.

    With --replace all keys are new at once, for when one may have been read: clients find their cookies refused, and
    exchange keys again. In a cluster ask the server that makes the keys; the others only fetch them.
    """
    from timeball.station import paths
    from timeball.station.nts.keeper import REPLACE, ROTATE, request_file
    from timeball.station.nts.keyfile import KeyFileError, keys_file, read_key_set
    from timeball.station.nts.secretfile import write_secret

    folder = state if state is not None else paths.default_state_dir()
    try:
        keys = read_key_set(keys_file(folder))
    except KeyFileError as error:
        raise CannotReachError(f"{error}; is nts.listen set, and was the station ever started?") from None
    if keys.source:
        raise CannotReachError(f"the keys come from {keys.source}: ask there")
    asked = REPLACE if replace else ROTATE
    write_secret(request_file(folder), asked.encode())
    if as_json:
        print_json({"asked": asked, "current": keys.current.id})
    else:
        words = "all keys are replaced" if replace else "a new key is announced"
        click.echo(f"asked: {words} as soon as the key exchange sees it; see `timeball nts keys`")
