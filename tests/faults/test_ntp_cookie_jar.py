"""Cookies kept over a restart: each is used once at most whatever fails or is killed, and what is foreign never."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.protocols.ntp.clientnts import NTSAuthentication
from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.cookies import Session
from timeball.station.configuration.following import NTPInstrument
from timeball.station.instruments import cookiejar
from timeball.station.instruments.cookiejar import KEPT, LEAST_LEFT, CookieJar, CookiesUnusable
from timeball.station.instruments.cookiekeeping import KEEP_ANEW_NS, CookieKeeping
from timeball.station.instruments.ntskeys import Keys

ASKED = NTPInstrument(server="ke.example:4460", clock="N1", nts=True)
HEADER = b"\x23" + bytes(47)


def fresh(first: int = 0, count: int = 8, number: int = 15) -> Keys:
    """Keys with cookies that can be told apart."""
    length = aead(number).key_bytes
    session = Session(number, bytes([1]) * length, bytes([2]) * length)
    cookies = [bytes([first + place]) * 100 for place in range(count)]
    return Keys(NTSAuthentication(session, cookies, os.urandom), "ntp.example", 123)


def sent(keys: Keys) -> set[bytes]:
    """Every cookie that can still be sent, each found in its request."""
    found = set()
    while keys.authentication.cookies:
        request = keys.authentication.seal(HEADER)
        found.add(request[48 + 36 + 4 :][:100])  # behind the unique identifier's field and its own header
    return found


def stored(jar: CookieJar) -> list[str]:
    return [str(one) for one in json.loads(jar.path.read_bytes())["cookies"]] if jar.path.exists() else []


@pytest.mark.parametrize("number", [15, 30])
def test_what_is_kept_comes_back_once(tmp_path: Path, number: int) -> None:
    jar, keys = CookieJar(tmp_path, ASKED), fresh(number=number)
    assert jar.take() is None
    jar.put(keys)
    assert stat.S_IMODE(jar.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(jar.path.parent.stat().st_mode) == 0o700
    assert keys.authentication.cookies == 8 - KEPT
    back = CookieJar(tmp_path, ASKED).take()
    assert back is not None
    assert (back.host, back.port, back.authentication.session) == ("ntp.example", 123, keys.authentication.session)
    assert back.authentication.cookies == KEPT
    assert not jar.path.exists()
    assert jar.take() is None
    ours, theirs = sent(keys), sent(back)
    assert len(ours | theirs) == 8
    assert not ours & theirs, "a cookie in two requests"


@pytest.mark.parametrize("stage", ["open", "fsync", "replace", "sync_folder"])
def test_what_could_not_be_written_is_not_sent_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Failed and not stored, or failed but stored: nobody knows which, so the cookies are nobody's."""
    jar, keys, told = CookieJar(tmp_path, ASKED), fresh(), list[str]()
    keeping = CookieKeeping(jar, told.append)
    keeping.begun(keys)
    with monkeypatch.context() as broken:
        owner, name = place_of(stage)
        broken.setattr(owner, name, refuse)
        keeping.answered(0)
    assert ["not kept for a restart: no room" in one for one in told] == [True]
    after = jar.take()
    ours, theirs = sent(keys), sent(after) if after is not None else set()
    assert len(ours) == 8 - KEPT
    assert not ours & theirs
    assert bool(theirs) == (stage == "sync_folder")


def place_of(stage: str) -> tuple[Any, str]:
    from timeball.station.nts import secretfile

    if stage == "sync_folder":
        return secretfile, "sync_folder"
    return (Path, "replace") if stage == "replace" else (os, stage)


def refuse(*_arguments: object, **_named: object) -> None:
    raise OSError(28, "no room")


@pytest.mark.parametrize("stage", ["unlink", "sync_folder"])
def test_what_cannot_be_removed_for_good_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Else a power cut would bring back cookies that were used."""
    jar = CookieJar(tmp_path, ASKED)
    jar.put(fresh())
    with monkeypatch.context() as broken:
        broken.setattr(Path if stage == "unlink" else cookiejar, stage, refuse)
        with pytest.raises(CookiesUnusable, match="could be used twice"):
            jar.take()


def changed(**fields: Any) -> Callable[[CookieJar], object]:
    def change(jar: CookieJar) -> None:
        jar.path.write_text(json.dumps({**json.loads(jar.path.read_bytes()), **fields}))

    return change


def text(words: bytes) -> Callable[[CookieJar], object]:
    return lambda jar: jar.path.write_bytes(words)


def link(jar: CookieJar) -> None:
    jar.path.rename(jar.path.with_name("elsewhere"))
    jar.path.symlink_to("elsewhere")


def aged(jar: CookieJar) -> None:
    os.utime(jar.path, (0, time.time() - 8 * 86400))


FOREIGN: dict[str, Callable[[CookieJar], object]] = {
    "damaged": text(b'{"version": 1, "asked"'),
    "no such document": text(b"\xff\xfe"),
    "damaged: no": changed(version=2),
    "damaged: no such": changed(more=1),
    "damaged:": changed(c2s="00"),
    "damaged: ": changed(aead=77),
    "no such doc": changed(cookies=["00"]),
    "of another server": changed(asked="other.example:4460"),
    "other authorities": changed(authorities="00" * 32),
    "open to others": lambda jar: jar.path.chmod(0o640),
    "cannot be read": link,
    "too old": aged,
    "too large": text(b" " * 20000),
}


@pytest.mark.parametrize("why", FOREIGN)
def test_foreign_or_damaged_files_are_thrown_away_in_words(tmp_path: Path, why: str) -> None:
    jar, told = CookieJar(tmp_path, ASKED), list[str]()
    jar.put(fresh())
    FOREIGN[why](jar)
    keeping = CookieKeeping(jar, told.append)
    assert keeping.first() is None
    assert not jar.path.is_symlink()
    assert not jar.path.exists()
    [sentence] = told
    assert "thrown away" in sentence
    assert why in sentence
    assert "0101" not in sentence, "a key in the log"
    assert keeping.first() is None
    assert len(told) == 1


def test_other_authorities_than_before_are_not_believed_by_old_keys(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("one")
    asked = NTPInstrument(server="ke.example:4460", clock="N1", nts=True, ca=str(ca))
    CookieJar(tmp_path, asked).put(fresh())
    ca.write_text("two")
    with pytest.raises(CookiesUnusable, match="authorities"):
        CookieJar(tmp_path, asked).take()


def test_they_are_replaced_now_and_then_and_gone_when_refused(tmp_path: Path) -> None:
    jar, told = CookieJar(tmp_path, ASKED), list[str]()
    keeping, few, keys = CookieKeeping(jar, told.append), fresh(count=KEPT + LEAST_LEFT - 1), fresh()
    keeping.begun(few)
    keeping.answered(0)
    assert stored(jar) == [], "too few to go on with"
    keeping.begun(keys)
    keeping.answered(0)
    first = stored(jar)
    assert len(first) == KEPT
    more = fresh(first=100)
    keys.authentication._cookies.extend(more.authentication._cookies)
    keeping.answered(KEEP_ANEW_NS - 1)
    assert stored(jar) == first
    keeping.answered(KEEP_ANEW_NS)
    assert len(stored(jar)) == KEPT
    assert not set(stored(jar)) & set(first)
    keeping.refused()
    assert stored(jar) == []
    assert told == []
    keeping.answered(3 * KEEP_ANEW_NS)
    assert stored(jar) == [], "keys that were refused are kept no more"


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=400) | st.dictionaries(st.text(), st.integers() | st.text()).map(json.dumps).map(str.encode)
)
def test_any_file_at_all_is_cookies_or_a_sentence(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    jar = CookieJar(tmp_path_factory.getbasetemp(), ASKED)
    jar.path.parent.mkdir(mode=0o700, exist_ok=True)
    jar.path.write_bytes(data)
    jar.path.chmod(0o600)
    with pytest.raises(CookiesUnusable):
        jar.take()
    assert not jar.path.exists()
