"""`timeball convert` of CGGTTS files: written anew, and from one version to another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tracks import a_file, track

from timeball.cli.root import root

OLD = a_file("01", track(" 12"), track("  8"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(root, ["convert", *map(str, arguments)])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "GMTB0160.000"
    file.write_bytes(OLD)
    return file


def test_a_file_is_written_anew_without_its_bad_line(old: Path, tmp_path: Path) -> None:
    old.write_bytes(OLD.replace(b"  8 FF", b"  8 FE"))
    out = tmp_path / "new"
    done = run(old, out, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["from"], report["to"], report["rejected"], report["same"]) == ("cggtts", "cggtts", 1, True)
    assert out.read_bytes() == a_file("01", track(" 12"))


def test_a_header_with_a_wrong_checksum_is_no_line_left_out(old: Path, tmp_path: Path) -> None:
    old.write_bytes(OLD.replace(b"CKSUM = ", b"CKSUM = 0"))
    done = run(old, tmp_path / "new", "--json")
    assert json.loads(done.stdout)["rejected"] == 0
    assert "note: " in done.stderr
    assert "left out" not in done.stderr
    assert (tmp_path / "new").read_bytes() == OLD


def test_from_version_1_to_2e_and_back(old: Path, tmp_path: Path) -> None:
    new, back = tmp_path / "new", tmp_path / "back"
    done = run(old, new, "--cggtts", "2E", "--code", "L1C")
    assert done.exit_code == 0, done.output
    assert b"\nG12 FF 60000" in new.read_bytes()
    assert b"L1C" in new.read_bytes()
    assert run(new, back, "--cggtts", "01").exit_code == 0
    assert back.read_bytes().splitlines()[19:] == OLD.splitlines()[19:]


def test_a_code_that_nobody_gave_is_asked_for(old: Path, tmp_path: Path) -> None:
    done = run(old, tmp_path / "new", "--cggtts", "2E")
    assert done.exit_code == 1
    assert "names the code of each track: give it" in done.output
    assert not (tmp_path / "new").exists()


def test_other_files_have_no_version_of_cggtts(tmp_path: Path) -> None:
    (tmp_path / "phase.txt").write_bytes(b"1e-9\n2e-9\n3e-9\n")
    done = run(tmp_path / "phase.txt", tmp_path / "new.dat", "--cggtts", "2E")
    assert (done.exit_code, "are for files of CGGTTS" in done.output) == (1, True)
