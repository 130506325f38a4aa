"""The four calls of libc that compiled loops make (64-bit Linux): the clock, datagrams in and out, a socket option.

Addresses pass as integers; a loop's own arrays stand behind them (clock_gettime(2), recvmmsg(2), sendmmsg(2),
setsockopt(2)). Named
external functions, not ctypes pointers, because numba can keep the code that calls them in its cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from numba import types

_INT, _UINT, _ADDRESS = types.int32, types.uint32, types.uintp

clock_gettime = cast(
    "Callable[[int, int], int]",
    types.ExternalFunction("clock_gettime", _INT(_INT, _ADDRESS)),
)
recvmmsg = cast(
    "Callable[[int, int, int, int, int], int]",
    types.ExternalFunction("recvmmsg", _INT(_INT, _ADDRESS, _UINT, _INT, _ADDRESS)),
)
sendmmsg = cast(
    "Callable[[int, int, int, int], int]",
    types.ExternalFunction("sendmmsg", _INT(_INT, _ADDRESS, _UINT, _INT)),
)
setsockopt = cast(
    "Callable[[int, int, int, int, int], int]",
    types.ExternalFunction("setsockopt", _INT(_INT, _INT, _INT, _ADDRESS, _UINT)),
)
