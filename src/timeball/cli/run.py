"""`timeball run`: start a station and stay with it; Ctrl-C stops it in order."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import CannotReachError, CommandError, EvidenceFailedError, ExitCode
from timeball.cli.running import Reporter


@click.command("run")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="TOML file; without it: the simulation.")
@click.option("--state", type=click.Path(path_type=Path), help="State folder; default: the user's XDG state folder.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an event, one a line.")
def command(config_path: Path | None, state: Path | None, as_json: bool) -> None:
    """Start a station: clocks in, scale, ledger and time out.

    Without --config it runs the built-in simulated laboratory, which is no traceable time and says so, and serves it
    on this host alone: NTP, NTS, Roughtime, metrics, the console.
    """
    from timeball.station.configuration.config import ConfigError, load_config
    from timeball.station.configuration.settings import DEMONSTRATION
    from timeball.station.paths import default_state_dir
    from timeball.station.supervision.launch import run_station
    from timeball.station.supervision.process import CannotStartError
    from timeball.station.supervision.statelock import StateInUseError
    from timeball.station.supervision.supervisor import StationStoppedError

    try:
        config = DEMONSTRATION if config_path is None else load_config(config_path)
    except ConfigError as error:
        raise CommandError(f"{error}\n(`timeball check` explains a configuration)") from error
    folder = (default_state_dir() if state is None else state).absolute()
    with Reporter(json_lines=as_json) as reporter:
        try:
            run_station(folder, config, reporter.report, reporter.progress)
        except KeyboardInterrupt:
            reporter.report({"event": "stopped"})
        except StationStoppedError as error:
            failed = EvidenceFailedError if error.code == ExitCode.EVIDENCE_FAILED else CannotReachError
            raise failed(str(error)) from error
        except (CannotStartError, StateInUseError) as error:
            raise CannotReachError(str(error)) from error
