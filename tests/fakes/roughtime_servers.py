"""Roughtime servers in memory: honest ones, and ones that sign whatever time they are told to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from timeball.protocols.roughtime import delegation, replies, server
from timeball.protocols.roughtime.moment import Moment
from timeball.protocols.roughtime.versions import VERSIONS

NOW_S = 1_800_000_000


def noise(name: str, count: int = 32) -> bytes:
    """Bytes that are the same in every run."""
    return hashlib.shake_256(name.encode()).digest(count)


@dataclass(frozen=True)
class FakeServer:
    """A server whose clock stands at `now_s`; its online key holds from `mint_s` to `maxt_s`."""

    name: str
    now_s: int = NOW_S
    radius_s: int = 1
    mint_s: int = NOW_S - 86_400
    maxt_s: int = NOW_S + 86_400
    versions: tuple[int, ...] = VERSIONS
    batch: int = 64

    @property
    def public_key(self) -> bytes:
        return delegation.public_key_of(noise(f"{self.name} long-term"))

    @property
    def identity(self) -> server.Identity:
        return server.make_identity(self.public_key, self.versions, self.batch)

    @property
    def online(self) -> delegation.OnlineKey:
        seed, online = noise(f"{self.name} long-term"), noise(f"{self.name} online")
        return delegation.delegate(seed, online, self.mint_s, self.maxt_s, self.versions)

    @property
    def moment(self) -> Moment:
        return Moment(self.now_s, self.radius_s)

    def answers(self, requests: list[bytes]) -> list[bytes | server.Reason]:
        return server.answer_batch(requests, self.identity, replies.Signer(self.online), self.moment)[0]

    def answer(self, request: bytes) -> bytes:
        reply = self.answers([request])[0]
        assert isinstance(reply, bytes), reply
        return reply

    def at(self, now_s: int) -> FakeServer:
        """The same server, telling another time."""
        return replace(self, now_s=now_s)
