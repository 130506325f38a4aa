"""AES-128 of the system's libcrypto, as compiled loops call it: EVP_EncryptInit_ex, EVP_EncryptUpdate on kept contexts.

Addresses pass as integers; the caller's arrays stand behind them (EVP_EncryptInit(3)). Contexts are made and freed
from Python, keyed and used from compiled code: making one costs more than a whole request. A context belongs to one
thread at a time. Where no libcrypto is found, or nothing is compiled, `FOUND` is false, and packets are answered
through server.py and `cryptography`. Loading a library is the only thing done here that touches the system.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from typing import cast

from numba import config, types

from timeball.libcrypto import bind_functions

# These calls mean the same in all of them (OpenSSL 1.1.0 on).
_NAMES = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so.4")
_COMPILED = ("EVP_EncryptInit_ex", "EVP_EncryptUpdate")
_INT, _ADDRESS = types.int32, types.uintp

evp_encrypt_init = cast(
    "Callable[[int, int, int, int, int], int]",
    types.ExternalFunction("timeball_EVP_EncryptInit_ex", _INT(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS)),
)
evp_encrypt_update = cast(
    "Callable[[int, int, int, int, int], int]",
    types.ExternalFunction("timeball_EVP_EncryptUpdate", _INT(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _INT)),
)


class LibcryptoFailed(RuntimeError):
    """A call of libcrypto gave nothing, or no libcrypto is here."""


class _Calls:
    """What Python itself calls: contexts come and go."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.new, self.free = library["EVP_CIPHER_CTX_new"], library["EVP_CIPHER_CTX_free"]
        self.init, self.padding = library["EVP_EncryptInit_ex"], library["EVP_CIPHER_CTX_set_padding"]
        self.ciphers = {"cbc": library["EVP_aes_128_cbc"], "ecb": library["EVP_aes_128_ecb"]}
        self.new.restype = ctypes.c_void_p
        self.free.argtypes = (ctypes.c_void_p,)
        self.init.argtypes = (ctypes.c_void_p,) * 3 + (ctypes.c_char_p,) * 2
        self.padding.argtypes = (ctypes.c_void_p, ctypes.c_int)
        for cipher in self.ciphers.values():
            cipher.restype = ctypes.c_void_p


def find_aes(names: tuple[str, ...] = _NAMES) -> _Calls | None:
    """Give compiled code the functions under names of their own; None when no library of `names` has them."""
    for name in names:
        library = bind_functions(_COMPILED, (name,))
        with contextlib.suppress(AttributeError):
            if library is not None:
                return _Calls(library)
    return None


_CALLS = None if config.DISABLE_JIT else find_aes()  # type: ignore[attr-defined]
FOUND = _CALLS is not None


def new_context(mode: str) -> int:
    """The address of a context of AES-128 in `mode` "cbc" or "ecb", without padding, its key and IV zero until set.

    Whoever asked for it gives it back to `free_context`. Raises LibcryptoFailed.
    """
    if _CALLS is None:
        raise LibcryptoFailed("no libcrypto was found")
    context = _CALLS.new()
    if not context:
        raise LibcryptoFailed("libcrypto gave no context")
    if _CALLS.init(context, _CALLS.ciphers[mode](), None, bytes(16), bytes(16)) != 1:
        _CALLS.free(context)
        raise LibcryptoFailed(f"libcrypto has no AES-128 in mode {mode}")
    _CALLS.padding(context, 0)
    return int(context)


def free_context(context: int) -> None:
    """Give a context back; libcrypto wipes its key. Nobody may use it any more."""
    if _CALLS is not None:
        _CALLS.free(context)
