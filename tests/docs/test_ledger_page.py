"""The verifier printed in docs/ledger.md verifies a ledger recorded here, and sees what was altered: it is enough."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from timeball.ledger import canonical
from timeball.ledger.entry import Envelope
from timeball.station.recording.store import NewEntry, Store

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"


@pytest.fixture
def verifier(tmp_path: Path) -> Path:
    program = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert program
    assert "timeball" not in program[1], "it must stand on its own"
    path = tmp_path / "verifier.py"
    path.write_text(program[1])
    return path


def run(verifier: Path, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(verifier), str(state)], capture_output=True, text=True)


def test_the_verifier_on_the_page(verifier: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Store(state) as store:
        entries = [
            NewEntry("collector", n, "readings", 1, canonical.encode({"n": n, "x_fs": str(n)})) for n in range(1, 701)
        ]
        store.append_many(entries, 1)
        store.erase(5)
    good = run(verifier, state)
    assert good.stdout == "700 entries of timeball.example/tb verify\n", good.stderr
    for name in ("ledger/checkpoint", "ledger/tile/entries/001", "payloads/001", "payloads/000"):
        content = (state / name).read_bytes()
        spoiled = bytearray(content)
        spoiled[60] ^= 1
        (state / name).write_bytes(spoiled)
        assert run(verifier, state).returncode != 0, name
        (state / name).write_bytes(content)
    assert run(verifier, state).returncode == 0


def test_every_member_of_the_envelope_is_on_the_page() -> None:
    table = PAGE.read_text().split("## Entries")[1].split("## Payloads")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == sorted(Envelope.__struct_fields__)
