"""Proofs made over HTTP from a served ledger, honest or not, and from one whose old payloads lie in cold storage."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from proofs import LEAPS, T0, S, build_life, utc
from served import files_served, published, timeball_serves

from timeball.ledger.errors import LedgerError
from timeball.station.proving.errors import UnreachableError
from timeball.station.proving.making import make_proof
from timeball.station.proving.source import FolderSource, WebSource
from timeball.station.recording.store import NewEntry, Store

SEED = 20261122
pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_life(tmp_path_factory.mktemp("life"))


def test_a_customer_makes_the_same_file_over_http(state: Path) -> None:
    with timeball_serves(state) as url:
        made = make_proof(WebSource(url), utc(30.0), LEAPS)
    assert made.data == make_proof(FolderSource(state), utc(30.0), LEAPS).data
    with pytest.raises(UnreachableError):
        make_proof(WebSource(url, timeout_s=5.0), utc(30.0), LEAPS)
    with pytest.raises(UnreachableError):
        WebSource("ftp://127.0.0.1/ledger")


def test_payloads_that_are_withheld_are_said_to_be(state: Path, tmp_path: Path) -> None:
    """A static server without the payloads: nothing to prove with, and a typed error."""
    folder = published(state, tmp_path / "log")
    hidden = files_served(folder, lambda path, data: None if path.startswith("payloads") else data)
    with hidden as url, pytest.raises(LedgerError, match="no payloads here"):
        make_proof(WebSource(url), utc(30.0), LEAPS)


def test_a_server_that_lies_gets_no_other_proof_out(state: Path, tmp_path: Path) -> None:
    """One bit of any file that it gives out, or no file: refused, or a file equal to the honest one."""
    print(f"seed: {SEED}")
    dice = random.Random(SEED)
    folder = published(state, tmp_path / "log")
    honest = make_proof(FolderSource(state), utc(30.0), LEAPS).data
    key = (state / "ledger/log.vkey").read_text().strip()
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    lie: dict[str, float] = {}

    def alter(path: str, data: bytes) -> bytes | None:
        place = lie.get(path, 0.0)
        if place < 0:
            return None
        bad = bytearray(data)
        if path in lie:
            bad[int(place * len(bad))] ^= 1 << dice.randrange(8)
        return bytes(bad)

    refused = 0
    with files_served(folder, alter) as url:
        for number in range(90):
            victim = paths[number % len(paths)]
            lie = {victim: dice.random() if number < 75 else -1.0}
            try:
                made = make_proof(WebSource(url), utc(30.0), LEAPS, vkey=key)
            except (LedgerError, UnreachableError):
                refused += 1
            else:
                assert made.data == honest, victim
        lie = {}
        assert make_proof(WebSource(url), utc(30.0), LEAPS, vkey=key).data == honest
    assert refused > 25


def test_payloads_in_cold_storage(tmp_path: Path) -> None:
    """Archived to Parquet and gone from beside the ledger: the same file."""
    pytest.importorskip("pyarrow", reason="the extra `history` is not installed")
    from timeball.station.keeping.retention import archive_state

    state = build_life(tmp_path / "state")
    with Store(state) as store:
        # one whole bundle, so that there is something to archive
        fill = [NewEntry("filler", n, "actuation", 1, b"{}") for n in range(1, 300)]
        store.append_many(fill, T0 + 3600 * S)
        store.integrate()
    honest = make_proof(FolderSource(state), utc(30.0), LEAPS).data
    done = archive_state(state, tmp_path / "cold", datetime.fromtimestamp(2_000_000_000, UTC), lambda *_: None)
    assert done is not None
    assert not (state / "payloads/000").exists()
    assert make_proof(FolderSource(state), utc(30.0), LEAPS).data == honest
