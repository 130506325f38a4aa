"""Compiled NTS as one loop has it: its cookie keys, its contexts of libcrypto, and whether all that may be used."""

from __future__ import annotations

import logging
import os

import llvmlite.binding
import numpy as np

from timeball.protocols.nts import kernels
from timeball.protocols.nts.compiled import SEED_BYTES, CompiledRing, CompiledWork
from timeball.protocols.nts.keyring import KeyRing
from timeball.protocols.nts.selftest import SelfTestFailed, self_test
from timeball.protocols.nts.siv import libcrypto
from timeball.protocols.nts.siv.libcrypto import LibcryptoFailed

_NOWHERE = 8


def resolve_calls() -> None:
    """Where no libcrypto is found, give its names an address, so that code that is never entered can be linked."""
    if not libcrypto.FOUND:
        for name in libcrypto._COMPILED:
            llvmlite.binding.add_symbol(f"timeball_{name}", _NOWHERE)


def why_not_compiled(log: logging.Logger) -> bool:
    """Whether NTS is to be answered by hand: without libcrypto, or when what is compiled fails its test; logged."""
    try:
        if libcrypto.FOUND:
            self_test(os.urandom(SEED_BYTES))
            return False
        log.warning("no libcrypto is found: NTS is answered by cryptography, at a tenth of the rate")
    except (SelfTestFailed, LibcryptoFailed) as error:
        log.error("compiled NTS is not used, cryptography answers: %s", error)
    return True


class Sealing:
    """The keys and the memory of one loop; made in its thread, closed when it has ended."""

    def __init__(self, *, by_hand: bool) -> None:
        self._work = None if by_hand else CompiledWork(os.urandom(SEED_BYTES))
        self._ring: CompiledRing | None = None
        self.work = kernels.Work(np.zeros(1, np.int64)) if self._work is None else self._work.work
        # without keys: a ring of none knows no cookie
        self.ring = kernels.Ring(np.zeros(kernels.RING_BYTES // 8, np.int64))

    def take(self, keys: KeyRing | None) -> None:
        """Use these keys from now on. The loop must be outside: it stands still while this is done."""
        if keys is None or self._work is None:
            return
        if self._ring is None:
            self._ring = CompiledRing(keys)
            self.ring = self._ring.ring
            return
        kernels.adopt_keys(self.ring, self.work)
        self._ring.install(keys)

    def close(self) -> None:
        """Free what libcrypto holds, and wipe the keys."""
        for part in (self._ring, self._work):
            if part is not None:
                part.close()
