"""docs/guide/operating.md: every alarm and reason it explains can be said, and what the page can say is explained."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from timeball.station.configuration.config import parse_config
from timeball.station.page import pagelayout
from timeball.station.paths import default_state_dir

ROOT = Path(__file__).resolve().parents[2]
SHORTEST = 6


def sources() -> str:
    """All code as one text in which strings that are written in parts stand whole."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src" / "timeball").rglob("*.py"))]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(texts))


def explained(text: str) -> list[str]:
    """The sentences in the first column of the tables of the section `Alarms`."""
    section = text[text.index("\n## Alarms\n") : text.index("\n## Disk full\n")]
    cells = re.findall(r"^\| (`.*?`) \| ", section, re.MULTILINE)
    return [sentence for cell in cells for sentence in re.findall(r"`(.*?)`", cell)]


def fragments(sentence: str) -> list[str]:
    """What is left of a sentence when its figures are taken out."""
    parts = [re.sub(r"^s\b", "", part.strip()).strip() for part in sentence.split("…")]
    return [part for part in parts if len(part) >= SHORTEST]


def test_every_alarm_that_is_explained_can_be_said(page: Callable[[str], str]) -> None:
    code = sources()
    sentences = explained(page("guide/operating.md"))
    assert len(sentences) > 12
    missing = [part for sentence in sentences for part in fragments(sentence) if part not in code]
    assert missing == []


def test_everything_the_page_can_say_is_explained(page: Callable[[str], str]) -> None:
    text = page("guide/operating.md")
    assert [words for words in pagelayout.STATUS_WORDS[1:] if f"`{words}`" not in text] == []


def test_the_comparison_can_fail() -> None:
    assert fragments("the output is … ns from TA(k) + steers, more than the limit …") == [
        "the output is",
        "ns from TA(k) + steers, more than the limit",
    ]
    assert "nobody ever says this sentence" not in sources()


def test_the_default_state_folder_is_as_told(page: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    told = re.search(r"`~/(\S+)`", page("README.md"))
    assert told is not None
    assert default_state_dir() == Path.home() / told[1]


def test_addresses_in_the_readme_are_the_defaults(page: Callable[[str], str]) -> None:
    config, text = parse_config(""), page("README.md")
    assert f"`{config.ntp.listen[0]}`" in text
    assert f"http://localhost:{config.console.listen.rpartition(':')[2]}" in text
