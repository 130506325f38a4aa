"""What the documentation tests hold the pages against: a small real ledger that a few processes have lived on."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from timeball.ensemble.at1 import AT1Parameters, AT1State
from timeball.ensemble.steps import Steps
from timeball.integrity.anomalies import Anomaly
from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.cosignature import make_cosigner
from timeball.ledger.note import make_signer
from timeball.protocols.khronos import Outcome
from timeball.station import paths
from timeball.station.configuration.settings import Config, Output, Steering
from timeball.station.fold.doubts import accept
from timeball.station.fold.instructions import INSTRUCTION, OPERATOR, Accept, TakeBack
from timeball.station.fold.memory import Doubted, Memory, Published, Rate, Undo, Witnessed
from timeball.station.fold.rules import Rules
from timeball.station.fold.running import states_payload, take_over
from timeball.station.fold.timekeeping import STREAM
from timeball.station.instruments.base import Sample
from timeball.station.instruments.collecting import batch_of
from timeball.station.keeping.erasing import erase_entries
from timeball.station.keeping.place import write_place
from timeball.station.nts.keyfile import Moment
from timeball.station.nts.rotation import first_keys
from timeball.station.nts.saying import key_payload
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.store import NewEntry, Store
from timeball.station.supervision.history import build_history
from timeball.station.supervision.supervisor import Supervisor, station_commands
from timeball.station.watching.pool import Told
from timeball.station.watching.telling import batch_of_look

Payload = dict[str, Any]
Recorded = dict[tuple[str, str], list[Payload]]
# Half a day is enough for a steer towards UTC (24 readings of it) and a snapshot, when both come more often than usual.
SMALL: dict[str, dict[str, object]] = {
    "history": {"days": 0.6},
    "ensemble": {"interval_s": 20.0, "snapshot_every": 6, "rules_version": 4, "beside": ["algos"]},
    "simulation": {"utc_every_s": 1800.0},
    "ntp": {"listen": ["127.0.0.1:1"]},
    # a witness that is not there, so that the quorum is missing
    "ledger": {"publish_every_s": 0.5, "cosign_within_s": 1.0},
}
WITNESS = make_cosigner("witness.example/w1", bytes(32)).verifier.vkey
POLICY = f"witness w1 {WITNESS} http://127.0.0.1:1\nquorum w1\n"
SERIES = "60000 1.5\n60001 1.7\n"
"""Of UTC − UTC(k), as a bulletin would give it."""
LIVE = {
    ("collector", "bulletin"),
    ("collector", "refusal"),
    (STREAM, "beside"),
    ("config", "upgrade"),
    ("witness", "witnessing"),
    ("recorder", "restore"),
    ("served", "served"),
    ("lease", "lease"),
    ("observer", "verdict"),
    ("observer-lease", "lease"),
}
PATIENCE_S = 180.0


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def page(root: Path) -> Callable[[str], str]:
    """Text of a page under docs/, or of README.md."""
    return lambda name: (root / name if name == "README.md" else root / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A state folder as a station leaves it after some seconds, made once for all the workers of a run; to be read."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with (shared / "small.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "small.made").exists():
            make_state(shared / "small" / "state")
            (shared / "small.made").touch()
    return shared / "small" / "state"


def make_state(folder: Path) -> None:
    """A ledger, pages, the table of processes."""
    policy = folder.parent / "policy" / "policy"
    policy.parent.mkdir(parents=True)
    policy.write_text(POLICY)
    (policy.parent / "bulletins").mkdir()
    (policy.parent / "bulletins" / "utcr.txt").write_text(SERIES)
    (policy.parent / "bulletins" / "letter.txt").write_text("Dear sirs,\n")
    told = {
        "ledger": {**SMALL["ledger"], "policy": str(policy)},
        "bulletins": {"folder": str(policy.parent / "bulletins"), "every_s": 1.0},
    }
    config = msgspec.convert({**SMALL, **told}, Config)
    # a past by the first rules, so that the station has an upgrade to record
    older = msgspec.structs.replace(config, ensemble=msgspec.structs.replace(config.ensemble, rules_version=1))
    build_history(folder, older, lambda _fraction, _words: None)
    paths.run_dir(folder).mkdir(parents=True, exist_ok=True)
    paths.config_file(folder).write_bytes(config.to_json())
    Supervisor(folder, {}, lambda _event: None)._write_processes()
    assert json.loads(paths.processes_file(folder).read_bytes())
    # as if it had been restored without its witnesses
    write_place(folder, unwitnessed=True)
    with living(folder, "recorder", "collector", "timekeeper", "observer", "publisher") as tell:
        deadline = time.monotonic() + PATIENCE_S
        while not set(read(folder)) >= LIVE:
            assert time.monotonic() < deadline, tell()
            time.sleep(0.2)


@contextmanager
def living(folder: Path, *names: str) -> Iterator[Callable[[], str]]:
    """Some processes of a station on a state folder; gives a function that tells what they said."""
    commands, log = station_commands(folder), folder / "said"
    with log.open("wb") as said:
        running = [subprocess.Popen(commands[name], stdout=said, stderr=said) for name in names]
        try:
            yield lambda: f"not recorded: {LIVE - set(read(folder))}\n{log.read_text()}"
        finally:
            # the recorder last, so that the others' last words are recorded
            for process in reversed(running):
                process.terminate()
                process.wait(60)


def read(folder: Path) -> Recorded:
    """Payloads of a ledger by (stream, type)."""
    found = defaultdict(list)
    for entry in LedgerReader(folder).entries():
        assert entry.payload is not None
        found[entry.envelope.by, entry.envelope.type].append(canonical.decode(entry.payload))
    return found


@pytest.fixture(scope="session")
def recorded(state: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    found = read(state)
    with Store(tmp_path_factory.mktemp("erased") / "state") as store:
        store.append_many([NewEntry("lease", 1, "lease", 1, b"{}")], 1)
        _, payload = store.read(erase_entries(store, [0], "asked for", 2))
        found["erasure", "erasure"].append(canonical.decode(payload or b""))
    for asked in (TakeBack("1", "it was wrong", "timeball 0"), Accept(7, "a step indeed", "timeball 0")):
        found[OPERATOR, INSTRUCTION].append(msgspec.to_builtins(asked))
    for kind, payload in of_later_days().items():
        found[STREAM, kind].append(payload)
    for place, told in of_other_servers().items():
        found[place].append(told)
    found["keyexchange", "cookiekeys"].append(key_payload(first_keys(Moment(0.0, 0.0, ""), os.urandom), "first keys"))
    return found


def of_later_days() -> dict[str, Payload]:
    """What a ledger of some seconds does not show yet, made by the code that would."""
    memory = Memory(
        witness=Witnessed("missing", 1),
        upgrade=2,
        carrier="kalman",
        published=[Published(1, 1e-9, 1e-9, 2, "UTCr")],
        rates=[Rate(1, 0.0)],
        doubted=[Doubted(1, 1e-6, 1e-9, 2, "UTCr", 7)],
        undo=Undo(1, 0.0, 0.0),
        take_back=8,
    )
    remembered, names = memory.to_payload(), ("A",)
    state = AT1State.of_clocks(names)
    row = np.array([[1e-9]])
    steps = Steps("AT1", np.array([1]), names, row, row, row, row, row, row, np.zeros((1, 1), np.int8), AT1Parameters())
    over = take_over(memory, Rules(AT1Parameters(), Steering(), Output(), 60.0, 1), {"kalman": steps, "at1": steps})
    step = Anomaly("phase step", "link", names, 1, 0.0, 1e-9, 1e-12, 9.0, 2, 3, "", "fibre")
    anomaly = {"readings": 1, **step.to_payload(), **replace(step, kind="drift").to_payload()}
    return {
        "snapshot": {
            "memory": remembered,
            **states_payload({"algos": state, "kalman": state}),
            "anomalies": {},
        },
        "scale": {"takeover": over},
        "anomaly": anomaly,
        "steer": {"proposed": {"epoch": "1", "rate": "0.0"}, "taken_back": {"epoch": "1", "instruction": 8}},
        "doubt": accept(memory, 7, 3, 9)[0],
    }


def of_other_servers() -> dict[tuple[str, str], Payload]:
    """What is recorded only where other servers are asked, made by the code that would."""
    key = make_signer("watchdog", bytes(32))
    look = batch_of_look(1, Outcome(1e-3, False, 1, 3, 3, ("a:123",)), [Told("a:123", 1e-3)], 0, "fine")
    reading = batch_of([Sample(1, "A", "HOST", 1, 1, 1)], "comparison")
    return {
        ("watchdog-key", "key"): {"name": "watchdog", "purpose": "watches", "vkey": key.verifier.vkey},
        ("watchdog", "watch"): dict(sign_batch(look, key)),
        ("collector", "readings"): dict(sign_batch(reading, key)),
    }


def field_paths(value: object, opaque: set[str], path: str = "") -> set[str]:
    """Every field of a payload: `a.b`, and `a[].b` for objects in lists; what is opaque is one field."""
    if path in opaque:
        return {path}
    if isinstance(value, dict) and (value or not path):
        inside = value.items()
        return {deeper for key, item in inside for deeper in field_paths(item, opaque, f"{path}.{key}".strip("."))}
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return {deeper for item in value for deeper in field_paths(item, opaque, f"{path}[]")}
    return {path}


def known_fields(payloads: list[Payload], opaque: set[str]) -> set[str]:
    """The union over payloads; a field that is sometimes null and sometimes an object counts as the object."""
    found = {path for payload in payloads for path in field_paths(payload, opaque)}
    return {path for path in found if not any(other.startswith((f"{path}.", f"{path}[]")) for other in found)}


@pytest.fixture(scope="session")
def fields() -> Callable[[list[Payload], set[str]], set[str]]:
    return known_fields
