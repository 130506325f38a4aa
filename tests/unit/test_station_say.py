"""Statements of a process: said when they change or are due, said again when they could not be recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from timeball.station.configuration.settings import Config
from timeball.station.recording import say
from timeball.station.recording.errors import LedgerFull, RecorderUnavailable, StoreError
from timeball.station.recording.say import Say
from timeball.station.supervision.process import Process


class Recorder:
    """Records in a list; raises `trouble` while there is any, before or after the entry is recorded."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.trouble: StoreError | None = None
        self.lost_answer = False

    def __call__(self, _state: Path, stream: str, timeout_s: float) -> Recorder:
        self.stream, self.timeout_s = stream, timeout_s
        return self

    def next_seq(self) -> int:
        if self.trouble is not None:
            raise self.trouble
        return len(self.said) + 1

    def append(self, kind: str, version: int, payload: Any, seq: int) -> int:
        assert seq == len(self.said) + 1, "numbered without a gap"
        if self.trouble is not None and not self.lost_answer:
            raise self.trouble
        self.said.append(payload)
        if self.lost_answer:
            self.lost_answer = False
            raise RecorderUnavailable("no answer")
        return seq


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(say, "RecorderClient", recorder)
    return recorder


@pytest.fixture
def speaker(recorder: Recorder, tmp_path: Path) -> Say:
    return Say(Process("test", tmp_path, Config()), "lease", "lease")


def test_the_same_is_not_said_twice(speaker: Say, recorder: Recorder) -> None:
    for state in ("granted", "granted", "withheld", "withheld", "granted"):
        speaker.on_change({"state": state})
    assert [payload["state"] for payload in recorder.said] == ["granted", "withheld", "granted"]
    assert (recorder.stream, recorder.timeout_s) == ("lease", say.QUICK_S)


def test_a_statement_is_repeated_when_its_time_has_come(
    speaker: Say, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(say.time, "monotonic", lambda: now[0])
    for _ in range(125):
        speaker.every(60.0, {"n": len(recorder.said)})
        now[0] += 1.0
    assert recorder.said == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.parametrize("trouble", [RecorderUnavailable("down"), LedgerFull("full")])
def test_what_could_not_be_recorded_is_said_again(speaker: Say, recorder: Recorder, trouble: StoreError) -> None:
    recorder.trouble = trouble
    assert not speaker.now({"state": "granted"})
    assert speaker.last is None
    recorder.trouble = None
    speaker.on_change({"state": "granted"})
    assert recorder.said == [{"state": "granted"}]


def test_a_lost_answer_costs_a_repetition_and_never_a_gap(speaker: Say, recorder: Recorder) -> None:
    recorder.lost_answer = True
    assert not speaker.now({"n": 1})
    assert speaker.now({"n": 2})
    assert recorder.said == [{"n": 1}, {"n": 2}]


def test_patience_tries_until_it_is_over(speaker: Say, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.trouble = RecorderUnavailable("down")
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 3:
            recorder.trouble = None
        return False

    monkeypatch.setattr(Process, "sleep", lambda _self, seconds: wait(seconds))
    assert speaker.now({"n": 1}, patience_s=30.0)
    assert len(waits) == 3
    assert recorder.said == [{"n": 1}]


def test_whoever_is_told_to_stop_does_not_wait(speaker: Say, recorder: Recorder) -> None:
    recorder.trouble = RecorderUnavailable("down")
    speaker.process.stop.set()
    assert not speaker.now({"n": 1}, patience_s=30.0)
