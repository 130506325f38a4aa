"""Go's sumdb packages judge our proofs of served time: the genuine file passes, one flipped bit does not."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from bench.gochecker import GOPATH, MISSING, can_build
from proofs import LEAPS, build_life, utc

from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.station.proving.making import make_proof
from timeball.station.proving.source import FolderSource

SEED = 20261122
SOURCE = Path(__file__).parent / "proofcheck" / "main.go"
pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def proofcheck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built offline."""
    if not can_build():
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("proofcheck")
    offline = {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    command = ["go", "build", "-o", str(folder / "proofcheck"), str(SOURCE)]
    subprocess.run(command, env=os.environ | offline, check=True, cwd=folder)
    return folder / "proofcheck"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_life(tmp_path_factory.mktemp("life"))


def judge(program: Path, state: Path, file: Path) -> dict[str, object]:
    key = (state / "ledger/log.vkey").read_text().strip()
    done = subprocess.run(
        [str(program), "-log", key, str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    said: dict[str, object] = json.loads(done.stdout)
    assert done.returncode == (1 if "error" in said else 0)
    return said


def test_a_genuine_proof_passes_with_all_its_entries(proofcheck: Path, state: Path, tmp_path: Path) -> None:
    made = make_proof(FolderSource(state), utc(100.0), LEAPS)
    file = tmp_path / "x.tlog-proof"
    file.write_bytes(made.data)
    said = judge(proofcheck, state, file)
    assert said["entries"] == [one.role for one in made.verified.extra.entries]
    assert (said["index"], said["size"]) == (made.verified.proof.index, made.verified.head.checkpoint.size)


def test_a_cosigned_proof_passes_too(proofcheck: Path, state: Path, tmp_path: Path) -> None:
    note = (state / "ledger/checkpoint").read_bytes()
    text = note.decode().split("\n\n")[0] + "\n"
    witnesses = [make_cosigner("a.test", bytes([1] * 32)), make_cosigner("b.test", bytes([2] * 32), "ml-dsa-44")]
    kept = add_cosignatures(note, [cosign(text, one, 1_800_000_000) for one in witnesses])
    file = tmp_path / "x.tlog-proof"
    file.write_bytes(make_proof(FolderSource(state), utc(100.0), LEAPS, kept=kept).data)
    assert "error" not in judge(proofcheck, state, file)


def test_one_flipped_bit_does_not_pass(proofcheck: Path, state: Path, tmp_path: Path) -> None:
    """In the lines of the proof, the checkpoint, and what the entries in the extra data are proven by."""
    print(f"seed: {SEED}")
    dice = random.Random(SEED)
    genuine = make_proof(FolderSource(state), utc(100.0), LEAPS).data
    file = tmp_path / "x.tlog-proof"
    begin = genuine.index(b"\nindex ")
    for place in [*range(0, 22, 5), *(dice.randrange(begin, len(genuine)) for _ in range(60))]:
        forged = bytearray(genuine)
        forged[place] ^= 1 << dice.randrange(8)
        file.write_bytes(forged)
        assert "error" in judge(proofcheck, state, file), place
