"""docs/clock-page.md prints the layout that the code has."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from timeball.station.page import pagelayout
from timeball.station.page.clockpage import ObserverPage, TimekeeperPage
from timeball.station.page.serverpage import ServerPage

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "clock-page.md").read_text(encoding="utf-8")


def printed_fields(text: str) -> dict[str, int]:
    """Field → word, from the rows `| 10, 11 | `a`, `b` | ...` of a table."""
    fields: dict[str, int] = {}
    for words, names in re.findall(r"^\| ([0-9, ]+) \| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE):
        for word, name in zip(words.split(", "), re.findall(r"\w+", names), strict=False):
            fields[name] = int(word)
    return fields


@pytest.mark.parametrize(
    ("kind", "begins", "ends"),
    [
        (TimekeeperPage, "the timekeeper's page:", "and the observer's page:"),
        (ObserverPage, "and the observer's page:", "## Served"),
    ],
)
def test_table_has_every_field_at_its_word(kind: type, begins: str, ends: str) -> None:
    printed = printed_fields(TEXT[TEXT.index(begins) : TEXT.index(ends)])
    names = [field.name for field in dataclasses.fields(kind)]
    words = [pagelayout.DATA, *range(pagelayout.DATA + 2, pagelayout.DATA + 1 + len(names))]
    assert printed == dict(zip(names, words, strict=True))


def test_header_version_and_magics_are_named() -> None:
    assert f"## Layout, version {pagelayout.LAYOUT_VERSION}\n" in TEXT
    assert f"| {pagelayout.SEQUENCE} | sequence" in TEXT
    for kind in (TimekeeperPage, ObserverPage, ServerPage):
        assert f"`{kind.MAGIC.decode()}`" in TEXT
