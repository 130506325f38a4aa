"""Go's checker of tiled logs (tests/outside/ledgercheck): built offline from Debian's Go packages, and run.

Nothing of Timeball's own code takes part in what it says. Tests and benchmarks share it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parent.parent / "tests" / "outside" / "ledgercheck"
GOPATH = Path("/usr/share/gocode")  # where Debian's Go packages put their sources
MISSING = "no Go checker here: Debian's golang-go and golang-golang-x-mod-dev are not installed"


class CheckerError(Exception):
    """The checker found the log wanting; the message is what it said."""


def can_build() -> bool:
    """Say whether there is a Go compiler with the packages that the checker needs."""
    return shutil.which("go") is not None and (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir()


def build_checker(folder: Path) -> Path:
    """Build the checker in `folder`, without network; give the program."""
    program = folder / "ledgercheck"
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    command = ["go", "build", "-o", str(program), *map(str, sorted(SOURCES.glob("*.go")))]
    subprocess.run(command, env=environment, check=True, cwd=folder)
    return program


def run_checker(program: Path, log: Path, vkey: str, options: Sequence[str] = ()) -> dict[str, Any]:
    """Run the checker on the log folder `log` (the one with `checkpoint`); raises CheckerError with its words."""
    command = [str(program), "-log", vkey.strip(), *options, str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise CheckerError(done.stderr or f"exit code {done.returncode}") from error
    if done.returncode:
        raise CheckerError(str(said.get("error")))
    return said
