"""What an end of a link may be given as, how much of it is read, and what a link is written as."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tracks import a_file, track

from timeball.cli.inputs import report_defects
from timeball.cli.root import root
from timeball.cli.transfer_files import files_of
from timeball.formats import Defect
from timeball.formats.cggtts import is_cggtts

TRACKS = a_file("01", track(" 12"), track("  8"))
LAB = next(line for line in TRACKS.splitlines() if line.startswith(b"LAB = "))


def other_lab(lab: bytes) -> bytes:
    return TRACKS.replace(LAB, b"LAB = " + lab)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(root, ["transfer", *map(str, arguments)])


@pytest.fixture
def ends(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a.cctf", tmp_path / "b.cctf"
    a.write_bytes(TRACKS)
    b.write_bytes(other_lab(b"OTHER"))
    return a, b


def test_every_part_of_a_list_must_name_something(ends: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("common-view", f"{ends[0]},{tmp_path / 'typo'}", ends[1])
    assert done.exit_code == 1
    assert "typo: no such file or folder, and as a pattern it fits none" in done.stderr
    assert run("common-view", ",", ends[1]).stderr == "Error: ',' names no file\n"


def test_patterns_reach_over_folders_and_a_name_may_have_a_comma(tmp_path: Path) -> None:
    for day in ("1", "2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "x.cctf").write_bytes(TRACKS)
    named = tmp_path / "lab,1.cctf"
    named.write_bytes(TRACKS)
    found = files_of(str(tmp_path / "*" / "x.cctf"), is_cggtts, "CGGTTS file")
    assert found == [tmp_path / "1" / "x.cctf", tmp_path / "2" / "x.cctf"]
    assert files_of(str(tmp_path / "**" / "*.cctf"), is_cggtts, "CGGTTS file") == [*found, named]
    assert files_of(str(named), is_cggtts, "CGGTTS file") == [named]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
def test_a_pipe_is_read_like_a_file(ends: tuple[Path, Path], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(TRACKS,))
    writer.start()
    done = run("common-view", pipe, ends[1], "--json")
    writer.join()
    assert json.loads(done.stdout)["n"] == 2


def test_of_other_files_in_a_folder_the_beginning_is_read_and_of_long_ones_no_more_than_is_held(
    ends: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / "long"
    with long.open("wb") as file:
        file.truncate(1 << 33)  # nothing of it is on the disk
    done = run("common-view", tmp_path, ends[1], "--names", "A,B", "--json")
    assert json.loads(done.stdout)["n"] == 2
    assert "long is no CGGTTS file" in done.stderr
    monkeypatch.setattr("timeball.formats.compression.MAX_PLAIN_BYTES", 1 << 20)
    for command in (("common-view", long, ends[1]), ("two-way", long, ends[1]), ("broadcast", long, "--message", long)):
        done = run(*command)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "read at once: cut it into several files" in done.stderr


def test_files_of_two_laboratories_are_no_station(ends: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("common-view", tmp_path, ends[1])
    assert done.exit_code == 1
    assert "files of several laboratories, OTHER, " in done.stderr
    assert run("common-view", tmp_path, ends[1], "--names", "A,B").exit_code == 0


def test_a_link_of_too_few_epochs_says_so(ends: tuple[Path, Path]) -> None:
    done = run("common-view", *ends)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].endswith(" ns by common view: of too few epochs to say how well.")
    assert "nan" not in done.stdout


def test_a_link_goes_into_the_bipms_format_and_back(ends: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("link.tfex", "link.tfex.gz", "link.txt"):
        out = tmp_path / name
        done = run("common-view", *ends, "--names", "TB,OTHER", "--out", out, "--json")
        link = json.loads(done.stdout)["epochs"]
        copy = tmp_path / f"{name}.json"
        told = CliRunner().invoke(root, ["convert", str(out), str(copy), "--to", "columns", "--json"])
        assert json.loads(told.stdout)["from"] == ("columns" if name == "link.txt" else "tfex")
        rows = [line.split() for line in copy.read_text().splitlines() if not line.startswith("#")]
        assert [float(row[1]) for row in rows] == pytest.approx([each["x_s"] for each in link], abs=1e-15)
    assert '# COMMENT = "common view TB - OTHER; u: of scatter (k = 1)"' in (tmp_path / "link.tfex").read_text()
    assert run("common-view", *ends, "--out", tmp_path / "no" / "link.txt").exit_code == 1


def test_a_link_is_not_written_over_what_was_measured(ends: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("common-view", *ends, "--out", ends[0])
    assert (done.exit_code, ends[0].read_bytes()) == (1, TRACKS)
    assert "a.cctf: holds tracks or sessions, and is not written over" in done.stderr
    out = tmp_path / "link.txt"
    for _ in range(2):  # a link over a link is
        assert run("common-view", *ends, "--out", out).exit_code == 0


def test_defects_are_lines_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    bad = [Defect("a", line, "CK", "00", "wrong") for line in range(1, 14)]
    many = Defect("b", 14, "lines", "", "more of them", lines=100)
    notes = [Defect(name, 1, "CKSUM", "00", "used all the same", lines=0) for name in "abc"]
    report_defects([notes[0], *bad, many, *notes[1:], Defect("c", 2, "REV DATE", "", "none", lines=0)])
    told = capsys.readouterr().err.splitlines()
    assert told[9] == "left out: a:10: CK '00': wrong"
    assert told[10:] == [
        "left out: 103 more lines of 2 files",
        "note: a:1: CKSUM '00': used all the same; the same 2 times more",
        "note: c:2: REV DATE '': none",
    ]
    report_defects(notes[:2])
    assert capsys.readouterr().err.endswith("; the same once more\n")
    report_defects(notes[:1])
    assert capsys.readouterr().err == "note: a:1: CKSUM '00': used all the same\n"
