"""The system's libcrypto for compiled loops: its functions found, and bound to names that numba's external calls use.

Each room names the functions it calls, and under which sonames they mean what it takes them for. Loading a library is
the only thing done here that touches the system.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import llvmlite.binding


def bind_functions(functions: Sequence[str], names: Sequence[str]) -> ctypes.CDLL | None:
    """Bind each of `functions` to `timeball_FUNCTION`, of the first library of `names` that has all; None: none has.

    The library stays local to this process and to these names: nothing else is bound to it by having it loaded.
    """
    for name in names:
        try:
            library = ctypes.CDLL(name)
            addresses = [ctypes.cast(library[function], ctypes.c_void_p).value for function in functions]
        except (OSError, AttributeError):
            continue
        for function, address in zip(functions, addresses, strict=True):
            llvmlite.binding.add_symbol(f"timeball_{function}", address)
        return library
    return None
