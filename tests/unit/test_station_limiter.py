"""Limits by address and network: how many pass, who is told, who gives way, and what the table of sources says."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import msgspec
import numpy as np
import pytest

from timeball.station.configuration.configrules import broken_rules
from timeball.station.configuration.serving import NTP
from timeball.station.configuration.settings import Config
from timeball.station.hosttime.hostclocks import BootId
from timeball.station.serving.kernels_limiter import OVER, OVER_AND_TOLD, WITHIN, hash_words, take
from timeball.station.serving.limiter import Limiter, make_limiter, make_rules, places_for
from timeball.station.serving.settings import least_poll
from timeball.station.serving.sources import SourcesError, create_sources, read_sources, words_of

S = 1_000_000_000
SEED = bytes(range(32))


def ask(limiter: Limiter, address: str, now_ns: int) -> int:
    return take(limiter, *words_of(ipaddress.ip_address(address)), now_ns)[0]


def passed(limiter: Limiter, address: str, times: list[int]) -> int:
    return sum(ask(limiter, address, now) == WITHIN for now in times)


def test_burst_passes_at_once_and_then_the_rate() -> None:
    limiter = make_limiter(1024, make_rules(2.0, 5.0, 0.0, 1.0, 0), SEED)
    assert passed(limiter, "192.0.2.1", [S] * 20) == 5
    assert passed(limiter, "192.0.2.1", [2 * S] * 20) == 2
    assert passed(limiter, "192.0.2.1", [100 * S] * 20) == 5, "no more than the burst is saved up"
    assert passed(limiter, "192.0.2.2", [100 * S] * 20) == 5, "another address has its own"


def test_without_a_rate_nothing_is_limited() -> None:
    limiter = make_limiter(1024, make_rules(0.0, 1.0, 0.0, 1.0, 4), SEED)
    assert passed(limiter, "192.0.2.1", [S] * 1000) == 1000


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (["192.0.2.0", "192.0.2.77", "192.0.2.255"], "192.0.3.0"),
        (["2001:db8:1::1", "2001:db8:1:ffff::2"], "2001:db8:2::1"),
    ],
)
def test_addresses_of_a_network_share_its_limit(inside: list[str], outside: str) -> None:
    limiter = make_limiter(1024, make_rules(0.0, 1.0, 1.0, 6.0, 0), SEED)
    assert sum(passed(limiter, address, [S] * 10) for address in inside) == 6
    assert passed(limiter, outside, [S] * 10) == 6


def test_one_over_its_own_limit_takes_nothing_from_its_network() -> None:
    limiter = make_limiter(1024, make_rules(1.0, 1.0, 1.0, 3.0, 0), SEED)
    assert passed(limiter, "192.0.2.1", [S] * 50) == 1
    assert passed(limiter, "192.0.2.2", [S] * 50) == 1


@pytest.mark.parametrize("every", [1, 4])
def test_one_in_so_many_limited_requests_is_told(every: int) -> None:
    limiter = make_limiter(1024, make_rules(1.0, 1.0, 0.0, 1.0, every), SEED)
    ask(limiter, "192.0.2.1", S)
    said = [ask(limiter, "192.0.2.1", S) for _ in range(8)]
    assert said.count(OVER_AND_TOLD) == 8 // every
    assert said[0] == OVER_AND_TOLD, "the first at once"
    assert set(said) <= {OVER, OVER_AND_TOLD}


def test_a_flood_of_addresses_takes_no_memory_and_leaves_who_is_limited_in_place() -> None:
    limiter = make_limiter(1024, make_rules(1.0, 64.0, 0.0, 1.0, 0), SEED)
    sizes = [each.nbytes for each in limiter]
    assert passed(limiter, "192.0.2.1", [S] * 100) == 64
    for n in range(20_000):
        take(limiter, 0x2001_0DB8 << 32, n, S + n)
    assert [each.nbytes for each in limiter] == sizes
    assert limiter.rows[:, :2].any(axis=1).sum() > 1000, "the table is full of them"
    assert passed(limiter, "192.0.2.1", [S + 20_000] * 10) == 0, "its bucket is the emptiest of its set"


def test_hash_depends_on_the_key_and_spreads() -> None:
    keys = [np.uint64(1), np.uint64(2)]
    hashes = [hash_words(*keys, 0, n) for n in range(4096)]
    sets = np.bincount([(each >> 1) & 255 for each in hashes], minlength=256)
    assert len(set(hashes)) == 4096
    assert 2 < sets.min() <= sets.max() < 40, "16 a set on average"
    assert hash_words(keys[1], keys[0], 0, 1) != hashes[1]


def test_table_of_sources_tells_who_asked_and_how_often(tmp_path: Path) -> None:
    path = tmp_path / "run" / "sources"
    rows = create_sources(path, places_for(1024), BootId(3, 4))
    assert path.stat().st_mode & 0o777 == 0o600
    limiter = make_limiter(1024, make_rules(1.0, 3.0, 0.0, 1.0, 0), SEED, rows)
    for now in (S, 2 * S):
        for _ in range(5):
            ask(limiter, "192.0.2.7", now)
    ask(limiter, "2001:db8::1", 3 * S)
    found = read_sources(path)
    at = found.address.index("192.0.2.7")
    assert sorted(found.address) == ["192.0.2.7", "2001:db8::1"]
    assert found.prefix[at] == "192.0.2.0/24"
    assert found.prefix[1 - at] == "2001:db8::/48"
    assert (found.requests[at], found.limited[at], found.nts[at]) == (10, 6, 0)
    assert (found.first_seen_ns[at], found.last_seen_ns[at]) == (S, 2 * S)
    assert found.boot_id == (3, 4)


@pytest.mark.parametrize("data", [b"", b"TBALL-SO", bytes(4096), b"TBALL-SO" + b"\x01" + bytes(7) + b"\xff" * 4080])
def test_what_is_no_table_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "sources").write_bytes(data)
    with pytest.raises(SourcesError, match="sources"):
        read_sources(tmp_path / "sources")
    with pytest.raises(SourcesError, match="while it runs"):
        read_sources(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("ntp", "words"),
    [
        ({"allow": ["10.0.0.0/33"]}, "is no network"),
        ({"deny": ["::/129"]}, "is no network"),
        ({"nts_only": ["1.2.3"]}, "is no network"),
        ({"listen": ["127.0.0.1:11123"], "smeared": ["127.0.0.1:11123"]}, "is smeared and not"),
        ({"smeared": ["127.0.0.1:0"]}, "no port between"),
    ],
)
def test_settings_that_cannot_be_are_told_by_their_key(ntp: dict[str, list[str]], words: str) -> None:
    made = Config(ntp=msgspec.convert(ntp, NTP))
    found = [(key, sentence) for key, sentence in broken_rules(made) if words in sentence]
    assert found
    assert found[0][0].startswith("ntp.")


def test_a_limit_of_one_request_in_a_lifetime_still_fits_the_polls_byte() -> None:
    assert [least_poll(NTP(source_rate=rate)) for rate in (0.0, 8.0, 0.01, 1e-45)] == [0, 0, 7, 17]
