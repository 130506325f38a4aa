"""What the compiled functions of kernels.py work with: cookie keys and scratch memory of one loop, and a self-test.

One `CompiledRing` and one `CompiledWork` a loop: contexts of libcrypto belong to one thread at a time, and to the
process that made them (make them after a fork). Both must be held as long as the loop runs, and closed after it.

Keys change under a running loop: `install` writes them into the slot that is not in use and publishes a generation
number, the loop takes them at its next `adopt_keys`, and until it has, there is no free slot for others.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np

from timeball.protocols.nts import kernels
from timeball.protocols.nts.keyring import KeyRing
from timeball.protocols.nts.libcrypto import LibcryptoFailed, free_context, new_context

SEED_BYTES = 32


class RingBusy(RuntimeError):
    """The loop has not taken the last change of keys yet: try again when it has gone round."""


class _Contexts:
    """Contexts of libcrypto that are freed together."""

    def __init__(self) -> None:
        self._addresses: list[int] = []

    def new(self, mode: str) -> int:
        self._addresses.append(new_context(mode))
        return self._addresses[-1]

    def close(self) -> None:
        """Free them all; the loop that used them has ended before."""
        while self._addresses:
            free_context(self._addresses.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CompiledWork(_Contexts):
    """Scratch memory, contexts for clients' keys, and the source of nonces of one loop: `work` is what kernels take.

    `seed` is 32 random bytes, used once: the key and the salt of the nonces, AES of salt ‖ counter. No two are equal,
    nobody can say the next. Raises LibcryptoFailed.
    """

    def __init__(self, seed: bytes) -> None:
        super().__init__()
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
        words = np.zeros(kernels.WORK_WORDS, np.int64)
        wide = np.zeros(kernels.ROOM_BYTES // 8, np.uint64)
        self.work = kernels.Work(words, wide.view(np.uint8), wide, np.zeros(kernels.STATE_WORDS, np.uint64))
        words[kernels.BASE] = wide.ctypes.data
        for place, mode in ((kernels.CBC, "cbc"), (kernels.ECB, "ecb"), (kernels.NONCE_ECB, "ecb")):
            words[place] = self.new(mode)
        self._set_room(kernels.SESSION, seed[:16])
        kernels.set_key(int(words[kernels.NONCE_ECB]), self.work, kernels.SESSION)
        self._set_room(kernels.SALT, seed[16:])
        self._set_room(kernels.SESSION, bytes(kernels.SESSION_BYTES))
        _check(self.work)

    def _set_room(self, at: int, data: bytes) -> None:
        self.work.room[at : at + len(data)] = np.frombuffer(data, np.uint8)

    def close(self) -> None:
        """Free the contexts and wipe the memory."""
        super().close()
        self.work.wide[:] = 0
        self.work.state[:] = 0


class CompiledRing(_Contexts):
    """The cookie keys of one loop: `ring` is what kernels take. Raises LibcryptoFailed."""

    def __init__(self, keys: KeyRing) -> None:
        super().__init__()
        shape = (kernels.SLOTS, kernels.MOST_KEYS)
        words = np.zeros(kernels.RING_WORDS, np.int64)
        self.ring = kernels.Ring(
            words, np.zeros((*shape, kernels.KEY_WORDS), np.int64), np.zeros((*shape, kernels.STATE_WORDS), np.uint64)
        )
        words[kernels.RING_BASE] = words.ctypes.data
        for place in np.ndindex(*shape):
            self.ring.keys[place][kernels.KEY_CBC] = self.new("cbc")
            self.ring.keys[place][kernels.KEY_ECB] = self.new("ecb")
        self._install(keys)
        words[kernels.SEEN] = words[kernels.GENERATION]

    def install(self, keys: KeyRing) -> None:
        """Have the loop use these keys from its next round on. Raises RingBusy, LibcryptoFailed."""
        words = self.ring.words
        if words[kernels.SEEN] != words[kernels.GENERATION]:
            raise RingBusy("the loop has not taken the last change of cookie keys yet")
        self._install(keys)

    def _install(self, keys: KeyRing) -> None:
        generation = int(self.ring.words[kernels.GENERATION]) + 1
        slot = generation & 1
        # scratch of its own: the loop's is in use
        with CompiledWork(bytes(SEED_BYTES)) as scratch:
            for index, key in enumerate(keys):
                scratch._set_room(kernels.SESSION, key.key)
                kernels.install_key(self.ring, scratch.work, slot, index, key.id)
            _check(scratch.work)
            self.ring.words[kernels.COUNT + slot] = index + 1
        kernels.publish(self.ring, generation)

    def close(self) -> None:
        """Free the contexts and wipe what was derived from the keys."""
        super().close()
        self.ring.states[:] = 0


def _check(work: kernels.Work) -> None:
    if work.words[kernels.FAILED]:
        raise LibcryptoFailed("libcrypto took no key")
