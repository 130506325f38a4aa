"""The folder of bulletins: each file once, the laboratory's own row with its sign; what is no bulletin is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bulletins import circular_t, utcr
from ledgers import KEY, Item, write_ledger

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.station.configuration.config import ConfigError, parse_config
from timeball.station.configuration.configwords import explain
from timeball.station.configuration.settings import Bulletins, Config, Station, Steering
from timeball.station.fold.published import Bulletin, parse_bulletin
from timeball.station.fold.timekeeping import COLLECTOR
from timeball.station.instruments.bulletinfolder import (
    BULLETIN,
    MOST_A_LOOK,
    REFUSAL,
    Arrival,
    BulletinFolder,
    recorded_bulletins,
    recorded_refusals,
)
from timeball.station.recording.ledger_reader import LedgerReader


def looking(folder: Path, laboratory: str = "OP", recorded: tuple[str, ...] = ()) -> BulletinFolder:
    config = Config(station=Station(name=laboratory), bulletins=Bulletins(folder=str(folder), every_s=1.0))
    return BulletinFolder(config, set(recorded))


def glance(source: BulletinFolder) -> list[Arrival]:
    """Another look, whatever the time."""
    source._due_s = 0.0
    return source.take()


def look(source: BulletinFolder) -> list[Bulletin]:
    """Two looks, so that what is there counts, read back as the fold reads it."""
    assert [one for one in glance(source) if one.type == BULLETIN] == [], "nothing counts at first sight"
    return [parse_bulletin(one.batch) for one in glance(source) if one.type == BULLETIN]


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
    assert glance(source) == []
    refused = glance(source)
    assert look(source) == []
    assert [one.type for one in refused] == [REFUSAL, REFUSAL]
    told = source.faults.take()
    assert source.faults.count == len(told) == 3
    for part in ("letter", "no value of NOBODY", "huge: 4194305 bytes"):
        assert any(part in sentence for sentence in told)
    letter = refused[0].batch
    assert (letter["kind"], letter["bytes"], letter["laboratory"]) == ("refused", 12, "NOBODY")
    assert not any("letter" in one.batch["why"] or "dear" in one.batch["why"] for one in refused), "entries are public"
    # signed and recorded, it is known to the next collector, unless that one is for somebody else
    state = write_ledger(tmp_path / "ledger", [Item(COLLECTOR, REFUSAL, sign_batch(one.batch, KEY)) for one in refused])
    known = recorded_refusals(LedgerReader(state), "NOBODY")
    assert known == {one.batch["sha256"] for one in refused}
    again = looking(tmp_path, "NOBODY", tuple(known))
    assert glance(again) == glance(again) == []
    assert [sentence for sentence in again.faults.take() if "huge" not in sentence] == []
    assert recorded_refusals(LedgerReader(state), "OP") == set()


def test_a_file_that_grows_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    """Somebody copies it slowly: half of it parses, and would be another bulletin."""
    source, series = looking(tmp_path, "AUS"), tmp_path / "series"
    for text in ("61010 1.5\n", "61010 1.5\n61011 12", "61010 1.5\n61011 12.5\n"):
        series.write_text(text)
        assert glance(source) == []
    [whole] = glance(source)
    assert parse_bulletin(whole.batch).utc_minus_utck_fs == ["1500000", "12500000"]
    assert glance(source) == []


def test_a_file_renamed_into_the_place_of_another_is_another(tmp_path: Path) -> None:
    source, stamp = looking(tmp_path, "AUS"), (1_700_000_000, 1_700_000_000)
    for name, text in (("series", "61010 1.5\n"), (".new", "61010 2.5\n")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, stamp)
    assert len(look(source)) == 1
    (tmp_path / ".new").rename(tmp_path / "series")
    assert [one.utc_minus_utck_fs for one in look(source)] == [["2500000"]]


def test_what_changes_under_the_readers_hand_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, series = looking(tmp_path, "AUS"), tmp_path / "series"
    series.write_text("61010 1.5\n")
    assert glance(source) == []
    read = source._read

    def late(path: Path) -> bytes | None:
        with series.open("a") as file:
            file.write("61011 2.5\n")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(source, "_read", late)
        assert glance(source) == []
    assert len(look(source)[0].epochs) == 2


def test_what_cannot_be_read_is_told_once_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that answers with an error; permissions stop no test that runs as root."""
    source = looking(tmp_path, "AUS")
    (tmp_path / "series").write_text("61010 1.5\n")

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("timeball.station.instruments.bulletinfolder.os.open", broken)
        assert [glance(source) for _ in range(4)] == [[], [], [], []]
    [told] = source.faults.take()
    assert "tried again" in told
    assert len(glance(source)) == 1
    assert source.faults.count == 1


def test_what_is_no_file_is_passed_over_and_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / os.fsdecode(b"no\xfftext")).write_text("dear sirs")
    source = looking(tmp_path)
    assert glance(source) == []
    [refused] = glance(source)
    canonical.encode(refused.batch)
    first, second = source.faults.take()
    assert "gone" in first
    assert "no?text" in second


def test_many_files_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    for at in range(MOST_A_LOOK + 5):
        (tmp_path / f"{at:03}").write_text(f"{61010 + at} 1.5\n")
    source = looking(tmp_path, "AUS")
    assert [len(glance(source)) for _ in range(4)] == [0, MOST_A_LOOK, 5, 0]


def test_a_bulletin_that_no_entry_can_carry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "series").write_text("61010 1.5\n")
    source = looking(tmp_path, "K" * 101)
    assert glance(source) == []
    [refused] = glance(source)
    assert refused.type == REFUSAL
    assert "no place in an entry" in refused.batch["why"]
    assert "laboratory" in source.faults.take()[0]


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
