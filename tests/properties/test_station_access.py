"""The access list agrees with Python's ipaddress for any networks and any address, plain and compiled."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.station.serving.access import ALLOWED, DENIED, NTS_ONLY, build_access, code_of
from timeball.station.serving.kernels_access import access_code
from timeball.station.serving.sources import address_of, words_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# few bits, so that networks nest and addresses fall into them
FOURS = st.integers(0, 255).map(lambda n: ipaddress.IPv4Address((n >> 4) << 28 | (n & 15)))
SIXES = st.integers(0, 255).map(lambda n: ipaddress.IPv6Address((n >> 4) << 124 | (n & 15)))
EDGES = st.sampled_from(["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:0:0"])
ADDRESSES = st.one_of(FOURS, SIXES, st.ip_addresses(), EDGES.map(ipaddress.ip_address))
LENGTHS = st.sampled_from([0, 1, 2, 3, 4, 27, 28, 29, 31, 32, 124, 126, 128])


@st.composite
def networks(draw: st.DrawFn) -> str:
    address = draw(ADDRESSES)
    return f"{address}/{min(draw(LENGTHS), address.max_prefixlen)}"


LISTS = st.lists(networks(), max_size=6)


def judged(address: Address, allow: list[str], deny: list[str], nts_only: list[str]) -> int:
    """The rule as the documentation says it: look at every network."""

    def longest(texts: list[str]) -> int:
        fits = (ipaddress.ip_network(text, strict=False) for text in texts)
        return max((net.prefixlen for net in fits if net.version == address.version and address in net), default=-1)

    allowed, denied = longest(allow), longest(deny)
    code = DENIED if (denied >= allowed if max(allowed, denied) >= 0 else allow) else ALLOWED
    return code | (NTS_ONLY if longest(nts_only) >= 0 else 0)


@settings(max_examples=100)
@given(LISTS, LISTS, LISTS, st.lists(ADDRESSES, min_size=1, max_size=8))
def test_longest_prefix_decides(allow: list[str], deny: list[str], nts_only: list[str], asked: list[Address]) -> None:
    table = build_access(allow, deny, nts_only)
    for address in asked:
        expected = judged(address, allow, deny, nts_only)
        assert code_of(table, address) == expected
        if getattr(address, "ipv4_mapped", None) is None:  # on the wire that is an address of IPv4
            assert access_code(table, *words_of(address)) == expected


@given(ADDRESSES)
def test_address_comes_back_from_its_words(address: Address) -> None:
    words = words_of(address)
    assert all(-(2**63) <= word < 2**63 for word in words)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert address_of(*words) == (mapped or address)


@pytest.mark.parametrize("text", ["300.0.0.0/8", "10.0.0.0/33", "::/129", "example"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        build_access([text], [], [])


def test_of_two_equal_prefixes_the_one_that_denies_counts() -> None:
    table = build_access(["10.0.0.0/8"], ["10.0.0.0/8"], [])
    assert code_of(table, ipaddress.ip_address("10.1.2.3")) == DENIED
