"""The log that Tessera wrote (transparency-dev/tessera, Apache-2.0): its heads, entries and partial tiles verify."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from timeball.cli.verify import command
from timeball.ledger.checkpoint import open_checkpoint
from timeball.ledger.errors import EvidenceError, LedgerError
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import make_consistency_proof, verify_consistency
from timeball.ledger.note import parse_vkey
from timeball.ledger.tiles import write_bundle
from timeball.station.recording.logfolder import LogFolder, verify_folder

VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
LOG = "ledger/tessera_testlog/testdata/log"
Shared = Callable[[str], Path]
pytestmark = pytest.mark.data


def test_the_command_verifies_it(shared: Shared) -> None:
    path = shared(LOG)
    outcome = CliRunner().invoke(command, [str(path), "--key", VKEY])
    assert outcome.exit_code == 0, outcome.output
    assert "15 entries of example.com/log/testdata" in outcome.output
    assert "foreign entries: tree only" in outcome.output
    assert CliRunner().invoke(command, [str(path)]).exit_code == 4  # it names no key itself


@pytest.mark.parametrize("size", range(16))
def test_each_head_is_extended_by_the_last(shared: Shared, size: int) -> None:
    folder = LogFolder.find(shared(LOG))
    assert folder is not None
    old = folder.log / f"checkpoint.{size}"
    report = verify_folder(folder, VKEY, old)
    older = open_checkpoint(old.read_bytes(), parse_vkey(VKEY))
    assert (report.head.size, older.size, report.files) == (15, size, 30)
    if size:
        log = TiledLog(folder.read, 15)
        proof = make_consistency_proof(size, 15, log.node)
        verify_consistency(size, 15, proof, older.root, report.head.root)


@pytest.mark.parametrize("size", range(1, 16))
def test_each_head_is_the_head_of_a_log_of_its_size(shared: Shared, tmp_path: Path, size: int) -> None:
    copy = tmp_path / "log"
    shutil.copytree(shared(LOG), copy, copy_function=shutil.copyfile)
    shutil.copyfile(copy / f"checkpoint.{size}", copy / "checkpoint")
    folder = LogFolder.find(copy)
    assert folder is not None
    assert verify_folder(folder, VKEY).head.size == size
    if size < 15:
        with pytest.raises(EvidenceError, match="rolled back"):
            verify_folder(folder, VKEY, copy / "checkpoint.15")


def test_our_bundles_are_theirs(shared: Shared) -> None:
    folder = LogFolder.find(shared(LOG))
    assert folder is not None
    entries = TiledLog(folder.read, 15).bundle(0)
    assert entries[:3] == [b"one", b"two", b"three"]
    for width in range(1, 16):
        assert write_bundle(entries[:width]) == folder.read(f"tile/entries/000.p/{width}")


def test_every_bit_counts(shared: Shared, tmp_path: Path) -> None:
    copy = tmp_path / "log"
    shutil.copytree(shared(LOG), copy, copy_function=shutil.copyfile)
    folder = LogFolder.find(copy)
    assert folder is not None
    for path in [copy / "checkpoint", *sorted((copy / "tile").rglob("*"))]:
        if path.is_dir():
            continue
        content = path.read_bytes()
        for position in range(0, len(content), 7):
            flipped = bytearray(content)
            flipped[position] ^= 1 << (position % 8)
            path.write_bytes(flipped)
            with pytest.raises(LedgerError):
                verify_folder(folder, VKEY)
        path.write_bytes(content)
    assert verify_folder(folder, VKEY).head.size == 15
