"""`timeball check`: say in words what a configuration means, or name every fault of it with its key path."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import ExitCode, format_table, print_json


@click.command("check")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="TOML file; without it: what run starts without one.",
)
@click.option("--describe", is_flag=True, help="List every setting with type, default and meaning instead.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of words.")
def command(config_path: Path | None, describe: bool, as_json: bool) -> int:
    """Check a configuration file and explain what is wrong, or what it means. Exits with 1 when it cannot be used."""
    if describe:
        return _describe(as_json)
    from timeball.station.configuration.config import ConfigError, load_config
    from timeball.station.configuration.configwords import explain
    from timeball.station.configuration.settings import DEMONSTRATION

    try:
        config = DEMONSTRATION if config_path is None else load_config(config_path)
    except ConfigError as error:
        return _faults(error.errors, config_path, as_json)
    sentences = explain(config)
    if as_json:
        print_json({"ok": True, "errors": [], "words": sentences})
    else:
        click.echo("\n".join(sentences))
    return ExitCode.FINE


def _faults(errors: list[tuple[str, str]], config_path: Path | None, as_json: bool) -> int:
    if as_json:
        print_json({"ok": False, "errors": [{"path": path, "reason": reason} for path, reason in errors], "words": []})
        return ExitCode.USAGE
    count = "1 fault" if len(errors) == 1 else f"{len(errors)} faults"
    click.echo(f"{config_path}: {count}, so no station can run on it")
    for path, reason in errors:
        click.echo(f"  {path}: {reason}" if path else f"  {reason}")
    return ExitCode.USAGE


def _describe(as_json: bool) -> int:
    from timeball.station.configuration.configdoc import describe

    rows = describe()
    if as_json:
        print_json(
            [{"path": row.path, "type": row.type, "default": row.default, "meaning": row.meaning} for row in rows]
        )
    else:
        cells = [(row.path, row.type, row.default, row.meaning) for row in rows]
        click.echo(format_table(("setting", "type", "default", "meaning"), cells, left=4))
    return ExitCode.FINE
