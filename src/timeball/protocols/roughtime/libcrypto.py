"""SHA-512 of the system's libcrypto, as compiled loops call it: SHA512_Init, SHA512_Update, SHA512_Final.

Addresses pass as integers; the caller's arrays stand behind them. As in the ledger's room (ADR 0015): these calls are
deprecated, not removed, and fetch and allocate nothing. Where no libcrypto is found, or nothing is compiled, `FOUND` is
false and the server answers in plain Python. Loading a library is the only thing done here that touches the system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numba import config, types

from timeball.libcrypto import bind_functions

# Sonames whose SHA512_CTX is the one below; a library under another name may lay it out otherwise.
_NAMES = ("libcrypto.so.3", "libcrypto.so.1.1")
_FUNCTIONS = ("SHA512_Init", "SHA512_Update", "SHA512_Final")
# struct SHA512_CTX has 216 bytes: eight words of state, two of the length, sixteen of data, two counts
CONTEXT_BYTES = 216

_INT, _ADDRESS = types.int32, types.uintp

sha512_init = cast(
    "Callable[[int], int]",
    types.ExternalFunction("timeball_SHA512_Init", _INT(_ADDRESS)),
)
sha512_update = cast(
    "Callable[[int, int, int], int]",
    types.ExternalFunction("timeball_SHA512_Update", _INT(_ADDRESS, _ADDRESS, _ADDRESS)),
)
sha512_final = cast(
    "Callable[[int, int], int]",
    types.ExternalFunction("timeball_SHA512_Final", _INT(_ADDRESS, _ADDRESS)),
)


def find_sha512(names: tuple[str, ...] = _NAMES) -> bool:
    """Give compiled code the functions under names of their own; False when no library of `names` has them."""
    return bind_functions(_FUNCTIONS, names) is not None


# the compiled loops read and write whole words, the lowest byte first
FOUND = np.little_endian and not config.DISABLE_JIT and find_sha512()  # type: ignore[attr-defined]
