"""What must not stand in the repository: unfinished work, names of machines, paths of somebody's computer."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SELF = Path(__file__).name
# Written in two halves so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
PATHS = re.compile(r"(?<![\w.$-])/(?:home|root|Users|work|mnt)/\w")
INDEX = re.compile(r"--(?:extra-)?index-url|^-i ", re.MULTILINE)
# Hosts that are named for a reason: reserved names, this computer, and standards that are cited.
ALLOWED = re.compile(
    r"(?:^|\.)(?:example|invalid|test|localhost|local)$|^(?:127\.|0\.0\.0\.0|\[?::1?\]?|localhost)"
    r"|^(?:c2sp\.org|www\.w3\.org|docs\.python\.org|si-digital-framework\.org)$"
)
HOST = re.compile(r"\b(?:https?|ftp|git|ssh)://([^\s/\"'`)>\]}:]+)")


def tracked() -> list[Path]:
    """Files of the repository; where there is no git, all files outside of what setup makes."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split("\0") if name]
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not {".venv", "build"} & set(path.parts)]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path, path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        if path.name not in (SELF, "LICENSE")
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_to_do() -> None:
    assert lines_with(UNFINISHED) == []


def test_no_path_of_anybodys_computer() -> None:
    assert lines_with(PATHS) == []


def test_no_index_is_named() -> None:
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) == 3
    for path in locks:
        assert not INDEX.search(path.read_text(encoding="utf-8")), path.name
        assert "://" not in path.read_text(encoding="utf-8"), path.name


def test_no_host_is_named() -> None:
    found = []
    for path, text in texts():
        if path.name in (SELF, "LICENSE"):
            continue
        for host in HOST.findall(text):
            plain = host.rpartition("@")[2].rstrip(".,;")
            if re.fullmatch(r"[\w.:\[\]-]+", plain) and "." in plain and not ALLOWED.search(plain):
                found.append(f"{path.relative_to(ROOT)}: {plain}")
    assert found == []


def test_the_patterns_find_what_they_look_for() -> None:
    assert UNFINISHED.search("# TO" + "DO: later")
    assert PATHS.search("open('/home/" + "me/x')")
    assert HOST.findall("see https://pypi.org/simple") == ["pypi.org"]
    assert not ALLOWED.search("pypi.org")
    assert ALLOWED.search("time.lab.example")


def modules() -> list[Path]:
    return sorted((ROOT / "src" / "timeball").rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_module_says_what_it_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text.strip() or path.name != "__init__.py":
        docstring = ast.get_docstring(ast.parse(text)) or ""
        assert len(docstring) > 20, "no module docstring"
