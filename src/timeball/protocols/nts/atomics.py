"""Publish a word from one thread to another, for compiled loops: an acquire load and a release store of an int64.

Both take the address of an aligned word and are callable from numba-compiled functions only. No later access moves
before the load, no earlier one behind the store (LLVM Language Reference, "Atomic Memory Ordering Constraints").
"""

# ruff: noqa: ARG001 (an intrinsic's parameters are its signature, used or not)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = ir.IntType(64)
WORD_BYTES = 8


@intrinsic
def _load_acquire(typingctx: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], WORD.as_pointer())
        return builder.load_atomic(pointer, "acquire", WORD_BYTES, typ=WORD)

    return types.int64(types.int64), codegen


@intrinsic
def _store_release(typingctx: Any, address: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], builder.inttoptr(args[0], WORD.as_pointer()), "release", WORD_BYTES)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


load_acquire = cast("Callable[[int], int]", _load_acquire)
store_release = cast("Callable[[int, int], None]", _store_release)
