"""The folder of bulletins: each file once, the laboratory's own row with its sign; what is no bulletin is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from bulletins import circular_t, utcr
from ledgers import Item, write_ledger

from timeball.station.configuration.config import ConfigError, parse_config
from timeball.station.configuration.configwords import explain
from timeball.station.configuration.settings import Bulletins, Config, Station, Steering
from timeball.station.fold.published import Bulletin, parse_bulletin
from timeball.station.fold.timekeeping import COLLECTOR
from timeball.station.instruments.bulletinfolder import BulletinFolder, recorded_bulletins
from timeball.station.recording.ledger_reader import LedgerReader


def looking(folder: Path, laboratory: str = "OP", recorded: tuple[str, ...] = ()) -> BulletinFolder:
    config = Config(station=Station(name=laboratory), bulletins=Bulletins(folder=str(folder), every_s=1.0))
    return BulletinFolder(config, set(recorded))


def look(source: BulletinFolder) -> list[Bulletin]:
    """Another look, whatever the time, read back as the fold reads it."""
    source._due_s = 0.0
    return [parse_bulletin(batch) for batch in source.take()]


def test_both_bulletins_are_read_once_with_their_sign(tmp_path: Path) -> None:
    (tmp_path / "cirt.456").write_text(circular_t())
    (tmp_path / "utcr_2549").write_text(utcr())
    source = looking(tmp_path)
    monthly, weekly = look(source)
    assert (monthly.kind, monthly.label, monthly.laboratory) == ("circular-t", "456", "OP")
    # printed are 0.2, −0.1 and 0.4 ns of UTC − UTC(OP), with uA = 0.2 ns
    assert monthly.utc_minus_utck_fs == ["200000", "-100000", "400000"]
    assert monthly.u_fs == "200000"
    assert len(monthly.epochs) == 3
    assert int(monthly.epochs[1]) - int(monthly.epochs[0]) == 5 * 86400 * 10**9
    assert int(monthly.epochs[0]) % (86400 * 10**9) == 37 * 10**9, "0 h UTC, in TAI"
    assert (weekly.kind, weekly.label, weekly.u_fs) == ("utcr", "UTCr_2549", None)
    assert look(source) == []
    assert source.faults.count == 0


def test_a_file_that_changes_is_another_bulletin_and_a_copy_is_none(tmp_path: Path) -> None:
    source = looking(tmp_path)
    (tmp_path / "a").write_text(utcr())
    [first] = look(source)
    (tmp_path / "b").write_text(utcr())
    assert look(source) == []
    (tmp_path / "a").write_text(utcr(mjd=(61013, 61014, 61015)))
    [second] = look(source)
    assert second.sha256 != first.sha256
    assert look(looking(tmp_path, recorded=(first.sha256, second.sha256))) == [], "the ledger has them"


def test_a_series_of_ones_own_is_utcr(tmp_path: Path) -> None:
    (tmp_path / "series").write_text("61010 1.5\n61011 -\n61012 2.5\n")
    [series] = look(looking(tmp_path, "AUS"))
    assert (series.kind, series.laboratory, series.utc_minus_utck_fs) == ("utcr", "AUS", ["1500000", "2500000"])


def test_what_cannot_be_used_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(b"\x00\xff dear sirs")
    (tmp_path / "week").write_text(utcr())
    (tmp_path / ".hidden").write_text(utcr())
    (tmp_path / "huge").write_bytes(b"#" * (4 * 2**20 + 1))
    source = looking(tmp_path, "NOBODY")
    assert look(source) == []
    assert look(source) == []
    told = source.faults.take()
    assert source.faults.count == len(told) == 2
    assert any("letter" in sentence for sentence in told)
    assert any("no value of NOBODY" in sentence for sentence in told)


def test_a_folder_that_is_not_there_is_told_and_waited_for(tmp_path: Path) -> None:
    source = looking(tmp_path / "later")
    assert look(source) == []
    assert "cannot look into" in source.faults.take()[0]
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "week").write_text(utcr())
    assert len(look(source)) == 1


def test_a_malformed_bulletin_in_the_ledger_stops_nobody_from_starting(tmp_path: Path) -> None:
    payloads: list[Any] = [{"batch": {"sha256": "ab"}}, {"batch": {}}, {"batch": 7}, 7]
    state = write_ledger(tmp_path, [Item(COLLECTOR, "bulletin", payload) for payload in payloads])
    assert "ab" in recorded_bulletins(LedgerReader(state))


def test_between_two_looks_nothing_is_read(tmp_path: Path) -> None:
    source = looking(tmp_path)
    assert source.take() == []
    (tmp_path / "week").write_text(utcr())
    assert source.take() == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('[steering]\nlaw = "utcr"\n', "bulletins.folder"),
        ('[steering]\nlaw = "circular-t"\n[bulletins]\nfolder = "b"\n', "steering.time_constant_s"),
        ('[steering]\nlaw = "best"\n', "steering.law"),
        ("[steering]\nleast_change = 1e-13\n", "steering.max_rate_change"),
        ('[ensemble]\nbeside = ["at1"]\n', "ensemble.beside"),
        ('[ensemble]\nalgorithm = "mean"\n', "ensemble.algorithm"),
        ('[ensemble]\nreference = "X"\n', "ensemble.reference"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(text: str, path: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(text)
    assert path in {where for where, _ in refused.value.errors}


def test_the_laboratory_is_the_station_unless_it_is_named() -> None:
    from timeball.station.fold.rules import rules_of

    config = Config(station=Station(name="OP"))
    assert rules_of(config).steering.laboratory == "OP"
    named: Any = msgspec.structs.replace(config, steering=Steering(laboratory="PTB"))
    assert rules_of(named).steering.laboratory == "PTB"
    assert rules_of(named, 2).steering.laboratory == ""


def test_the_words_of_a_configuration_name_what_runs_and_what_is_answered() -> None:
    text = """
[ensemble]
algorithm = "kalman"
beside = ["at1", "algos"]
[steering]
law = "utcr"
dry_run = true
[bulletins]
folder = "from-the-bipm"
"""
    words = " ".join(explain(parse_config(text)))
    assert "TA(TB) is carried by kalman; beside it at1 and algos are computed and recorded." in words
    assert "is steered by each new UTCr" in words
    assert "dry run" in words
    assert "UTC(TB) are taken from from-the-bipm" in words
    assert "carried by" not in " ".join(explain(Config()))
