"""docs/formats/served-time.md is the format: its tables are the code's, and the program on it verifies a real proof."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from proofs import LEAPS, build_life, utc

from timeball.station.proving.extra import Extra
from timeball.station.proving.making import Made, make_proof
from timeball.station.proving.roles import APPROVAL, ROLES
from timeball.station.proving.source import FolderSource

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats" / "served-time.md"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_life(tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="module")
def made(life: Path) -> Made:
    return make_proof(FolderSource(life), utc(30.0), LEAPS)


def section(title: str) -> str:
    return PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in re.findall(r"^\|.*\|$", text, re.M)
    ]


def test_the_members_of_the_extra_data() -> None:
    table = rows(section("The extra data").split("An entry has")[0])
    assert [name for row in table for name in re.findall(r"`(\w+)`", row[0])] == [
        field.name for field in msgspec.structs.fields(Extra)
    ]


def test_the_roles() -> None:
    table = rows(section("The extra data").split("| role |")[1].join(["| role |", ""]))[2:]
    found = {row[0].strip("`"): (row[1].strip("`"), row[2].strip("`")) for row in table}
    assert found == {name: (role.by or "any", role.type or "any") for name, role in ROLES.items()}


def test_the_members_of_the_statement(made: Made) -> None:
    cells = [row[0] for row in rows(section("The statement"))[2:]]
    named = {name for cell in cells for name in re.findall(r"`(\w{2,})`", cell)}
    by_role = {role.replace("-", "_") for role in ROLES if role != APPROVAL}
    assert named | by_role == set(made.verified.statement)


def test_the_program_on_the_page(life: Path, made: Made, tmp_path: Path) -> None:
    program = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert program
    assert "timeball" not in program[1], "it must stand on its own"
    script, file = tmp_path / "check.py", tmp_path / "x.tlog-proof"
    script.write_text(program[1])

    def run(data: bytes) -> subprocess.CompletedProcess[str]:
        file.write_bytes(data)
        key = (life / "ledger/log.vkey").read_text()
        return subprocess.run([sys.executable, str(script), str(file), key], capture_output=True, text=True, timeout=60)

    good = run(made.data)
    assert good.returncode == 0, good.stderr
    assert [line.split()[1] for line in good.stdout.splitlines()] == [one.role for one in made.verified.extra.entries]
    for mark in (b"\nindex ", b"\n\n"):
        bad = bytearray(made.data)
        bad[bad.index(mark) + len(mark) + 30] ^= 1
        assert run(bytes(bad)).returncode != 0
