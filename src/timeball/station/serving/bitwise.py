"""Two instructions for compiled loops that numba does not give: turning the bytes of a word, and fetching ahead.

Callable from numba-compiled functions only. Source: LLVM Language Reference, llvm.bswap and llvm.prefetch.
"""

# ruff: noqa: ARG001 (an intrinsic's parameters are its signature, used or not)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = ir.IntType(64)
SHORT = ir.IntType(32)
BYTES = ir.IntType(8).as_pointer()
# of a read, wanted soon and often, in the data cache
READ, KEEP, DATA_CACHE = 0, 3, 1

Codegen = tuple[Any, Callable[..., Any]]


@intrinsic
def _swap(typingctx: Any, word: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bswap(args[0])

    return types.int64(types.int64), codegen


@intrinsic
def _fetch(typingctx: Any, address: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [BYTES, SHORT, SHORT, SHORT])
        function = builder.module.declare_intrinsic("llvm.prefetch", [BYTES], kind)
        pointer = builder.inttoptr(args[0], BYTES)
        builder.call(function, [pointer, SHORT(READ), SHORT(KEEP), SHORT(DATA_CACHE)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


swap_bytes = cast("Callable[[int], int]", _swap)
"""A 64-bit word with its bytes in the other order: the host's to the wire's, and back."""
fetch_ahead = cast("Callable[[int], None]", _fetch)
"""Ask for the cache line at an address; nothing waits for it."""
