"""Where things lie under a station's state folder: one function a path. Nothing here touches the disk."""

from __future__ import annotations

import os
from pathlib import Path


def default_state_dir() -> Path:
    """The user's XDG state folder for Timeball (XDG Base Directory Specification, `$XDG_STATE_HOME`)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "timeball"


def run_dir(state: Path) -> Path:
    """Sockets, pages, pids and logs of a running station; worthless after it has stopped."""
    return state / "run"


def config_file(state: Path) -> Path:
    """The effective configuration, written by the supervisor for every process."""
    return run_dir(state) / "config.json"


def processes_file(state: Path) -> Path:
    """Which processes run, since when, and how often each was restarted."""
    return run_dir(state) / "processes.json"


def log_file(state: Path, name: str) -> Path:
    """What the process `name` wrote to its standard error."""
    return run_dir(state) / f"{name}.log"


def pid_file(state: Path, name: str) -> Path:
    """The process id of `name`."""
    return run_dir(state) / f"{name}.pid"


def lock_file(state: Path) -> Path:
    """Held (flock) by the one supervisor that may run on this state."""
    return state / "lock"


def recorder_socket(state: Path) -> Path:
    """The socket on which the recorder takes entries."""
    return run_dir(state) / "recorder.sock"


def timekeeper_page(state: Path) -> Path:
    """The clock page's half written by the timekeeper."""
    return run_dir(state) / "page.timekeeper"


def observer_page(state: Path) -> Path:
    """The clock page's half written by the observer."""
    return run_dir(state) / "page.observer"


def ledger_dir(state: Path) -> Path:
    """Tiles and checkpoints, in the layout of C2SP tlog-tiles."""
    return state / "ledger"


def cosigned_checkpoint(state: Path) -> Path:
    """The newest head that the quorum of the policy has cosigned."""
    return ledger_dir(state) / "checkpoint.cosigned"


def witnesses_file(state: Path) -> Path:
    """How each witness does, written by the publisher."""
    return run_dir(state) / "witnesses.json"


def forks_dir(state: Path) -> Path:
    """Heads that our own log's key has signed and that our log does not extend: evidence, never removed here."""
    return state / "forks"


def keys_dir(state: Path) -> Path:
    """Private keys, one file each."""
    return state / "keys"


def simulation_file(state: Path) -> Path:
    """Seed, genesis and anchor of the simulated laboratory."""
    return state / "simulation.json"


def stepper_record(state: Path) -> Path:
    """The simulated stepper's own durable record: its hardware memory."""
    return state / "actuator" / "stepper.record"
