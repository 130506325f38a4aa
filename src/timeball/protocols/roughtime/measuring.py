"""The chained measurement: servers asked one after the other, twice, so that a lie among them is proven (RFC 10049, 8).

Sans-IO: `Measurement.next_request` says whom to ask with which bytes, `receive` takes the reply. Each nonce is made
from the reply before, so the order of the replies cannot be denied. A reply that does not verify ends nothing: it is
refused, and the same server may be asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from timeball.protocols.roughtime.client import Verified, build_request, chain_nonce, verify_reply
from timeball.protocols.roughtime.errors import CausalityBroken
from timeball.protocols.roughtime.message import NONCE_BYTES
from timeball.protocols.roughtime.versions import VERSIONS

LEAST_SERVERS = 3
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Exchange:
    """One verified reply of a chain. `rand` made the request's nonce from the reply before; empty for the first."""

    public_key: bytes
    rand: bytes
    request: bytes
    reply: bytes
    verified: Verified


@dataclass(frozen=True, slots=True)
class Step:
    """The next request: to the server of that number, with these bytes."""

    server: int
    request: bytes


class Measurement:
    """A chain of requests to servers with these long-term keys, in their order, ROUNDS times.

    `rands` are as many 32-byte random values as there are requests. ValueError for fewer servers than three, or the
    same key twice: a measurement by two cannot say who is wrong.
    """

    def __init__(
        self, public_keys: Sequence[bytes], rands: Sequence[bytes], versions: Sequence[int] = VERSIONS
    ) -> None:
        if len(public_keys) < LEAST_SERVERS or len(set(public_keys)) < len(public_keys):
            raise ValueError(f"a measurement needs at least {LEAST_SERVERS} servers with keys of their own")
        if len(rands) != ROUNDS * len(public_keys) or any(len(rand) != NONCE_BYTES for rand in rands):
            raise ValueError("a measurement needs 32 random bytes for each request")
        self.exchanges: list[Exchange] = []
        self._keys, self._rands, self._versions = list(public_keys), list(rands), tuple(versions)

    @property
    def finished(self) -> bool:
        """Whether every server has answered every time."""
        return len(self.exchanges) == len(self._rands)

    def next_request(self) -> Step | None:
        """Whom to ask what; None when finished. The same until its reply has been received."""
        if self.finished:
            return None
        number = len(self.exchanges)
        server, rand = number % len(self._keys), self._rands[number]
        nonce = chain_nonce(self.exchanges[-1].reply, rand) if self.exchanges else rand
        return Step(server, build_request(nonce, self._versions, self._keys[server]))

    def receive(self, reply: bytes) -> Verified:
        """Take the reply to the last request. Raises what `verify_reply` raises; then nothing has changed."""
        step = self.next_request()
        if step is None:
            raise ValueError("the measurement is finished: no reply is expected")
        key = self._keys[step.server]
        verified = verify_reply(step.request, reply, key)
        rand = self._rands[len(self.exchanges)] if self.exchanges else b""
        self.exchanges.append(Exchange(key, rand, step.request, reply, verified))
        return verified


def broken_pairs(replies: Sequence[Verified]) -> list[tuple[int, int]]:
    """The pairs (i, j) of replies, i before j, of which j says it was earlier than i allows (RFC 10049, 8.2)."""
    return [
        (first, second)
        for second in range(len(replies))
        for first in range(second)
        if replies[first].earliest_s > replies[second].latest_s
    ]


def check_causality(replies: Sequence[Verified]) -> None:
    """Raise CausalityBroken when replies in this order cannot all be true."""
    if pairs := broken_pairs(replies):
        raise CausalityBroken(pairs)
