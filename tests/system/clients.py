"""Where the clients stand that nobody here wrote; a test that needs one is skipped, in words, where it is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

INSTALLED = Path(__file__).resolve().parents[2] / ".venv" / "clients"
NTPSEC = INSTALLED / "ntpsec" / "usr" / "sbin" / "ntpd"
NODE_MODULES = INSTALLED / "node" / "node_modules"
ROUGHLY = INSTALLED / "roughly"


def program(name: str) -> str:
    """The path of a command, or the test is skipped."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"no {name} here")
    return found


def installed(path: Path) -> Path:
    """One of the paths above, or the test is skipped."""
    if not path.exists():
        pytest.skip(f"no {path.name} here: `make clients`")
    return path


def needs_root() -> None:
    """Skip where network namespaces or chronyd's start need root and we are not."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
