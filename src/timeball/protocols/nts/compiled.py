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
from timeball.protocols.nts.siv import kernels as siv
from timeball.protocols.nts.siv.libcrypto import LibcryptoFailed, free_context, new_context

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
        self.work = kernels.Work(np.zeros(kernels.WORK_BYTES // 8, np.int64))
        self.address = self.work.words.ctypes.data
        for at, mode in ((siv.CLIENT + siv.KEY_CBC, "cbc"), (siv.CLIENT + siv.KEY_CTR, "ecb")):
            self.work.words[at // 8] = self.new(mode)
        self.work.words[kernels.NONCE_CONTEXT // 8] = nonces = self.new("ecb")
        self.write(kernels.SALT, seed)
        siv.set_key(nonces, self.address, self.address + kernels.SALT)
        self.write(kernels.SALT, seed[16:] + bytes(16))
        self.check()

    def write(self, at: int, data: bytes) -> None:
        """Put bytes at an offset of the memory."""
        self.work.words.view(np.uint8)[at : at + len(data)] = np.frombuffer(data, np.uint8)

    def check(self) -> None:
        """Raise LibcryptoFailed when a call of libcrypto has failed since the last request."""
        if self.work.words[siv.FAILED // 8]:
            raise LibcryptoFailed("libcrypto took no key")

    def close(self) -> None:
        """Free the contexts and wipe the memory."""
        super().close()
        self.work.words[:] = 0


class CompiledRing(_Contexts):
    """The cookie keys of one loop: `ring` is what kernels take. Raises LibcryptoFailed."""

    def __init__(self, keys: KeyRing) -> None:
        super().__init__()
        self.ring = kernels.Ring(np.zeros(kernels.RING_BYTES // 8, np.int64))
        for slot, index in np.ndindex(kernels.SLOTS, kernels.MOST_KEYS):
            at = kernels.RING_HEAD + (slot * kernels.MOST_KEYS + index) * siv.KEY_BYTES
            for place, mode in ((siv.KEY_CBC, "cbc"), (siv.KEY_ECB, "ecb"), (siv.KEY_CTR, "ecb")):
                self.ring.words[(at + place) // 8] = self.new(mode)
        self._install(keys)
        self.ring.words[kernels.SEEN // 8] = self.generation

    @property
    def generation(self) -> int:
        """How often keys were installed."""
        return int(self.ring.words[kernels.GENERATION // 8])

    def install(self, keys: KeyRing) -> None:
        """Have the loop use these keys from its next round on. Raises RingBusy, LibcryptoFailed."""
        if self.ring.words[kernels.SEEN // 8] != self.generation:
            raise RingBusy("the loop has not taken the last change of cookie keys yet")
        self._install(keys)

    def _install(self, keys: KeyRing) -> None:
        generation = self.generation + 1
        slot = generation & 1
        # scratch of its own: the loop's is in use
        with CompiledWork(bytes(SEED_BYTES)) as scratch:
            count = 0
            for count, key in enumerate(keys, 1):
                scratch.write(kernels.SESSION, key.key)
                kernels.install_key(self.ring, scratch.work, slot, count - 1, key.id)
            scratch.check()
            self.ring.words[kernels.COUNT // 8 + slot] = count
        kernels.publish(self.ring, generation)

    def close(self) -> None:
        """Free the contexts and wipe what was derived from the keys."""
        super().close()
        self.ring.words[:] = 0
