"""A guide walked: the files that it shows are written, the commands that it shows are run, in its order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

FILE = re.compile(r"^```(?:text|toml|python) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    timeball (.*)$", re.MULTILINE)
Walk = tuple[Path, dict[str, str]]


def walk(text: str, folder: Path, after: Callable[[str], None] = lambda _: None, but: str | None = None) -> Walk:
    """Give the folder after the walk, and what each command printed.

    after: called with each command that has been run, in the folder. but: commands that begin so are left out.
    """
    for name, content in FILE.findall(text):
        (folder / name).write_text(content, encoding="utf-8")
    printed: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in COMMAND.findall(text):
            if but is None or not line.startswith(but):
                printed[line] = run(shlex.split(line))
                after(line)
    return folder, printed


def run(arguments: list[str]) -> str:
    """Run one command line; it must end well."""
    from timeball.cli.root import root

    done = CliRunner().invoke(root, arguments)
    assert done.exit_code == 0, f"{arguments}: {done.output}"
    return done.stdout
