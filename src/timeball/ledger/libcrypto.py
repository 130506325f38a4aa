"""SHA-256 of the system's libcrypto, as compiled loops call it: SHA256_Init, SHA256_Update, SHA256_Final.

Addresses pass as integers; the caller's arrays stand behind them. These calls of OpenSSL's are deprecated, not removed
(SHA256_Init(3)): they fetch no algorithm and allocate nothing, which is what makes short messages cheap. Where no
libcrypto is found, or nothing is compiled, `FOUND` is false and callers use hashlib, with equal answers. Loading a
library is the only thing done here that touches the system; hashlib itself stands on the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from numba import config, types

from timeball.libcrypto import bind_functions

# Sonames whose SHA256_CTX is the one below; a library under another name may lay it out otherwise.
_NAMES = ("libcrypto.so.3", "libcrypto.so.1.1")
_FUNCTIONS = ("SHA256_Init", "SHA256_Update", "SHA256_Final")
# struct SHA256_CTX has 112 bytes: eight words of state, the length, sixteen words of data, two counts
CONTEXT_BYTES = 112

_INT, _ADDRESS = types.int32, types.uintp

sha256_init = cast(
    "Callable[[int], int]",
    types.ExternalFunction("timeball_SHA256_Init", _INT(_ADDRESS)),
)
sha256_update = cast(
    "Callable[[int, int, int], int]",
    types.ExternalFunction("timeball_SHA256_Update", _INT(_ADDRESS, _ADDRESS, _ADDRESS)),
)
sha256_final = cast(
    "Callable[[int, int], int]",
    types.ExternalFunction("timeball_SHA256_Final", _INT(_ADDRESS, _ADDRESS)),
)


def find_sha256(names: tuple[str, ...] = _NAMES) -> bool:
    """Give compiled code the functions under names of their own; False when no library of `names` has them."""
    return bind_functions(_FUNCTIONS, names) is not None


FOUND = not config.DISABLE_JIT and find_sha256()  # type: ignore[attr-defined]
