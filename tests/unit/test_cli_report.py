"""`timeball report`: the numbers are those recorded, the page stands alone, wrong use is told."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ledgers import HOUR, SMALL, Item, build_small, entries_of, write_ledger

from timeball.cli import root
from timeball.formats.steers import RecordedSteer
from timeball.station.bulletin.contents import make_contents
from timeball.station.bulletin.ledger_record import record_of_ledger
from timeball.station.bulletin.period import newest_period
from timeball.station.bulletin.sheets import write_sheets
from timeball.station.bulletin.table_record import with_steers
from timeball.station.configuration.config import parse_config
from timeball.station.fold.memory import paper_of
from timeball.station.hosttime.leaps import load_leap_table

# an hour at which five hours lie within one day of UTC
NOON = (1_800_000_000 // 86400 * 86400 + 12 * 3600) * 10**9

DAY = 24 * HOUR


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("state"), genesis_ns=NOON)


@pytest.fixture(scope="module")
def page(state: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "day.html"
    assert root.run(["report", str(state), "--period", "daily", "--output", str(file)]) == 0
    return file.read_text(encoding="utf-8")


def scales(state: Path) -> list[dict[str, Any]]:
    return [item.payload for item in entries_of(state) if item.type == "scale"]


def test_a_record_holds_what_was_recorded(state: Path) -> None:
    record, recorded = record_of_ledger(state), scales(state)
    assert record.epochs.tolist() == [int(epoch) for scale in recorded for epoch in scale["epochs"]]
    assert record.laboratory == parse_config(SMALL).station.name
    assert record.signals == ("OUT", "UTC")
    row = 0
    for scale in recorded:
        paper = paper_of(scale["paper"])
        assert paper is not None
        for place, epoch in enumerate(scale["epochs"]):
            by_name = dict(zip(scale["clocks"], scale["x_fs"][place], strict=True))
            x = [None if np.isnan(x) else str(round(x * 1e15)) for x in record.x[row].tolist()]
            assert dict(zip(record.clocks, x, strict=True)) == by_name
            assert record.weight[row].tolist() == [float(weight) for weight in scale["weights"][place]]
            assert record.utck_minus_ta[row] == paper.at(int(epoch))
            row += 1
    read = [x for scale in recorded for x in scale["utc"]["utck_minus_utc_fs"]]
    assert [str(round(-x * 1e15)) for x in record.points["link"].x_s.tolist()] == read


def test_steers_are_those_recorded(state: Path) -> None:
    steers = [item.payload for item in entries_of(state) if item.type == "steer" and item.payload["paper"]]
    assert steers
    found = [(str(each.epoch), repr(each.rate)) for each in record_of_ledger(state).steers]
    assert found == [(steer["paper"]["epoch"], steer["paper"]["rate"]) for steer in steers]


def test_a_steer_keeps_its_change_where_those_before_it_are_not_shown(state: Path) -> None:
    record = record_of_ledger(state)
    assert math.isnan(record.steers[0].change), "what held before the first one recorded is not known"
    for before, steer in pairwise(record.steers):
        assert steer.change == steer.rate - before.rate
    first, last = (int(record.epochs[place]) for place in (0, -1))
    listed = [RecordedSteer(first, -2.0e-15, "by hand"), RecordedSteer(last, 6e-16, "by hand")]
    record = with_steers(replace(record, steers=()), listed)
    assert [each.change for each in record.steers] == [-2.0e-15, 6e-16]
    [shown] = record.within(first + 1, last).steers
    assert shown.rate == pytest.approx(-1.4e-15, rel=1e-12)
    assert shown.change == 6e-16


def test_the_page_stands_alone(page: str) -> None:
    assert page.count("<svg") == 5
    for word in ("<script", "<link", "@import", 'src="', "file:"):
        assert word not in page, word
    assert set(re.findall(r"https?://([^/\"]+)", page)) <= {"www.w3.org"}
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", page)) | set(re.findall(r'href="#([^"]+)"', page))
    assert used <= set(ids)


def test_the_page_says_where_its_numbers_stand(page: str, state: Path) -> None:
    assert "simulated laboratory: nothing here is traceable" in page
    assert "entries under the signed head" in page
    assert f"UTC({parse_config(SMALL).station.name})" in page
    assert str(len(entries_of(state))) in page


def test_what_a_name_holds_is_no_markup(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "day.html"
    given = ["--laboratory", "<b>&x", "--period", "daily", "--output", str(file)]
    assert root.run(["report", str(state), *given]) == 0
    assert "<b>&x" not in file.read_text(encoding="utf-8")
    assert "UTC(&lt;b&gt;&amp;x)" in file.read_text(encoding="utf-8")


def test_the_same_report_is_the_same_pdf(tmp_path: Path, state: Path) -> None:
    record = record_of_ledger(state)
    day = newest_period("daily", int(record.epochs[0]), int(record.epochs[-1]), load_leap_table())
    report = make_contents(record, day)
    short = replace(report, clocks=report.clocks[:2], table={})
    files = [tmp_path / name for name in ("a.pdf", "b.pdf")]
    for file in files:
        write_sheets(short, "Made today.", file)
    first, second = (file.read_bytes() for file in files)
    assert first.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", first)) >= 2
    assert first == second


def test_json_has_the_numbers_of_the_ledger(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["report", str(state), "--period", "daily", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    last = scales(state)[-1]
    for clock in document["clocks"]:
        x_fs = last["x_fs"][-1][last["clocks"].index(clock["name"])]
        assert round(clock["x_s"] * 1e15) == int(x_fs)
    assert {clock["name"] for clock in document["clocks"]} == set(last["clocks"]) - {"OUT"}
    assert sum(clock["weight"] for clock in document["clocks"]) == pytest.approx(1.0)
    assert document["simulated"] is True
    assert document["written"] == []
    names = [row["row"] for row in document["bulletin"]]
    assert names[:2] == ["UTC − UTC(TB), link", "UTC(TB) − TA(TB)"]
    assert "H1 − TA(TB)" in names


def bulletin(kind: str, label: str, laboratory: str, points: dict[int, str]) -> Item:
    """A row of a bulletin as the collector records it."""
    batch = {
        "kind": kind,
        "label": label,
        "laboratory": laboratory,
        "published": "2027 JANUARY 20",
        "epochs": [str(epoch) for epoch in points],
        "utc_minus_utck_fs": list(points.values()),
        "u_fs": "300000" if kind == "circular-t" else None,
        "sha256": 64 * "0",
    }
    return Item("collector", "bulletin", {"key": "", "signature": "", "batch": batch}, 1, NOON + DAY)


def test_bulletins_and_anomalies_of_the_ledger(state: Path, tmp_path: Path) -> None:
    """UTC − UTC(k) by origin, of our own laboratory alone; of a date given twice the later word; what was blamed."""
    anomaly = {
        "kind": "phase step",
        "origin": "link",
        "clocks": ["Cs1", "Cs2"],
        "link": "cable",
        "epoch": str(NOON + HOUR),
        "words": "phase step of 1 ns: all of the cable moved",
    }
    added = [
        bulletin("circular-t", "467", "TB", {NOON: "-1500000", NOON + HOUR: "250000"}),
        bulletin("circular-t", "468", "TB", {NOON + HOUR: "300000"}),
        bulletin("utcr", "UTCr_2701", "TB", {NOON + 2 * HOUR: "700000"}),
        bulletin("utcr", "UTCr_2701", "OP", {NOON + 3 * HOUR: "999"}),
        Item("timekeeping", "anomaly", anomaly, 1, NOON + DAY),
    ]
    record = record_of_ledger(write_ledger(tmp_path / "state", [*entries_of(state), *added]))
    monthly, rapid = record.points["Circular T"], record.points["UTCr"]
    assert monthly.epochs.tolist() == [NOON, NOON + HOUR]
    assert monthly.x_s.tolist() == [-1.5e-9, 3e-10]
    assert monthly.u_s.tolist() == [3e-10, 3e-10]
    assert rapid.epochs.tolist() == [NOON + 2 * HOUR]
    assert np.isnan(rapid.u_s).all()
    event = next(each for each in record.events if each.words == anomaly["words"])
    assert (event.epoch, event.clocks, event.kind) == (NOON + HOUR, "cable", "phase step, link")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--date", "22.11.2026"], 1, "is no day like"),
        (["--date", "2020-01-01"], 1, "0 epochs"),
        (["--output", "day.docx"], 1, ".html or .pdf"),
        (["--clocks", "H1,H2"], 1, "--clocks: the ledger says it"),
        (["--utcr", "no-such-file"], 1, "cannot be read"),
        (["--period", "yearly"], 1, "yearly"),
    ],
)
def test_wrong_use(
    arguments: list[str], code: int, words: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["report", str(state), *arguments]) == code
    assert words in capsys.readouterr().err


def test_a_folder_without_a_ledger_cannot_be_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["report", str(tmp_path)]) == 2
    assert "no ledger here" in capsys.readouterr().err


def test_a_bulletin_without_the_laboratory_is_a_slip(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "utcr.txt"
    file.write_text("# UTCr-UTC(XY)\n61366 1.0\n61367 1.1\n")
    assert root.run(["report", str(state), "--utcr", str(file)]) == 1
    assert "no UTC(TB)" in capsys.readouterr().err


def test_a_damaged_ledger_is_failed_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build_small(tmp_path / "state", hours=1)
    payloads = folder / "payloads" / "000"
    data = bytearray(payloads.read_bytes())
    data[len(data) // 2] ^= 1
    payloads.write_bytes(data)
    assert root.run(["report", str(folder)]) == 4
    assert capsys.readouterr().err


def test_without_matplotlib_the_extra_is_named(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert root.run(["report", str(state), "--period", "daily", "--output", str(tmp_path / "a.pdf")]) == 1
    assert "timeball[reports]" in capsys.readouterr().err
