"""Go's sumdb packages judge our ledger and Tessera's: all that is genuine passes, one flipped bit anywhere does not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from bench.gochecker import CheckerError, run_checker

from timeball.ledger.checkpoint import parse_checkpoint_text
from timeball.ledger.cosignature import make_cosigner
from timeball.ledger.note import parse_note

TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
SEED = 20261122
pytestmark = pytest.mark.system


def options(name: str, values: Iterable[object]) -> list[str]:
    return [item for value in values for item in (f"-{name}", str(value))]


def witnesses(log) -> list[str]:
    return options("witness", [key.vkey for key in log.witnesses])


def test_our_ledger_is_whole(ledgercheck: Path, outside_log) -> None:
    entries = [0, 255, 256, 65_535, 65_536, 69_999, 99_999]
    asked = [*witnesses(outside_log), *options("entry", entries), *options("old", outside_log.heads.values()), "-all"]
    said = run_checker(ledgercheck, outside_log.folder, outside_log.vkey, asked)
    assert (said["origin"], said["size"], said["verified"]) == ("timeball.test/outside", 100_000, 100_000)
    assert said["included"] == entries
    assert said["consistent"] == list(outside_log.heads)
    assert said["cosigned"] == {f"witness{number + 1}.test": 1_800_000_000 + number for number in range(3)}


def test_tesseras_log_is_whole(ledgercheck: Path, shared: Callable[[str], Path]) -> None:
    folder = shared("ledger/tessera_testlog/testdata/log")
    heads = [folder / f"checkpoint.{size}" for size in range(1, 16)]
    asked = [*options("entry", range(15)), *options("old", heads), "-all"]
    said = run_checker(ledgercheck, folder, TESSERA, asked)
    assert (said["size"], said["verified"], said["consistent"]) == (15, 15, list(range(1, 16)))


FILES = [
    "tile/entries/000",
    "tile/entries/123",
    "tile/entries/390.p/160",
    "tile/0/000",
    "tile/0/390.p/160",
    "tile/1/000",
    "tile/1/001.p/134",
    "tile/2/000.p/1",
]


@pytest.mark.parametrize("path", FILES)
def test_one_flipped_bit_of_a_file(ledgercheck: Path, outside_log, path: str) -> None:
    dice = random.Random(f"{SEED} {path}")
    print(f"seed: {SEED} {path}")
    assert (outside_log.folder / path).is_file()
    for _ in range(3):
        with (
            outside_log.flipped(path, dice.randrange(1 << 20), dice.randrange(8)),
            pytest.raises(CheckerError),
        ):
            run_checker(ledgercheck, outside_log.folder, outside_log.vkey, ["-all"])


def test_one_flipped_bit_in_the_way_of_one_proof(ledgercheck: Path, outside_log) -> None:
    entry = options("entry", [123 * 256])
    assert run_checker(ledgercheck, outside_log.folder, outside_log.vkey, entry)["included"] == [123 * 256]
    # the entry itself, its sibling in its tile, and a node that its tile's root is hashed with
    for path, position in (("tile/entries/123", 3), ("tile/0/123", 32), ("tile/1/000", 32 * 122)):
        with outside_log.flipped(path, position, 0), pytest.raises(CheckerError):
            run_checker(ledgercheck, outside_log.folder, outside_log.vkey, entry)


def test_one_flipped_bit_of_the_checkpoint_or_a_cosignature(ledgercheck: Path, outside_log) -> None:
    dice = random.Random(SEED)
    print(f"seed: {SEED}")
    for place in outside_log.places(9):
        with outside_log.flipped("checkpoint", place, dice.randrange(8)), pytest.raises(CheckerError):
            run_checker(ledgercheck, outside_log.folder, outside_log.vkey, witnesses(outside_log))


def test_a_witness_that_did_not_cosign_is_missed(ledgercheck: Path, outside_log) -> None:
    absent = make_cosigner("absent.test", bytes(32)).verifier.vkey
    with pytest.raises(CheckerError, match=r"not cosigned by absent\.test"):
        run_checker(ledgercheck, outside_log.folder, outside_log.vkey, options("witness", [absent]))


def test_a_head_of_another_history_is_refused(ledgercheck: Path, outside_log) -> None:
    head = parse_checkpoint_text(parse_note(outside_log.heads[300].read_bytes()).text)
    root = head.text.split("\n")[2]
    genuine = options("old", [f"300:{root}"])
    assert run_checker(ledgercheck, outside_log.folder, outside_log.vkey, genuine)["consistent"] == [300]
    for forged in (f"299:{root}", f"301:{root}", f"100001:{root}"):
        with pytest.raises(CheckerError):
            run_checker(ledgercheck, outside_log.folder, outside_log.vkey, options("old", [forged]))
