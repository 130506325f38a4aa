"""`timeball watch-chrony`: limits, verdicts and words; a real chronyd is asked in tests/system."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from timeball.cli import watch_chrony
from timeball.cli.root import root, run
from timeball.cli.watch_chrony_words import document_of, head_words, sentences
from timeball.protocols.chrony.judging import DEFAULT_LIMITS, judge
from timeball.protocols.chrony.reports import Activity, Source, SourceStats, Tracking
from timeball.station.feeding.chronydview import ChronydView

NOW_NS = 1_795_000_000 * 10**9
TRACKING = Tracking(
    *("UTCk", "", 1, 0, NOW_NS - 2 * 10**9, -12.5e-6, 0.0, 4e-6, 1.5e-6, 0.0, 2e-9, 2e-3, 1e-3, 0.25),
)
SOURCES = [
    Source("UTCk", "reference clock", "selected", 0, -2, 0o377, 0, 0.0, 1e-9, 30e-9),
    Source("192.0.2.1", "server", "falseticker", 1, 6, 0o17, 5, 1e-3, 1e-3, 2e-6, b"k"),
]
VIEW = ChronydView(
    *(NOW_NS, TRACKING, SOURCES, [SourceStats("UTCk", 8, 3, 2, 1e-9, 0.0, 1e-12, 0.0, 1e-8)], Activity(1, 0, 0, 0, 0)),
    server_stats={"ntp_hits": 7, "nke_hits": 0},
    auth_data=[{"mode": "NTS", "cookies": 8, "naks": 0, "key_type": 15}],
    not_told={"ntpdata": "not allowed"},
)


@pytest.mark.parametrize(
    ("limits", "outside"),
    [
        (DEFAULT_LIMITS, []),
        ({"offset": 12.4e-6}, ["offset"]),
        ({"offset": 12.6e-6, "distance": 1.9e-3}, ["distance"]),
        ({"distance": 2e-3}, []),  # half of the delay and the dispersion
        ({"skew": 1e-9, "age": 1.0, "sources": 2}, ["skew", "age", "sources"]),
        ({"skew": 1e-8, "age": 3.0, "sources": 1}, []),
    ],
)
def test_each_limit_has_two_sides(limits: dict[str, float], outside: list[str]) -> None:
    verdict = judge(TRACKING, SOURCES, NOW_NS, limits)
    assert [finding.name for finding in verdict.findings if not finding.within] == outside
    assert verdict.fine is (outside == [])
    assert verdict.selected == "UTCk"


@pytest.mark.parametrize("told", [replace(TRACKING, leap=3), replace(TRACKING, refid="")])
def test_who_is_not_synchronised_is_never_fine(told: Tracking) -> None:
    verdict = judge(told, SOURCES, NOW_NS, {})
    assert not verdict.fine
    view = replace(VIEW, tracking=replace(told, reference_ns=0))
    assert head_words(view, verdict) == "not synchronised: it follows none of its sources (2)"
    assert "never updated" in "\n".join(sentences(view, verdict))


def test_a_clock_that_follows_only_itself_has_no_source() -> None:
    """`local stratum 10`: chronyd calls that synchronised."""
    assert not judge(replace(TRACKING, refid="127.127.1.1"), [], NOW_NS, DEFAULT_LIMITS).fine


def test_the_words() -> None:
    lines = list(sentences(VIEW, judge(TRACKING, SOURCES, NOW_NS, {"offset": 1e-5, "sources": 1})))
    assert lines[:4] == [
        "out of limits: offset: the system clock is 12.5 µs slow of NTP time; it follows UTCk, stratum 1",
        "limit     offset 12.5 µs ≤ 10 µs   OUT",
        "limit     sources 1 ≥ 1",
        "clock     rate +1.500 ppm ± 0.002 ppm",
    ]
    text = "\n".join(lines)
    assert "served    ntp_hits 7\n" in text
    assert "NTS       8 cookies, 0 NAKs, AEAD 15" in text
    assert "not told  ntpdata: not allowed" in text
    row = next(line for line in lines[-1].splitlines() if line.startswith("192.0.2.1"))
    assert row.split() == ["192.0.2.1", "server", "falseticker", "1", "64", "s", "017", "1", "ms", "2", "µs"]
    fast = replace(VIEW, tracking=replace(TRACKING, system_minus_ntp_s=1e-6))
    assert "1 µs fast of NTP time" in head_words(fast, judge(fast.tracking, SOURCES, NOW_NS, {}))


def test_the_document_is_json_and_says_no_requests() -> None:
    document = document_of("/x", VIEW, judge(TRACKING, SOURCES, NOW_NS, DEFAULT_LIMITS))
    read = json.loads(json.dumps(document))
    assert read["tracking"]["system_minus_ntp_s"] == -12.5e-6
    assert read["tracking"]["reference_ns"] == str(NOW_NS - 2 * 10**9)
    assert (read["sources"][0]["stats"]["samples"], read["sources"][1]["stats"]) == (8, None)
    assert "key" not in read["sources"][0]


@pytest.mark.parametrize("text", ["offset", "offset=", "offset=x", "offset=-1", "offset=nan", "offset=inf", "speed=1"])
def test_limits_that_are_none(text: str) -> None:
    assert run(["watch-chrony", "--limit", text]) == 1


def test_count_needs_an_interval() -> None:
    assert run(["watch-chrony", "--count", "2"]) == 1


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["watch-chrony", *arguments], standalone_mode=False)


def test_nobody_there_is_told_once_or_at_every_look(tmp_path: Path) -> None:
    nobody = str(tmp_path / "none.sock")
    assert run(["watch-chrony", "--host", nobody]) == 2
    told = asked("--host", nobody, "--interval", "0.1", "--count", "2", "--json")
    assert told.return_value == 2
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(line["fine"], line["host"]) for line in lines] == [(False, nobody)] * 2
    assert asked("--host", nobody, "--interval", "0.1", "--count", "1").stdout.startswith("no chronyd at ")


@pytest.mark.parametrize("place", ["nowhere", "127.0.0.1:port", "127.0.0.1:99999"])
def test_addresses_that_are_none(place: str) -> None:
    assert run(["watch-chrony", "--host", place]) == 2


def test_ctrl_c_ends_a_watch_with_the_code_of_its_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch_chrony.time, "sleep", interrupt)
    assert run(["watch-chrony", "--host", "/none/none.sock", "--interval", "5"]) == 2


def test_a_record_that_cannot_be_written(tmp_path: Path) -> None:
    from timeball.cli.output import CommandError

    with pytest.raises(CommandError, match="cannot write"):
        watch_chrony.append_reading(tmp_path / "none" / "x", NOW_NS, 1e-6)


def test_a_record_is_tagged_in_tai(tmp_path: Path) -> None:
    from timeball.formats import parse_columns

    for seconds in (0, 16):
        watch_chrony.append_reading(tmp_path / "x", NOW_NS + seconds * 10**9, -1.25e-6)
    readings = parse_columns((tmp_path / "x").read_bytes(), "x").readings
    assert readings.x.tolist() == [-1.25e-6] * 2
    expected = [NOW_NS + (37 + seconds) * 10**9 for seconds in (0, 16)]
    assert all(abs(int(a) - b) <= 100_000 for a, b in zip(readings.epoch, expected, strict=True))
