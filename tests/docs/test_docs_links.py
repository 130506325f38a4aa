"""Links between pages resolve, files and tests that the pages name exist, and every decision is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# The lead image of the README is a picture of a running station, not of this tree; it is checked like any other link.
SOURCE = re.compile(r"`((?:src/timeball/)?[a-z_]+(?:/[a-z_0-9]+)*/(?:[a-z_0-9]+\.py)?)`")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """GitHub's anchors of the headings: lower case, punctuation gone, blanks as hyphens."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title)).strip().lower().replace(" ", "-") for title in titles}


def broken(path: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere; links out of the repository are not followed."""
    faults = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        there = target.is_relative_to(ROOT) and target.exists()
        if not there or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            faults.append(link)
    return faults


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_resolve(path: Path) -> None:
    assert broken(path, path.read_text(encoding="utf-8")) == []


def test_the_check_can_fail() -> None:
    assert broken(
        ROOT / "README.md", "[a](docs/no-such.md) [b](README.md#no-such) [c](#two-commands) [d](https://x)"
    ) == [
        "docs/no-such.md",
        "README.md#no-such",
    ]


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_sources_named_in_prose_exist(path: Path) -> None:
    for name in SOURCE.findall(path.read_text(encoding="utf-8")):
        if name.split("/")[0] in ("src", "tests", "bench", "fuzz", "docs"):
            assert (ROOT / name).exists(), name
        elif (ROOT / "src" / "timeball" / name.split("/")[0]).is_dir():
            assert (ROOT / "src" / "timeball" / name).exists(), name


def test_tests_named_as_proof_exist() -> None:
    named = [found for path in PAGES for found in TEST.findall(path.read_text(encoding="utf-8"))]
    assert len(named) > 15
    for file, function in named:
        assert re.search(rf"^def {function}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), function


def test_test_files_named_in_pages_exist() -> None:
    for path in PAGES:
        for name in re.findall(r"`(tests/[\w/*]+(?:\.py)?)`", path.read_text(encoding="utf-8")):
            assert list(ROOT.glob(name.rstrip("/"))), f"{path.name}: {name}"


def test_every_decision_is_listed_with_its_title() -> None:
    folder = ROOT / "docs" / "adr"
    listed = dict(re.findall(r"^\| \[(.*)\]\((.*?)\) \|", (folder / "README.md").read_text("utf-8"), re.MULTILINE))
    found = {}
    for path in sorted(folder.glob("[0-9]*.md")):
        first, *rest = path.read_text(encoding="utf-8").splitlines()
        found[first.removeprefix("# ")] = path.name
        assert first.startswith(f"# {path.name[:4]} ")
        assert any(line.startswith("Status: ") for line in rest), path.name
        assert [line for line in rest if line.startswith("## ")] == ["## Context", "## Decision", "## Consequences"]
    assert listed == found


def test_every_page_is_reachable_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md", ROOT / "docs" / "architecture.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        if path.is_dir():
            waiting += path.glob("*.md")
        elif path.suffix == ".md":
            links = [link.partition("#")[0] for link in LINK.findall(path.read_text(encoding="utf-8"))]
            waiting += [(path.parent / link).resolve() for link in links if link and ":" not in link]
    assert {page_id(path) for path in PAGES} - {page_id(path) for path in seen} <= {"CHANGELOG.md"}
