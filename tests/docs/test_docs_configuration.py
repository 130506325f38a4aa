"""docs/configuration.md says what the structs say; every TOML snippet in the pages is a configuration that works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from timeball.station.config import ConfigError, parse_config
from timeball.station.configdoc import describe

ROOT = Path(__file__).resolve().parents[2]
Row = tuple[str, str, str]


def printed(text: str) -> dict[str, Row]:
    """Path → (type, default, meaning) of every row of the page's tables."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[0].startswith("`"):
            rows[cells[0].strip("`")] = (cells[1], cells[2].strip("`"), cells[3])
    return rows


def test_every_setting_stands_there_as_the_code_has_it(page: Callable[[str], str]) -> None:
    # to remake a row: timeball check --describe --json
    assert printed(page("configuration.md")) == {row.path: (row.type, row.default, row.meaning) for row in describe()}


def snippets() -> Iterator[tuple[str, str]]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)):
            yield f"{path.relative_to(ROOT)}-{number}", text


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in snippets()])
def test_snippet_is_a_configuration(text: str) -> None:
    parse_config(text)


def test_there_are_snippets_and_a_wrong_one_would_be_noticed() -> None:
    assert len(list(snippets())) >= 5
    with pytest.raises(ConfigError, match="capp"):
        parse_config("[ensemble]\ncapp = 0.4\n")


def test_every_setting_named_in_prose_exists(root: Path) -> None:
    known = {row.path for row in describe()}
    sections = {path.split(".")[0] for path in known if "[" not in path}
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", path.read_text(encoding="utf-8")):
            section = name.split(".")[0]
            if section in sections and path.name not in ("status.md", "ledger-entries.md", "ledger.md", "clock-page.md"):
                assert name in known, f"{path.name} names {name}"
