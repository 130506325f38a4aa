"""`timeball convert`: from what to what, what is said of it, and files that nobody should be able to hang it with."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from timeball.cli import reading
from timeball.cli.convert import READ, WRITTEN
from timeball.cli.root import root
from timeball.formats import KINDS, compression, parse, write_columns, write_rinex_clock
from timeball.formats.columns import reader
from timeball.readings import Readings

START_NS = 1_700_000_037 * 10**9
NAMES = ("AMC", "GPS")
PAIR = Readings.from_columns(NAMES, [START_NS, START_NS + 10**9], [0, 0], [1, 1], [1e-9, -2e-9])
TABLE = b"# Sigma Type: Allan\n    1   1.0000e+00   556988     2   3.3128e-10    3.3171e-10     3.3215e-10\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(root, ["convert", *map(str, arguments)])


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    file = tmp_path / "pair.txt"
    file.write_bytes(write_columns(PAIR))
    return file


@pytest.mark.parametrize("to", ["columns", "stable32", "tempo2", "rinex-clock"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_pair_goes_to_every_format_that_can_hold_it_and_back(pair: Path, to: str, suffix: str) -> None:
    out = pair.parent / f"out{suffix}"
    done = run(pair, out, "--to", to, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["from"], report["to"], report["readings"]) == ("columns", to, 2)
    assert (report["same"], report["largest_difference_s"], report["lost"]) == (True, 0.0, "")
    assert (report["clocks"], report["first_epoch"]) == ([*NAMES], str(START_NS))
    assert out.stat().st_size == report["bytes"]
    back = pair.parent / "back.txt"
    assert run(out, back).exit_code == 0
    assert parse(back.read_bytes(), "back").readings.equals(PAIR)


def test_what_has_no_room_is_said(pair: Path) -> None:
    u = Readings.from_columns(NAMES, PAIR.epoch, PAIR.a, PAIR.b, [1 / 3e8, 1e-9], [1e-10, 1e-10])
    pair.write_bytes(write_columns(u))
    assert "not in the new file: uncertainties" in run(pair, pair.parent / "a.dat").stdout
    told = json.loads(run(pair, pair.parent / "a.clk", "--to", "rinex-clock", "--json").stdout)
    assert told["same"] is False
    assert 0 < told["largest_difference_s"] < 1e-20
    assert told["lost"] == "digits beyond the thirteenth"


def test_one_clock_is_chosen_and_turned(tmp_path: Path) -> None:
    names = ("A", "B", "GPST(X)")
    three = Readings.from_columns(names, [START_NS] * 2, [0, 1], [2, 2], [1e-9, 2e-9])
    source = tmp_path / "three.clk"
    source.write_bytes(write_rinex_clock(three))
    out = tmp_path / "out.txt"
    refused = run(source, out)
    assert refused.exit_code == 1
    assert "of 2: choose one with --clock" in refused.stderr
    assert not list(tmp_path.glob("*.part"))
    assert run(source, out, "--clock", "GPST(X)", "--against", "B").exit_code == 0
    readings = parse(out.read_bytes(), "out").readings
    assert (readings.clocks, readings.x.tolist()) == (("GPST(X)", "B"), [-2e-9])
    unknown = run(source, tmp_path / "more.txt", "--clock", "C")
    assert (unknown.exit_code, "no such clock" in unknown.stderr) == (1, True)


def test_a_table_of_deviations_is_written_anew_and_never_as_readings(tmp_path: Path) -> None:
    source = tmp_path / "a.tau"
    source.write_bytes(TABLE)
    done = run(source, tmp_path / "b.tau", "--json")
    assert json.loads(done.stdout)["same"] is True
    refused = run(source, tmp_path / "b.txt")
    assert (refused.exit_code, "only its own format: --to stable32-tau" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "cggtts"), "cannot be made from plain columns"),
        (("--clock", "NONE"), "no such clock"),
        (("--kind", "frequency", "--tau0", "-1"), "tau0_s '-1.0'"),
        (("--from", "chrony-tracking"), "no line of chronyd's tracking"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(pair: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run(pair, pair.parent / "out.txt", *arguments)
    assert done.exit_code == 1
    assert words in done.stderr
    assert not (pair.parent / "out.txt").exists()


def test_a_file_that_is_there_stays_unless_forced(pair: Path) -> None:
    before = pair.read_bytes()
    refused = run(pair, pair)
    assert (refused.exit_code, pair.read_bytes()) == (1, before)
    assert "--force" in refused.stderr
    assert run(pair, pair, "--force", "--tags", "seconds").exit_code == 0
    assert b"time = seconds" in pair.read_bytes()


def test_a_name_that_says_no_format_asks_for_one(tmp_path: Path) -> None:
    log = tmp_path / "loopstats"
    log.write_text("50935 75440.031 0.000006019 13.778190 0.000351733 0.013380 6\n")
    done = run(log, tmp_path / "out.clk")
    assert (done.exit_code, "say with --to" in done.stderr) == (1, True)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"nobody has seen this\n" * 9, b"\x00" * 5000])
def test_a_file_of_no_known_kind(tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "unknown"
    source.write_bytes(data)
    done = run(source, tmp_path / "out.txt")
    assert done.exit_code == 1
    assert "none of the formats known: RINEX clock" in done.stderr


@pytest.mark.parametrize(("data", "said"), [
    (b"", "an empty file"), (b"\n \r\n", "an empty file"), (b" " * 40_000 + b"1.0\n", "blanks alone at its beginning"),
])  # fmt: skip
def test_a_file_without_anything(tmp_path: Path, data: bytes, said: str) -> None:
    source = tmp_path / "nothing"
    source.write_bytes(data)
    done = run(source, tmp_path / "out.txt")
    assert (done.exit_code, done.stderr) == (1, f"Error: {source}: file '': {said}\n")


def test_a_long_file_is_read_piece_by_piece_and_gives_the_same(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.write_bytes(b"# unit = ns\n" + b"".join(b"%d.25\n" % k for k in range(4_000)))
    assert run(pair, pair.parent / "once.txt").exit_code == 0
    monkeypatch.setattr(reading, "HELD_BYTES", 1 << 12)
    monkeypatch.setattr(reading, "PIECE_BYTES", 1 << 10)
    monkeypatch.setattr(compression, "MAX_PLAIN_BYTES", 1 << 12)
    assert run(pair, pair.parent / "pieces.txt").exit_code == 0
    assert (pair.parent / "pieces.txt").read_bytes() == (pair.parent / "once.txt").read_bytes()


def test_a_long_file_of_another_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HELD_BYTES", 1 << 12)
    monkeypatch.setattr(compression, "MAX_PLAIN_BYTES", 1 << 20)
    source = tmp_path / "long.clk"
    source.write_bytes(
        write_rinex_clock(Readings.from_columns(("A", "B"), [START_NS], [0], [1], [1.0])) + b" " * (1 << 21)
    )
    done = run(source, tmp_path / "out.txt")
    assert done.exit_code == 1
    assert "2 MiB of RINEX clock (2 to 3.04), more than the 1 MiB that are read at once: cut it" in done.stderr


def test_a_device_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_PLAIN_BYTES", 1 << 20)
    done = run("/dev/zero", tmp_path / "out.txt", "--from", "columns")
    assert done.exit_code == 1
    assert "more than the 1 MiB that are read at once" in done.stderr


def test_a_bomb_of_gzip_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "bomb.gz"
    source.write_bytes(gzip.compress(bytes(1 << 24), 1) * 17)  # 272 MiB in a megabyte
    done = run(source, tmp_path / "out.txt", "--from", "columns")
    assert done.exit_code == 1
    assert "inflates to more than 268435456 bytes" in done.stderr


def test_a_file_that_cannot_be_read_or_written(pair: Path) -> None:
    missing = run(pair.parent / "none", pair.parent / "out.txt")
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (1, True)
    nowhere = run(pair, pair.parent / "no" / "out.txt")
    assert (nowhere.exit_code, "cannot be written" in nowhere.stderr) == (1, True)


def test_the_choices_are_the_table() -> None:
    assert set(WRITTEN) == {kind.key for kind in KINDS.values() if kind.write or kind.rewrite}
    assert set(READ) == {kind.key for kind in KINDS.values() if kind.read}


def test_samples_beyond_the_bound_are_refused(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_SAMPLES", 1)
    done = run(pair, pair.parent / "out.txt")
    assert (done.exit_code, "more than 1 samples" in done.stderr) == (1, True)
