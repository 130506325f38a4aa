"""The observer's turn: when its lease is renewed, ends at once, or runs out; and what it has recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ledgers import build_small, entries_of, write_ledger

from timeball.ledger import canonical
from timeball.ledger.batch import verify_batch
from timeball.station import observer, paths
from timeball.station.configuration.config import parse_config
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.outside import SimulatedObserver
from timeball.station.instruments.simulated import Anchor, Simulation
from timeball.station.observer import Observer
from timeball.station.observing.judging import CANNOT_JUDGE, FOUND, NOTHING_FOUND
from timeball.station.observing.replies import Answer, ReplyUnusable
from timeball.station.page.clockpage import ObserverPage, PageReader
from timeball.station.recording import say
from timeball.station.recording.errors import RecorderUnavailable
from timeball.station.supervision.process import Process

SETTINGS = "[simulation]\nutc_every_s = 60.0\n[lease]\nscale_max_age_s = 3600.0\n"


class Recorder:
    """Stands where the recorder does; `down` while it does not answer."""

    down = False
    said: list[tuple[str, str, Any]]

    def __init__(self, _state: Path, stream: str, timeout_s: float = 0.0) -> None:
        self.stream, self.seq = stream, 1

    def next_seq(self) -> int:
        if Recorder.down:
            raise RecorderUnavailable("down")
        return self.seq

    def append(self, kind: str, version: int, payload: Any, seq: int) -> int:
        if Recorder.down:
            raise RecorderUnavailable("down")
        canonical.encode(payload)
        assert (version, seq) == (1, self.seq)
        self.seq += 1
        Recorder.said.append((self.stream, kind, payload))
        return 0


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("past"))


@pytest.fixture
def watching(past: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Observer]:
    """An observer of a laboratory whose ledger ends now, and a server that answers 2 µs off."""
    Recorder.down, Recorder.said = False, []
    monkeypatch.setattr(say, "RecorderClient", Recorder)
    state = write_ledger(tmp_path / "state", entries_of(past))
    config = parse_config(SETTINGS)
    known = msgspec.json.decode(paths.simulation_file(past).read_bytes(), type=Anchor)
    # two minutes after the newest epoch: the last order has taken effect
    anchor = msgspec.structs.replace(known, raw_ns=hostclocks.raw_ns(), tai_ns=known.tai_ns + 90 * 10**9)
    paths.stepper_record(state).parent.mkdir()
    paths.stepper_record(state).write_bytes(paths.stepper_record(past).read_bytes())
    answering(monkeypatch, 2e-6)
    process = Process("observer", state, config)
    watcher = Observer(process, SimulatedObserver(Simulation(anchor, config, state)))
    yield watcher
    watcher.page.close()


def answering(monkeypatch: pytest.MonkeyPatch, offset_s: float | None) -> None:
    """The server's answers from now on; None: there are none."""

    def ask(address: str, _tai_of_raw: object, _leaps: object) -> Answer:
        if offset_s is None:
            raise ReplyUnusable(f"{address} did not answer")
        return Answer(address, True, offset_s, 1e-5, 1e-6)

    monkeypatch.setattr(observer, "ask", ask)


def lease(watcher: Observer) -> ObserverPage:
    page = PageReader(paths.observer_page(watcher.process.state), ObserverPage).read()
    assert page is not None
    return page


def move_output(watcher: Observer, step_s: float) -> None:
    """Behind the timekeeper's back: one more line in the stepper's record."""
    record = paths.stepper_record(watcher.process.state)
    last = msgspec.json.decode(record.read_bytes().splitlines()[-1])
    last |= {"id": last["id"] + 1, "epoch": last["epoch"] + 1, "phase_step_s": step_s}
    with record.open("ab") as file:
        file.write(msgspec.json.encode(last) + b"\n")


def test_nothing_found_renews(watching: Observer) -> None:
    verdict, words = watching.look()
    assert (verdict, words) == (NOTHING_FOUND, "")
    watching.renew(verdict)
    page = lease(watching)
    length = watching.config.lease.observer_s * 1e9
    assert 0.5 * length < page.lease_raw_ns - hostclocks.raw_ns() <= length
    assert 0.5 * length < page.lease_boottime_ns - hostclocks.boottime_ns() <= length
    assert page.verdict == NOTHING_FOUND


def test_twenty_nanoseconds_end_the_lease_at_once(watching: Observer) -> None:
    watching.renew(watching.look()[0])
    move_output(watching, 20e-9)
    verdict, words = watching.look()
    assert verdict == FOUND
    assert "ns from TA(k) + steers" in words
    watching.renew(verdict)
    assert (lease(watching).lease_raw_ns, lease(watching).verdict) == (0, FOUND)


def test_a_server_that_lies_ends_the_lease_at_once(watching: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 1.0)
    verdict, words = watching.look()
    assert verdict == FOUND
    assert "answered +1.000e+00 s from the output" in words
    watching.renew(verdict)
    assert lease(watching).lease_raw_ns == 0


def test_an_answer_that_does_not_come_renews_nothing_and_ends_nothing(
    watching: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lost datagram must not be an off-switch; a server that stays silent lets the lease run out."""
    watching.renew(watching.look()[0])
    before = lease(watching).lease_raw_ns
    answering(monkeypatch, None)
    verdict, words = watching.look()
    assert (verdict, words) == (CANNOT_JUDGE, "127.0.0.1:11123 did not answer")
    watching.renew(verdict)
    assert lease(watching).lease_raw_ns == before > 0
    assert lease(watching).verdict == CANNOT_JUDGE


def test_a_lie_is_found_even_while_the_scale_cannot_be_judged(
    watching: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching.counter, "compare", lambda: (0, {}))
    assert watching.look()[0] == CANNOT_JUDGE
    answering(monkeypatch, 1.0)
    verdict, words = watching.look()
    assert verdict == FOUND
    assert "old" in words
    assert "answered" in words


def test_a_lease_that_ended_is_not_given_back_by_silence(watching: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    watching.renew(watching.look()[0])
    watching.renew(FOUND)
    answering(monkeypatch, None)
    watching.renew(watching.look()[0])
    assert lease(watching).lease_raw_ns == 0


def test_a_verdict_is_recorded_signed_each_minute_and_at_once_when_it_changes(
    watching: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        watching.tell(*watching.look())
    answering(monkeypatch, 1.0)
    watching.tell(*watching.look())
    verdicts = [payload for stream, kind, payload in Recorder.said if (stream, kind) == ("observer", "verdict")]
    batches = [verify_batch(payload, watching.key.verifier) for payload in verdicts]
    assert [batch["code"] for batch in batches] == [NOTHING_FOUND, FOUND]
    assert batches[0]["verdict"] == "nothing found"
    assert [len(batch["epochs"]) for batch in batches] == [1, 3], "what was measured in between is there"
    for batch in batches:
        assert len(batch["x_fs"]) == len(batch["residual_fs"]) == len(batch["epochs"])
        assert {len(row) for row in batch["x_fs"]} == {len(batch["pairs"])}
        assert all(pair[0] == "OUT" for pair in batch["pairs"])
    assert batches[0]["reply_offset_fs"] == [str(2 * 10**9)]


def test_while_the_recorder_is_down_nothing_is_forgotten_and_nothing_waits(watching: Observer) -> None:
    Recorder.down = True
    for _ in range(2):
        watching.tell(*watching.look())
    assert Recorder.said == []
    Recorder.down = False
    watching.tell(*watching.look())
    assert len(Recorder.said[0][2]["batch"]["epochs"]) == 3


def test_a_minute_that_nobody_records_does_not_grow_for_ever(
    watching: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Recorder.down = True
    monkeypatch.setattr(observer, "MOST_LOOKS", 3)
    for _ in range(10):
        watching.tell(*watching.look())
        assert len(watching.minute.epochs) <= 3


def test_a_strangers_scale_is_not_believed(watching: Observer, past: Path) -> None:
    """One that explains the moved output away, on a stream of the intruder's own."""
    items = entries_of(past)
    scale = next(item for item in reversed(items) if item.type == "scale")
    lie = scale.changed(lambda p: p["paper"].update(phase_s=repr(float(p["paper"]["phase_s"]) + 20e-9)))
    move_output(watching, 20e-9)
    state = write_ledger(watching.process.state.parent / "forged", [*items, replace(lie, stream="intruder")])
    watching.reader = type(watching.reader)(state)
    assert watching.look()[0] == FOUND
