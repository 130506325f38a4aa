"""What the documentation tests hold the pages against: a small real ledger, and what a live station would add to it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from timeball.ledger import canonical
from timeball.station import hostclocks, observer, paths, timekeeper
from timeball.station.collecting import batch_of
from timeball.station.history import build_history
from timeball.station.instruments.base import Sample
from timeball.station.ledger_reader import LedgerReader
from timeball.station.process import Process
from timeball.station.settings import Config
from timeball.station.supervisor import Supervisor

Payload = dict[str, Any]
# Half a day is enough for a steer towards UTC (24 readings of it) and a snapshot, when both come more often than usual.
SMALL: dict[str, dict[str, object]] = {
    "history": {"days": 0.6},
    "ensemble": {"snapshot_every": 6},
    "simulation": {"utc_every_s": 1800.0},
    "ntp": {"listen": ["127.0.0.1:1"]},
}


class Recorded(defaultdict[tuple[str, str], list[Payload]]):
    """Payloads by (stream, type)."""

    def __init__(self) -> None:
        super().__init__(list)


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def page(root: Path) -> Callable[[str], str]:
    """Text of a page under docs/, or of README.md."""
    return lambda name: (root / name if name == "README.md" else root / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def config() -> Config:
    return msgspec.convert(SMALL, Config)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory, config: Config) -> Path:
    """A state folder as a station leaves it: a ledger, the configuration, the table of processes."""
    folder = tmp_path_factory.mktemp("small") / "state"
    build_history(folder, config, lambda _fraction, _words: None)
    paths.run_dir(folder).mkdir(parents=True, exist_ok=True)
    paths.config_file(folder).write_bytes(config.to_json())
    Supervisor(folder, {}, lambda _event: None)._write_processes()
    assert json.loads(paths.processes_file(folder).read_bytes())
    return folder


@pytest.fixture(scope="session")
def recorded(state: Path, config: Config) -> Recorded:
    """What the small ledger holds, and what observer and timekeeper say when they look at it once."""
    found = Recorded()
    for entry in LedgerReader(state).entries():
        assert entry.payload is not None
        found[entry.envelope.by, entry.envelope.type].append(canonical.decode(entry.payload))
    with pytest.MonkeyPatch.context() as patch:

        class Say(FakeSay):
            sink = found

        class Client(FakeClient):
            sink = found

        for module in (observer, timekeeper):
            patch.setattr(module, "Say", Say)
        patch.setattr(timekeeper, "RecorderClient", Client)
        look_once(Process("observer", state, config))
        found["collector", "readings"].append({"batch": host_batch(state), "key": "", "signature": ""})
        renew_once(Process("timekeeper", state, config), host_batch(state))
    return found


class FakeSay:
    """Stands for `say.Say`: everything said is kept."""

    sink: Recorded

    def __init__(self, _process: Process, stream: str, kind: str, version: int = 1) -> None:
        self.stream, self.kind, self.version = stream, kind, version
        self.last: Payload | None = None
        self.last_said = float("-inf")

    def now(self, payload: Payload, patience_s: float = 0.0) -> bool:
        canonical.encode(payload)
        self.sink[self.stream, self.kind].append(payload)
        self.last, self.last_said = payload, self.last_said + 1.0
        return True

    def on_change(self, payload: Payload) -> None:
        if payload != self.last:
            self.now(payload)

    def every(self, _interval_s: float, payload: Payload) -> None:
        self.now(payload)


class FakeClient:
    """Stands for the timekeeper's `RecorderClient`: takes the decisions of the fold."""

    sink: Recorded

    def __init__(self, _state: Path, stream: str) -> None:
        self.stream = stream

    def append(self, kind: str, _version: int, payload: Payload, _seq: int) -> int:
        self.sink[self.stream, kind].append(payload)
        return 0

    def next_seq(self) -> int:
        return 1


class OneLook:
    """A counter of the observer that ends the run after the first look."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def tai_ns(self, raw_ns: int) -> int:
        return raw_ns

    def compare(self) -> tuple[int, dict[str, float]]:
        self.process.stop.set()
        return 10**18, {"H1": 1e-9, "Cs1": math.nan}


def look_once(process: Process) -> None:
    observer.Observer(process, OneLook(process)).run()


def host_batch(state: Path) -> Payload:
    """Readings of the host's counter around now, as the collector shapes them."""
    raw_ns = hostclocks.raw_ns()
    anchor_ns = int(next(LedgerReader(state).entries()).envelope.time) - raw_ns
    samples = [Sample(raw_ns + anchor_ns - k * 10**9, "HOST", "OUT", 1000 * k, 10**8) for k in range(5, 0, -1)]
    return batch_of(samples, "host", boot_id=hostclocks.boot_name(), anchor_ns=str(anchor_ns))


def renew_once(process: Process, batch: Payload) -> None:
    """Let the timekeeper record its configuration, fold the ledger and write its page once."""
    keeper = timekeeper.Timekeeper(process)
    keeper._record_config()
    keeper._decide()
    keeper.counter.take(batch)
    keeper._renew(keeper._moment())


def field_paths(value: object, opaque: set[str], path: str = "") -> set[str]:
    """Every field of a payload: `a.b`, and `a[].b` for objects in lists; what is opaque is one field."""
    if path in opaque:
        return {path}
    if isinstance(value, dict) and (value or not path):
        return {
            deeper for key, item in value.items() for deeper in field_paths(item, opaque, f"{path}.{key}".strip("."))
        }
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
