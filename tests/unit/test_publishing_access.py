"""Who may read which payload, and what a bundle looks like to somebody who may not."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from pathlib import Path

import pytest

from timeball.ledger import canonical
from timeball.ledger.payload import WITHHELD, parse_frame
from timeball.station.configuration.settings import Reader
from timeball.station.publishing.access import PUBLIC, Access, Caller, TokenRefused, withhold
from timeball.station.publishing.files import LedgerFiles
from timeball.station.publishing.frames import erase_frames, erasures_in, merge_frames
from timeball.station.recording.store import NewEntry, Store

TOKEN = "correct-horse-battery-staple"
DOCS = Path(__file__).resolve().parents[2] / "docs"


def reader(name: str, token: str, *types: str) -> Reader:
    return Reader(name=name, token_sha256=hashlib.sha256(token.encode()).hexdigest(), types=types)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    entries = [
        NewEntry("collector", 1, "readings", 1, canonical.encode({"n": 1})),
        NewEntry("people", 1, "approval", 1, canonical.encode({"who": "Ada"})),
        NewEntry("people", 2, "complaint", 1, canonical.encode({"who": "Bob"})),
        NewEntry("erasure", 1, "erasure", 1, canonical.encode({"indices": [2], "reason": "asked"})),
    ]
    with Store(tmp_path) as store:
        store.append_many(entries, 5)
        store.integrate()
    return tmp_path


def bundle(state: Path) -> tuple[list[bytes], bytes]:
    found = LedgerFiles(state).payloads(0)
    assert found is not None
    return found[0], found[1].data


def seen(data: bytes, count: int) -> list[object]:
    frames, offset = [], 0
    for _ in range(count):
        frame = parse_frame(data, offset)
        offset = frame.end
        frames.append("withheld" if frame.withheld else frame.payload and canonical.decode(frame.payload))
    assert offset == len(data)
    return frames


def test_what_is_not_public_is_private(state: Path) -> None:
    leaves, data = bundle(state)
    everybody, withheld = withhold(leaves, data, Caller())
    said = {"indices": [2], "reason": "asked"}
    assert seen(everybody, 4) == [{"n": 1}, "withheld", "withheld", said]
    assert withheld == ["approval", "complaint"]
    assert b"Ada" not in everybody
    one, withheld = withhold(leaves, data, Caller("one", frozenset({"approval"})))
    assert seen(one, 4) == [{"n": 1}, {"who": "Ada"}, "withheld", said]
    assert withheld == ["complaint"]
    assert withhold(leaves, data, Caller("all", frozenset({"*"}))) == (data, [])


def test_what_is_withheld_hides_its_length(state: Path) -> None:
    leaves, data = bundle(state)
    public, _ = withhold(leaves, data, Caller())
    assert public.count(WITHHELD) == 2
    assert len(WITHHELD) == 5


def test_erased_and_withheld_are_told_apart(state: Path) -> None:
    with Store(state) as store:
        store.erase(1)
    leaves, data = bundle(state)
    everybody, _ = withhold(leaves, data, Caller())
    assert seen(everybody, 4)[:3] == [{"n": 1}, None, "withheld"], "that it was erased is public"


@pytest.mark.parametrize(
    "header", ["", "Basic abc", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN} x", f"bearer{TOKEN}", TOKEN]
)
def test_a_header_that_names_nobody_is_refused(header: str) -> None:
    with pytest.raises(TokenRefused):
        Access([reader("a", TOKEN, "*")]).caller(header)


def test_a_token_names_its_reader() -> None:
    access = Access([reader("a", "one", "approval"), reader("b", TOKEN, "*")])
    assert access.caller(f"Bearer {TOKEN}") == Caller("b", frozenset({"*"}))
    assert access.caller("bearer one") == Caller("a", frozenset({"approval"}))
    assert access.caller(None) == Caller()
    assert [Caller().may_read(kind) for kind in ("readings", "approval", "unheard-of")] == [True, False, False]


def test_the_page_names_the_public_types() -> None:
    text = (DOCS / "ledger.md").read_text("utf-8")
    sentence = re.search(r"^Public are (.*?)\.\s", text, re.MULTILINE | re.DOTALL)
    assert sentence is not None
    assert set(re.findall(r"`([a-z]+)`", sentence[1])) == PUBLIC


def test_a_mirror_keeps_what_it_was_once_given(state: Path) -> None:
    leaves, data = bundle(state)
    everybody, _ = withhold(leaves, data, Caller())
    assert merge_frames(leaves, data, everybody) == data
    assert merge_frames(leaves, everybody, data) == data
    assert merge_frames(leaves, b"", everybody) == everybody
    damaged = bytes([data[0]]) + data[1:10] + bytes([data[10] ^ 1]) + data[11:]
    assert merge_frames(leaves, damaged, data) == data, "what is damaged is not what was given"


def test_a_mirror_follows_erasures_but_never_of_what_decides_time(state: Path) -> None:
    leaves, data = bundle(state)
    assert erasures_in(leaves, data) == {2}
    erased = erase_frames(0, leaves, data, {0, 2, 300})
    assert seen(erased, 4)[:3] == [{"n": 1}, {"who": "Ada"}, None]
    assert len(erased) == len(data)


def test_what_cannot_be_read_now_is_not_told_as_not_there(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror believes "not there" and keeps these payloads as withheld for ever; so a full table of files is said."""
    files = LedgerFiles(state)
    true_open = os.open

    def full(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "000":
            raise OSError(errno.EMFILE, "too many open files")
        return true_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="too many open files"):
        files.payloads(0)
    monkeypatch.undo()
    assert files.payloads(0) is not None
    assert files.payloads(1) is None
