"""How `timeball run` tells what happens: words for people, one JSON object a line for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from timeball.cli.running import Reporter

EVENTS: list[dict[str, Any]] = [
    {"event": "time of day", "utc": "2026-11-22T20:00:00Z", "sources": ["realtime", "rtc"]},
    {"event": "running", "ntp": ["127.0.0.1:11123"], "console": "http://127.0.0.1:8123", "state": "/s"},
    {"event": "started", "name": "server", "pid": 7, "restarts": 0},
    {"event": "died", "name": "server", "code": -9, "why": "signal SIGKILL", "lines": ["last words"]},
    {"event": "started", "name": "server", "pid": 8, "restarts": 1},
    {"event": "killed", "name": "server", "why": "it did not stop within 5 s"},
    {"event": "stopping", "why": "signal SIGTERM"},
    {"event": "stopped"},
]


def test_events_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(json_lines=False) as reporter:
        reporter.progress(0.0, "30 days")
        reporter.progress(0.5, "30 days")
        reporter.progress(1.0, "day 30 of 30")
        for event in EVENTS:
            reporter.report(event)
    assert capsys.readouterr().out.splitlines() == [
        "computing 30 days",
        "computed day 30 of 30",
        "time of day: 2026-11-22T20:00:00Z, realtime, rtc",
        "NTP       127.0.0.1:11123",
        "console   http://127.0.0.1:8123",
        "state     /s",
        "Ctrl-C stops the station.",
        "server died (signal SIGKILL)",
        "    last words",
        "server started again",
        "server killed it did not stop within 5 s",
        "stopping: signal SIGTERM",
        "stopped",
    ]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["server"], "1 process was running and is supervised again"),
        (["recorder", "server"], "2 processes were running and are supervised again"),
    ],
)
def test_a_station_that_was_taken_over_says_so(
    capsys: pytest.CaptureFixture[str], names: list[str], words: str
) -> None:
    with Reporter(json_lines=False) as reporter:
        rows = [{"name": name, "pid": 7, "restarts": 0} for name in names]
        reporter.report({"event": "adopted", "processes": rows})
    assert capsys.readouterr().out.splitlines() == [words]


def test_a_station_that_was_not_taken_over_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(json_lines=False) as reporter:
        why = "the configuration has changed"
        reporter.report({"event": "not adopted", "names": ["recorder", "server"], "why": why})
    assert capsys.readouterr().out == f"2 processes were still running and ended: {why}\n"


def test_events_as_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(json_lines=True) as reporter:
        reporter.progress(0.25, "30 days")
        for event in EVENTS:
            reporter.report(event)
    first, *rest = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first == {"event": "progress", "fraction": 0.25, "what": "30 days"}
    assert rest == EVENTS
