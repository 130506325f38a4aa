"""The commands: one file per subcommand, each parses its arguments, calls one room below, and prints."""

from timeball.cli.root import main

__all__ = ["main"]
