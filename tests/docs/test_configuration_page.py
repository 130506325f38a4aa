"""docs/configuration.md lists every setting with its type, default and meaning, and no other."""

from __future__ import annotations

from pathlib import Path

from timeball.station.configuration.configdoc import describe

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def rows() -> dict[str, tuple[str, str, str]]:
    """The rows of every table of settings by key path."""
    found = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            path, kind, default, meaning = (cell.strip() for cell in line.strip("|").split(" | "))
            found[path.strip("` ")] = (kind, default.strip("`"), meaning.replace("\\|", "|"))
    return found


def test_the_page_and_the_structs_say_the_same() -> None:
    assert rows() == {row.path: (row.type, row.default, row.meaning) for row in describe()}
