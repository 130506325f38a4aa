"""NTS requests without their sockets: compiled over libcrypto beside the plain server over `cryptography`, ns each.

Whole requests with one fresh cookie and with eight, and the parts of one; always the same request, since nothing is
kept of it. Ours and the peer's in turn, the least CPU time of fifteen rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numba import njit

from bench import Figure, Skip
from timeball.protocols.nts import kernels
from timeball.protocols.nts.aead import AES_SIV_CMAC_256
from timeball.protocols.nts.client import build_request
from timeball.protocols.nts.compiled import CompiledRing, CompiledWork
from timeball.protocols.nts.cookies import Session, open_cookie, seal_cookie
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.server import build_reply, fresh_cookies, open_request
from timeball.protocols.nts.siv.libcrypto import FOUND
from timeball.protocols.nts.siv.memory import address

ROOM = "nts"
COMPILED, PLAIN = 10_000, 200
MOST_NS = {1: 1_600.0, 8: 4_000.0}
HEADER = b"\x23" + bytes(47)

Loop = Callable[..., None]


@njit(nogil=True)
def answer(request, length, reply, ring, work, times) -> None:  # type: ignore[no-untyped-def]
    """Whole requests: cookie opened, authenticator verified, fresh cookies and the reply sealed."""
    for _ in range(times):
        if kernels.verify_request(request, length, ring, work) == 0:
            kernels.seal_reply(request, reply, ring, work)


@njit(nogil=True)
def verify(request, length, reply, ring, work, times) -> None:  # type: ignore[no-untyped-def] # noqa: ARG001
    """Their first half."""
    for _ in range(times):
        kernels.verify_request(request, length, ring, work)


@njit(nogil=True)
def refuse(request, length, reply, ring, work, times) -> None:  # type: ignore[no-untyped-def]
    """What a flood of requests that cannot be authenticated costs."""
    for _ in range(times):
        if kernels.verify_request(request, length, ring, work) != 0:
            kernels.write_nak(request, reply, work)


@njit(nogil=True)
def open_cookies(request, length, reply, ring, work, times) -> None:  # type: ignore[no-untyped-def] # noqa: ARG001
    """The cookie alone."""
    for _ in range(times):
        kernels.open_cookie(address(request), address(ring.words), address(work.words))


def figures() -> Iterator[Figure | Skip]:
    """Give ns a request, and how many times as long the plain server takes."""
    if not FOUND:
        yield Skip("NTS compiled", "no libcrypto is found here, or nothing is compiled")
        return
    keys = KeyRing(CookieKey(1, bytes(range(32))))
    session = Session(AES_SIV_CMAC_256, bytes(range(32)), bytes(range(32, 64)))
    cookie = seal_cookie(keys, session.aead, session.c2s, session.s2c, bytes(16))
    with CompiledRing(keys) as ring, CompiledWork(bytes(range(32))) as work:
        kernels.adopt_keys(ring.ring, work.work)

        def compiled(loop: Loop, data: bytes) -> Callable[[], None]:
            row, reply = np.zeros((2, kernels.LONGEST_BYTES), np.uint8)
            row[: len(data)] = np.frombuffer(data, np.uint8)
            return lambda: loop(row, len(data), reply, ring.ring, work.work, COMPILED)

        for count, most_ns in MOST_NS.items():
            data = build_request(session, cookie, bytes(32), count - 1, bytes(16), HEADER)
            works = {"ours": compiled(answer, data), "plain": lambda data=data: _plain(keys, data)}
            taken = _least(works)
            yield _figure(f"NTS request, {count} fresh", taken["ours"], taken["plain"], most_ns)
        data = build_request(session, cookie, bytes(32), 0, bytes(16), HEADER)
        forged = data[:40] + bytes([data[40] ^ 1]) + data[41:]
        works = {
            "verify": compiled(verify, data),
            "cookie": compiled(open_cookies, data),
            "refuse": compiled(refuse, forged),
            "plain": lambda: [open_request(keys, data) for _ in range(PLAIN)],
            "plain cookie": lambda: [open_cookie(keys, cookie) for _ in range(PLAIN)],
        }
        taken = _least(works)
        yield _figure("NTS request verified", taken["verify"], taken["plain"], None)
        yield _figure("NTS cookie opened", taken["cookie"], taken["plain cookie"], None)
        yield _figure("NTS request forged, NAK", taken["refuse"], taken["plain"], None)


def _least(works: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """The least CPU seconds of each work, in turn: loops as short as these are only made longer by what else runs."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.thread_time()
            work()
            taken[name].append(time.thread_time() - start)
    return {name: min(times) for name, times in taken.items()}


def _plain(keys: KeyRing, data: bytes) -> None:
    for _ in range(PLAIN):
        request = open_request(keys, data)
        cookies = fresh_cookies(keys, request, request.cookies * [bytes(16)])
        build_reply(request, HEADER, cookies, bytes(16))


def _figure(name: str, ours_s: float, plain_s: float, most_ns: float | None) -> Figure:
    ours_ns, plain_ns = ours_s / COMPILED * 1e9, plain_s / PLAIN * 1e9
    target = None if most_ns is None else f"<= {most_ns:.0f} ns"
    ok = most_ns is None or ours_ns <= most_ns
    return Figure(name, ROOM, ours_ns, "ns", "cryptography", plain_ns / ours_ns, target, ok)
