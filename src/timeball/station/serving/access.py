"""The access list: networks that are answered, that are not, and that are answered over NTS alone, as sorted arrays.

The longest prefix that fits an address decides; of two equal ones the one that denies. Without an `allow`, everybody is
answered who is not denied; with one, nobody else is. `nts_only` holds for every address in one of its networks.
The observer is always answered, and not limited: without answers it could not renew its lease. Built
once at the start; looked up in kernels_access.py, or here without compiled code.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int64]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Rules = dict[Network, tuple[bool | None, bool] | None]
"""Denied, allowed or neither, and whether over NTS alone; None: always answered."""

ALLOWED, DENIED, NTS_ONLY, ALWAYS = 0, 1, 2, 16
"""Bits of a code: DENIED and NTS_ONLY may stand together; ALWAYS stands alone, and no limit holds for it."""

OBSERVER_V4, OBSERVER_V6 = "127.123.0.1", "::1"
"""Where the observer's questions come from. No datagram with such a source comes from outside this host."""


class AccessTable(NamedTuple):
    """From each start to the next the code holds. IPv4 starts int64[n]; of IPv6 two words, each with its sign turned.

    The first start is the lowest address, so that a search always finds one.
    """

    v4_starts: Words
    v4_codes: Words
    v6_high: Words
    v6_low: Words
    v6_codes: Words


def build_access(
    allow: Iterable[str], deny: Iterable[str], nts_only: Iterable[str], always: Iterable[str] = ()
) -> AccessTable:
    """The table of these networks, and of addresses for which none of them counts.

    Raises ValueError for a network that is none; bits beyond a prefix are ignored.
    """
    allowed, denied, by_nts = (
        {ipaddress.ip_network(text, strict=False) for text in each} for each in (allow, deny, nts_only)
    )
    base = DENIED if allowed else ALLOWED
    networks = allowed | denied | by_nts
    rules: Rules = {net: (None if net not in allowed | denied else net in denied, net in by_nts) for net in networks}
    rules |= dict.fromkeys(map(ipaddress.ip_network, always))
    four = _ranges({net: rule for net, rule in rules.items() if net.version == 4}, base, 2**32)
    six = _ranges({net: rule for net, rule in rules.items() if net.version == 6}, base, 2**128)
    return AccessTable(
        v4_starts=np.array([start for start, _ in four], np.int64),
        v4_codes=np.array([code for _, code in four], np.int64),
        v6_high=np.array([(start >> 64) - 2**63 for start, _ in six], np.int64),
        v6_low=np.array([start % 2**64 - 2**63 for start, _ in six], np.int64),
        v6_codes=np.array([code for _, code in six], np.int64),
    )


def _ranges(rules: Rules, base: int, end: int) -> list[tuple[int, int]]:
    """(start, code) in order, from 0 on. Networks nest or are apart, so the open ones form a stack."""
    found: list[tuple[int, int]] = [(0, base)]
    stack: list[tuple[int, int]] = [(end, base)]
    for network in sorted(rules, key=lambda net: (int(net.network_address), net.prefixlen)):
        start = int(network.network_address)
        _close(found, stack, start)
        _mark(found, start, _code(rules[network], stack[-1][1]))
        stack.append((start + network.num_addresses, found[-1][1]))
    _close(found, stack, end)
    return found


def _code(rule: tuple[bool | None, bool] | None, around: int) -> int:
    """The code within a network, by its rule and by the code around it."""
    if rule is None:
        return ALWAYS
    denied, by_nts = rule
    code = around if denied is None else around & ~DENIED | (DENIED if denied else 0)
    return code | (NTS_ONLY if by_nts else 0)


def _close(found: list[tuple[int, int]], stack: list[tuple[int, int]], until: int) -> None:
    while len(stack) > 1 and stack[-1][0] <= until:
        end, _ = stack.pop()
        if end < stack[0][0]:
            _mark(found, end, stack[-1][1])


def _mark(found: list[tuple[int, int]], start: int, code: int) -> None:
    """From `start` on `code` holds; a range without an address, or like the one before it, is not kept."""
    if found[-1][0] == start:
        found.pop()
    if not found or found[-1][1] != code:
        found.append((start, code))


def code_of(table: AccessTable, address: Address) -> int:
    """The code of an address, without compiled code."""
    if address.version == 4:
        return int(table.v4_codes[np.searchsorted(table.v4_starts, int(address), side="right") - 1])
    high, low = (int(address) >> 64) - 2**63, int(address) % 2**64 - 2**63
    starts = list(zip(table.v6_high.tolist(), table.v6_low.tolist(), strict=True))
    return int(table.v6_codes[bisect_right(starts, (high, low)) - 1])
