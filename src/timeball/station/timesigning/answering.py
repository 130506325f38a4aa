"""What all ways of answering share: who answers, with which key, at which time, and what is made wrong on purpose."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.roughtime.grease import NOISE_BYTES, Grease, grease_reply
from timeball.protocols.roughtime.moment import Moment
from timeball.protocols.roughtime.replies import Signer
from timeball.protocols.roughtime.server import Identity, Reason, answer_batch
from timeball.protocols.roughtime.versions import VERSIONS
from timeball.station.page.roughtimepage import ANSWERS, COUNTERS, DROPPED, GREASED, PACKETS, SIGNATURES
from timeball.station.timesigning.clock import SigningClock
from timeball.station.timesigning.keys import Keys

Counters = NDArray[np.int64]


@dataclass(frozen=True)
class Host:
    """What the threads of a server have in common. `grease` is the fraction of replies made wrong on purpose."""

    identity: Identity
    keys: Keys
    batch: int
    grease: float


class Answering:
    """One thread's own: its clock, its counters, its dice."""

    def __init__(self, host: Host, clock: SigningClock) -> None:
        self.host = host
        self.counters: Counters = np.zeros(COUNTERS, np.int64)
        self.key_maxt_s = 0
        self._clock = clock
        self._rng = np.random.default_rng(secrets.randbits(128))

    def now(self) -> tuple[Signer | None, Moment | None]:
        """Who may sign, and what; read anew for every batch."""
        moment = self._clock.now()
        signer = self.host.keys.signer(moment.midpoint_s) if moment is not None else None
        if signer is not None:
            self.key_maxt_s = signer.key.maxt_s
        return signer, moment

    def count_refused(self, reason: Reason, count: int = 1) -> None:
        """Count requests that get no answer."""
        self.counters[DROPPED + reason - 1] += count

    def count_signed(self, version: int, answers: int) -> None:
        """Count answers under one signature; `version` is an index in the identity's preference."""
        self.counters[SIGNATURES] += 1
        self.counters[ANSWERS + VERSIONS.index(self.host.identity.versions[version])] += answers

    def answer(self, packets: Sequence[bytes]) -> list[bytes | None]:
        """The reply to each packet in plain Python, or None; everything but the sending is counted."""
        self.counters[PACKETS] += len(packets)
        answers, answered = answer_batch(packets, self.host.identity, *self.now())
        for found in answers:
            if isinstance(found, Reason):
                self.count_refused(found)
        for version, count in enumerate(answered):
            if count:
                self.count_signed(version, count)
        replies = [None if isinstance(found, Reason) else found for found in answers]
        for place in self.greased(len(replies)):
            reply = replies[place]
            if reply is not None:
                replies[place] = self.made_wrong(reply)
        return replies

    def greased(self, count: int) -> list[int]:
        """Which of `count` replies are made wrong."""
        if self.host.grease <= 0.0:
            return []
        chosen: list[int] = np.flatnonzero(self._rng.random(count) < self.host.grease).tolist()
        return chosen

    def made_wrong(self, reply: bytes) -> bytes:
        """A reply made wrong in a way that the dice choose."""
        self.counters[GREASED] += 1
        return grease_reply(reply, Grease(int(self._rng.integers(len(Grease)))), self._rng.bytes(NOISE_BYTES))
