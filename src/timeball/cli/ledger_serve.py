"""`timeball ledger serve`: the ledger of a state folder over HTTP, payloads to those who may read them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CannotReachError, CommandError

if TYPE_CHECKING:
    from timeball.station.configuration.settings import Reader

DEFAULT_LISTEN = "127.0.0.1:8478"


# long enough for a large bundle on a slow line
CONNECTION_S = 300.0


@click.command("serve")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="the state folder, or a mirror")
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="where it answers")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="a configuration that names readers (default: that of the station's last run)",
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object when it listens")
def command(state: Path, listen: str, config: Path | None, as_json: bool) -> None:
    """Serve the log in the layout of C2SP tlog-tiles, and its payloads.

    Payloads of types that decide time are public; the others are given to readers that the configuration names.
    """
    from timeball.station.publishing.app import create_app
    from timeball.station.supervision.process import start_log
    from timeball.station.web import listen_on, serve

    if not state.is_dir():
        raise CannotReachError(f"{state}: no such folder")
    app = create_app(state.absolute(), _readers(state, config))
    try:
        listener = listen_on(listen)
    except OSError as error:
        raise CannotReachError(f"cannot listen on {listen}: {error.strerror or error}") from error
    except ValueError as error:
        raise CommandError(f"--listen: {error}") from error
    start_log("publishing")
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    click.echo(json.dumps({"event": "listening", "url": url}) if as_json else f"ledger  {url}")
    sys.stdout.flush()
    serve(app, listener, CONNECTION_S)


def _readers(state: Path, config: Path | None) -> tuple[Reader, ...]:
    from timeball.station.configuration.config import load_config, read_effective
    from timeball.station.paths import config_file

    if config is not None:
        return load_config(config).ledger.reader
    return read_effective(state).ledger.reader if config_file(state).exists() else ()
