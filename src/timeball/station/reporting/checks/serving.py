"""Checks of what answers the public: counters, kernel stamps, socket buffers, limits."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from timeball.station.reporting.diag import OK, RATIO, WARN, Check, Looks, below, silent, turning, unknown
from timeball.station.reporting.outcomes import LIMITED, of_kind, received

STAMPS_WARN, STAMPS_FAIL = 0.01, 0.5
DROPS_WARN = 0.001
LIMITED_WARN = 0.5
ONLY_HERE = "no limit is set, and only this host can ask"


def counters(looks: Looks) -> Iterator[Check]:
    """Whether the server still turns: its main thread writes its counters a few times a second."""
    page = looks.now.server
    if page is None:
        yield silent("server")
        return
    yield turning("server", looks.now.age_s(page), f"{received(page)} datagrams received, {page.replies} answered")


def stamps(looks: Looks) -> Iterator[Check]:
    """How many requests answered in sync had no kernel receive stamp that could be believed.

    Before there is a page none is: so many as were answered unsynchronised do not count.
    """
    page = looks.now.server
    if page is None or not page.replies_in_sync:
        yield unknown("receive stamps", "nobody has been told the time yet", RATIO)
        return
    share = max(0, page.raw_stamps - page.replies_unsynchronised) / page.replies_in_sync
    words = f"of {page.replies_in_sync} requests answered in sync had no kernel stamp to be believed"
    if share:
        words += "; each is off by its wait in the buffer"
    yield Check("receive stamps", below(share, STAMPS_WARN, STAMPS_FAIL), share, STAMPS_WARN, RATIO, words)


def drops(looks: Looks) -> Iterator[Check]:
    """Datagrams that the kernel threw away because a socket's buffer was full."""
    if not looks.now.sockets:
        yield unknown("socket drops", "the kernel shows no socket on the served ports (another network namespace?)")
        return
    total = sum(one.drops for one in looks.now.sockets)
    lately = total - sum(one.drops for one in looks.before.sockets)
    share = total / max(1, total + received(looks.now.server))
    state = WARN if lately > 0 or share > DROPS_WARN else OK
    words = f"{total} datagrams lost in full buffers, {max(0, lately)} of them just now; see net.core.rmem_default"
    yield Check("socket drops", state, share, DROPS_WARN, RATIO, words)


def limiter(looks: Looks) -> Iterator[Check]:
    """How many requests are over a limit; a warning where the public is served without any."""
    ntp, page = looks.now.config.ntp, looks.now.server
    if not (ntp.source_rate or ntp.prefix_rate):
        public = [address for address in ntp.listen + ntp.smeared if not is_loopback(address)]
        words = f"no limit is set, and {public[0]} is open to others: see ntp.source_rate" if public else ONLY_HERE
        yield Check("limiter", WARN if public else OK, None, None, RATIO, words)
        return
    if not received(page):
        yield unknown("limiter", "nobody has asked yet", RATIO)
        return
    limited = of_kind(page, LIMITED)
    share = limited / received(page)
    words = f"{limited} of {received(page)} datagrams were over a limit; `timeball clients` says whose"
    yield Check("limiter", OK if share < LIMITED_WARN else WARN, share, LIMITED_WARN, RATIO, words)


def is_loopback(address: str) -> bool:
    """Whether only this host can reach host:port."""
    host = address.rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
