"""A ledger of 100 000 entries, cosigned by witnesses, for verifiers that nobody here wrote; and how to run them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench.gochecker import MISSING, build_checker, can_build

from timeball.ledger.cosignature import CosignerKey, add_cosignatures, cosign, make_cosigner
from timeball.ledger.note import make_signer, parse_note
from timeball.station.recording.store import NewEntry, Store

ENTRIES = 100_000
GROWTH = (1, 255, 256, 300, 65_536, 70_000, ENTRIES)
NOW_S = 1_800_000_000
LOG = make_signer("timeball.test/outside", bytes(range(32)))
COSIGNERS = [make_cosigner(f"witness{number}.test", bytes([number]) * 32) for number in (1, 2, 3)]
QUANTUM = make_cosigner("witness4.test", bytes([4]) * 32, "ml-dsa-44")


@dataclass(frozen=True)
class OutsideLog:
    """`folder` holds checkpoint and tiles; `heads` are the signed heads it had on its way, by size."""

    folder: Path
    vkey: str
    witnesses: list[CosignerKey]
    heads: dict[int, Path]

    @contextmanager
    def flipped(self, path: str, position: int, bit: int) -> Iterator[None]:
        """One bit of one file turned over."""
        file = self.folder / path
        genuine = file.read_bytes()
        forged = bytearray(genuine)
        forged[position % len(forged)] ^= 1 << bit
        file.write_bytes(forged)
        try:
            yield
        finally:
            file.write_bytes(genuine)

    def places(self, step: int) -> list[int]:
        """Places in the checkpoint as far as Ed25519 signed it, without those where base64 has bits to spare.

        The last digit of a signature line has some: Go reads other digits there for the same bytes.
        """
        data = (self.folder / "checkpoint").read_bytes()
        signed = data.index("\u2014 witness4.test".encode())
        return [place for place in range(0, signed, step) if data[place + 1] not in b"=\n" or data[place] in b"=\n"]


@pytest.fixture(scope="session")
def outside_log(tmp_path_factory: pytest.TempPathFactory) -> OutsideLog:
    """Written by the recorder's own store, head by head."""
    state = tmp_path_factory.mktemp("outside")
    heads = {}
    with Store(state, signer=LOG) as store:
        begun = 0
        for size in GROWTH:
            payloads = ((number, b'{"n":%d}' % number) for number in range(begun, size))
            entries = [NewEntry("outside", number + 1, "reading", 1, payload) for number, payload in payloads]
            store.append_many(entries, NOW_S * 10**9 + begun)
            store.integrate()
            heads[size] = Path(shutil.copy(state / "ledger" / "checkpoint", state / f"head.{size}"))
            begun = size
    checkpoint = state / "ledger" / "checkpoint"
    text = parse_note(checkpoint.read_bytes()).text
    lines = [cosign(text, cosigner, NOW_S + number) for number, cosigner in enumerate([*COSIGNERS, QUANTUM])]
    checkpoint.write_bytes(add_cosignatures(checkpoint.read_bytes(), lines))
    return OutsideLog(state / "ledger", LOG.verifier.vkey, [each.verifier for each in COSIGNERS], heads)


@pytest.fixture(scope="session")
def ledgercheck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's checker, built offline."""
    if not can_build():
        pytest.skip(MISSING)
    return build_checker(tmp_path_factory.mktemp("ledgercheck"))


@pytest.fixture(scope="session")
def aics_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has aics-tlog, in an environment of its own."""
    found = newer_python()
    if found is None:
        pytest.skip("no Python 3.12 here: aics-tlog cannot run")
    folder = tmp_path_factory.mktemp("aics")
    subprocess.run([found, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    lock = Path(__file__).parent / "requirements-312.lock"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install", "--require-hashes", "-r", lock]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"aics-tlog could not be installed: {done.stderr.strip()[-200:]}")
    return python


def newer_python() -> str | None:
    """A Python of at least 3.12, on PATH or among pyenv's versions."""
    candidates: list[str] = []
    for minor in (12, 13, 14):
        versions = sorted(Path.home().glob(f".pyenv/versions/3.{minor}*/bin/python3.{minor}"))
        candidates += [shutil.which(f"python3.{minor}") or "", *map(str, versions)]
    probe = "import sys, venv; sys.exit(sys.version_info < (3, 12))"
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", probe], capture_output=True, check=False).returncode == 0:
            return candidate
    return None
