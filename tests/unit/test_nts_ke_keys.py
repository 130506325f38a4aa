"""Cookie keys: the file and who may read it, which step is due when, and the owner who writes before it gives."""

from __future__ import annotations

import math
import stat
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from timeball.instants import LeapTable
from timeball.protocols.nts.cookies import open_cookie, seal_cookie
from timeball.station.configuration.serving import NTS
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.nts.keeper import REPLACE, ROTATE, KeyKeeper, request_file
from timeball.station.nts.keyfile import (
    KeyFileError,
    KeySet,
    Moment,
    StoredKey,
    encode_key_set,
    keys_file,
    parse_key_set,
    read_key_set,
    read_keys,
    write_keys,
)
from timeball.station.nts.moments import Clock, age_s
from timeball.station.nts.rotation import Rules, announced, first_keys, next_keys, rules_of, used, what_changed
from timeball.station.nts.saying import key_payload

RULES = Rules(rotate_s=100.0, kept=2, lead_s=10.0)


@dataclass
class Dice:
    """Bytes that are all different, and the same in each run."""

    thrown: int = 0

    def __call__(self, count: int) -> bytes:
        self.thrown += 1
        return self.thrown.to_bytes(count)


def at(seconds: float, boot: str = "b") -> Moment:
    return Moment(1e9 + seconds, 50.0 + seconds, boot)


@pytest.fixture
def keys() -> KeySet:
    return first_keys(at(0), Dice())


def test_the_file_gives_back_what_was_written_and_is_the_owners_alone(tmp_path: Path, keys: KeySet) -> None:
    path = keys_file(tmp_path)
    more = used(announced(keys, at(90), Dice(70)), at(100), RULES)
    for each in (keys, announced(keys, at(90), Dice(70)), more):
        write_keys(path, each)
        assert read_key_set(path) == each
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [entry.name for entry in path.parent.iterdir()] == ["keys"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_ring_seals_under_the_current_key_and_opens_the_announced_one(tmp_path: Path, keys: KeySet) -> None:
    write_keys(keys_file(tmp_path), keys)
    before = read_keys(keys_file(tmp_path))
    coming = announced(keys, at(90), Dice(70))
    after = used(coming, at(100), RULES).ring()
    new_cookie = seal_cookie(after, 15, bytes(32), bytes(32), bytes(16))
    old_cookie = seal_cookie(before, 15, bytes(32), bytes(32), bytes(16))
    # who has only seen the announcement opens both
    assert open_cookie(coming.ring(), new_cookie) == open_cookie(after, old_cookie)
    assert coming.ring().current == before.current


def test_no_key_is_shown(keys: KeySet) -> None:
    shown = repr(keys) + str(keys) + repr(keys.ring())
    assert keys.current.key not in shown
    assert repr(bytes.fromhex(keys.current.key)) not in shown
    assert keys.current.key not in str(key_payload(keys, ""))


def test_the_ledger_is_told_numbers_alone(keys: KeySet) -> None:
    coming = announced(keys, at(90), Dice(70))
    assert key_payload(coming, "why") == {
        "current": keys.current.id,
        "next": coming.next.id if coming.next else None,
        "older": [],
        "source": "",
        "why": "why",
    }


def test_files_that_hold_no_keys_are_refused_without_showing_them(tmp_path: Path, keys: KeySet) -> None:
    good = encode_key_set(keys)
    secret = keys.current.key.encode()
    for bad in (
        b"",
        good[:-40],
        good.replace(b'"version": 1', b'"version": 2'),
        good.replace(b'"source"', b'"sauce"'),
        good.replace(secret, secret[:-2]),
        good.replace(secret, secret.upper().replace(b"0", b"X")),
        b'{"a":' * 2000,
        good + bytes(20000),
        b"\xff\xfe",
    ):
        with pytest.raises(KeyFileError) as refused:
            parse_key_set(bad)
        assert keys.current.key not in str(refused.value)
    with pytest.raises(KeyFileError, match="no keys of cookies"):
        read_keys(tmp_path / "none")


def test_sets_that_contradict_themselves_are_refused(keys: KeySet) -> None:
    twice = KeySet(current=keys.current, used=keys.used, older=(keys.current,))
    undated = KeySet(current=keys.current, used=keys.used, next=StoredKey(9, "00" * 32))
    many = KeySet(current=keys.current, used=keys.used, older=tuple(StoredKey(n, "00" * 32) for n in range(100, 108)))
    for bad in (twice, undated, many):
        with pytest.raises(KeyFileError):
            parse_key_set(encode_key_set(bad))


def test_a_key_is_announced_before_it_is_used_and_old_ones_are_dropped(keys: KeySet) -> None:
    dice, now, seen = Dice(100), 0.0, [keys.current.id]
    while now < 1000:
        now += 1.0
        step = next_keys(keys, at(now), RULES, dice)
        if step is None:
            continue
        if step.next is not None:
            assert step.current == keys.current
            assert age_s(keys.used, at(now)) >= 90
        else:
            assert keys.next == step.current
            assert keys.announced is not None
            assert age_s(keys.announced, at(now)) >= 10
            assert step.older == (keys.current, *keys.older)[:2]
            seen.append(step.current.id)
        keys = step
    assert len(seen) == len(set(seen)) == 11


def test_an_age_is_counted_by_the_boot_or_by_the_time_of_day() -> None:
    assert age_s(Moment(5.0, 100.0, "b"), Moment(-1e9, 107.0, "b")) == 7.0, "the time of day was set"
    assert age_s(Moment(1000.0, 100.0, "b"), Moment(1060.0, 3.0, "c")) == 60.0
    assert age_s(Moment(1000.0, 100.0, ""), Moment(1060.0, 3.0, "")) == 60.0
    assert age_s(Moment(1000.0, 100.0, "b"), Moment(900.0, 3.0, "c")) == math.inf


def test_the_lead_is_long_in_a_cluster_and_never_most_of_a_keys_life() -> None:
    assert rules_of(NTS()).lead_s == 2.0
    assert rules_of(NTS(cluster_listen="127.0.0.1:1")).lead_s == 600.0
    assert rules_of(NTS(cluster_leader="127.0.0.1:1", rotate_s=80.0)).lead_s == 20.0


def test_numbers_are_never_used_twice(keys: KeySet) -> None:
    repeating = iter([keys.current.id.to_bytes(4), (7).to_bytes(4), bytes(32)])
    assert announced(keys, at(0), lambda count: next(repeating)).next == StoredKey(7, "00" * 32)


def test_changes_in_words(keys: KeySet) -> None:
    coming = announced(keys, at(0), Dice(70))
    assert what_changed(None, keys) == "first keys"
    assert what_changed(keys, coming) == "a key is announced"
    assert what_changed(coming, used(coming, at(10), RULES)) == "the announced key is in use"
    assert "all keys" in what_changed(keys, first_keys(at(0), Dice(200)))


@pytest.fixture(scope="module")
def leaps() -> LeapTable:
    return load_leap_table()


@pytest.fixture
def clock(tmp_path: Path, leaps: LeapTable) -> Clock:
    return Clock(tmp_path, leaps)


def test_the_keeper_goes_on_with_what_it_finds(tmp_path: Path, clock: Clock) -> None:
    first = KeyKeeper(tmp_path, RULES, clock)
    assert first.turn()
    assert not first.turn()
    again = KeyKeeper(tmp_path, RULES, clock)
    assert again.keys == first.keys
    assert not again.turn()


def test_an_operator_may_ask_for_a_new_key_or_for_all_new(tmp_path: Path, clock: Clock) -> None:
    keeper = KeyKeeper(tmp_path, RULES, clock)
    keeper.turn()
    before = keeper.keys
    request_file(tmp_path).write_text(ROTATE + "\n")
    assert keeper.turn()
    assert keeper.keys is not None
    assert before is not None
    assert (keeper.keys.current, keeper.keys.next is None) == (before.current, False)
    assert not request_file(tmp_path).exists()
    request_file(tmp_path).write_text(REPLACE)
    assert keeper.turn()
    assert not set(keeper.keys.ids()) & set(before.ids())
    assert not request_file(tmp_path).exists()
    request_file(tmp_path).write_text("nonsense")
    assert not keeper.turn()


def test_a_follower_makes_no_keys_and_takes_each_set_once(tmp_path: Path, clock: Clock, keys: KeySet) -> None:
    keeper = KeyKeeper(tmp_path, RULES, clock, follows=True)
    assert not keeper.turn()
    assert keeper.keys is None
    assert keeper.take(keys)
    assert not keeper.take(keys)
    assert read_key_set(keys_file(tmp_path)) == keys


def test_a_follower_that_becomes_the_leader_goes_on_with_its_keys(tmp_path: Path, clock: Clock) -> None:
    fetched = msgspec.structs.replace(first_keys(clock.moment(), Dice()), source="a.example:4461")
    write_keys(keys_file(tmp_path), fetched)
    keeper = KeyKeeper(tmp_path, RULES, clock)
    request_file(tmp_path).write_text(ROTATE)
    assert keeper.turn()
    assert keeper.keys is not None
    assert (keeper.keys.current, keeper.keys.source) == (fetched.current, "")
    assert "made here" in keeper.why
    assert keeper.turn()
    assert keeper.keys.next is not None


def test_keys_that_nobody_can_read_are_replaced_and_counted(tmp_path: Path, clock: Clock) -> None:
    keys_file(tmp_path).parent.mkdir()
    keys_file(tmp_path).write_bytes(b"torn")
    keeper = KeyKeeper(tmp_path, RULES, clock)
    assert keeper.failures == 1
    assert keeper.turn()
    assert read_key_set(keys_file(tmp_path)) == keeper.keys
