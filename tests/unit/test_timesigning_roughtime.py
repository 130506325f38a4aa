"""What the Roughtime server may state: both clocks over the same pages say the same, keys are replaced in time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from handpages import HandPages
from tests.fakes.roughtime_servers import NOW_S, noise

from timeball.instants import LeapTable
from timeball.protocols.roughtime import delegation, libcrypto
from timeball.protocols.roughtime.errors import KeyFileError
from timeball.protocols.roughtime.moment import Moment
from timeball.protocols.roughtime.versions import VERSIONS
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.timesigning.clock import CompiledClock, PlainClock, SigningClock
from timeball.station.timesigning.keys import KeysMadeHere, load_or_make_long_term_key, read_secret, write_secret

CLOCKS = [PlainClock, pytest.param(CompiledClock, marks=pytest.mark.skipif(not libcrypto.FOUND, reason="no libcrypto"))]
S = 10**9


@pytest.fixture
def leaps() -> LeapTable:
    return load_leap_table()


@pytest.fixture
def pages(tmp_path: Path) -> HandPages:
    return HandPages(tmp_path)


def served(pages: HandPages, clock: SigningClock) -> Moment | None:
    pages.lease(600, 600)
    return clock.now()


@pytest.mark.parametrize("kind", CLOCKS)
def test_both_leases_are_needed_at_every_reading(kind, pages: HandPages, tmp_path: Path, leaps: LeapTable) -> None:
    clock = kind(tmp_path, leaps)
    assert clock.now() is None
    for timekeeper_s, observer_s, sync in [
        (60, 60, True),
        (-1, 60, False),
        (60, -1, False),
        (60, 60, True),
        (0, 0, False),
    ]:
        pages.lease(timekeeper_s, observer_s)
        assert (clock.now() is not None) == sync


@pytest.mark.parametrize("kind", CLOCKS)
def test_radius_and_count_come_from_the_page(kind, pages: HandPages, tmp_path: Path, leaps: LeapTable) -> None:
    clock = kind(tmp_path, leaps)
    page = pages.page
    unix_s = page.tai_ns / S - page.tai_minus_utc_s
    for bound_s, radii in ((1e-6, (1, 2)), (2.5, (3, 4)), (15.9, (16, 17))):
        pages.page = dataclasses.replace(page, bound_s=bound_s)
        moment = served(pages, clock)
        assert moment is not None
        # an expired table of leap seconds widens it to 3 at least
        least = 3 if leaps.expired_at(page.tai_ns) else 1
        assert moment.radius_s in {max(radius, least) for radius in radii}
        assert 0 <= moment.midpoint_s - int(unix_s) < 30
    pages.page = dataclasses.replace(page, bound_s=16.0)
    assert served(pages, clock) is None
    # a leap second that takes effect now: the count falls back by one, and the radius is wider by one
    pages.page = dataclasses.replace(page, leap_tai_ns=page.tai_ns + S, leap_sign=1)
    leaping = served(pages, clock)
    assert leaping is not None
    assert leaping.radius_s >= 2
    assert -1 <= leaping.midpoint_s - int(unix_s) < 29
    pages.page = dataclasses.replace(page, boot_id=(page.boot_id[0], page.boot_id[1] ^ 1))
    assert served(pages, clock) is None


def test_pages_that_appear_later_are_found(tmp_path: Path, leaps: LeapTable) -> None:
    clock = PlainClock(tmp_path, leaps)
    assert clock.now() is None
    pages = HandPages(tmp_path)
    assert served(pages, clock) is not None


def test_online_keys_are_replaced_before_their_time_is_over() -> None:
    keys = KeysMadeHere(noise("long-term"), VERSIONS, 4000)
    first = keys.signer(NOW_S)
    assert first is not None
    assert keys.public_key == delegation.public_key_of(noise("long-term"))
    assert first.key.mint_s <= NOW_S < first.key.maxt_s
    assert keys.signer(NOW_S + 2999) is first
    second = keys.signer(NOW_S + 3001)
    assert second is not None
    assert second is not first
    assert second.key.maxt_s > first.key.maxt_s
    assert keys.signer(NOW_S + 3000) is second, "a leap second counts one second twice"
    back = keys.signer(NOW_S - 10_000)
    assert back is not None
    assert back.holds_at(NOW_S - 10_000)


def test_the_long_term_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "roughtime.key"
    seed = load_or_make_long_term_key(path)
    assert load_or_make_long_term_key(path) == seed
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="read by others"):
        load_or_make_long_term_key(path)


def test_secrets_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_secret(path, "one", replace=False)
    with pytest.raises(KeyFileError, match="never written over"):
        write_secret(path, "two", replace=False)
    assert read_secret(path) == "one"
    write_secret(path, "two", replace=True)
    assert read_secret(path) == "two"
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]
    with pytest.raises(KeyFileError, match="cannot be"):
        write_secret(tmp_path / "absent" / "secret", "x", replace=True)
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_secret(tmp_path / "absent")
