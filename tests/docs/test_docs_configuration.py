"""Every TOML snippet in the pages is a configuration that works, and every setting named in prose exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from timeball.station.configuration.config import ConfigError, parse_config
from timeball.station.configuration.configdoc import describe

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILES = (".json", ".tails", ".py", ".md", ".record", ".log", ".lock", ".place", ".keeping")
OTHER_KEYS = ("status.md", "ledger-entries.md", "clock-page.md")
"""Pages whose dotted words are keys of something else."""


def snippets() -> Iterator[tuple[str, str]]:
    for path in PAGES:
        for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)):
            yield f"{path.relative_to(ROOT)}-{number}", text


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in snippets()])
def test_snippet_is_a_configuration(text: str) -> None:
    parse_config(text)


def test_there_are_snippets_and_a_wrong_one_would_be_noticed() -> None:
    assert len(list(snippets())) >= 5
    with pytest.raises(ConfigError, match="capp"):
        parse_config("[ensemble]\ncapp = 0.4\n")


def test_every_setting_named_in_prose_exists() -> None:
    # keys of the status look alike and count too
    known = {row.path for row in describe()}
    sections = {path.split(".")[0] for path in known if "[" not in path}
    known |= set(re.findall(r"^\| `(\w+\.\w+)` \|", (ROOT / "docs" / "status.md").read_text("utf-8"), re.MULTILINE))
    for path in (path for path in PAGES if path.name not in OTHER_KEYS):
        for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", path.read_text(encoding="utf-8")):
            if name.split(".")[0] in sections and not name.endswith(FILES):
                assert name in known, f"{path.name} names {name}"
