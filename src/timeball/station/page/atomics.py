"""Atomic loads, stores and fences of 64-bit words for compiled loops, emitted as LLVM's own instructions.

Each works on an address (int) of an aligned int64 that other processes read or write. They are callable from
numba-compiled functions only; which of them a seqlock needs, and where, is kernels.py's matter.
Source: LLVM Language Reference, "Atomic Memory Ordering Constraints"; H.-J. Boehm, "Can Seqlocks Get Along With
Programming Language Memory Models?", MSPC 2012, figure 6.
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

Codegen = tuple[Any, Callable[..., Any]]


def _load(ordering: str) -> Callable[[int], int]:
    @intrinsic
    def load(typingctx: Any, address: Any) -> Codegen:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], WORD.as_pointer())
            return builder.load_atomic(pointer, ordering, WORD_BYTES, typ=WORD)

        return types.int64(types.int64), codegen

    return cast("Callable[[int], int]", load)


def _store(ordering: str) -> Callable[[int, int], None]:
    @intrinsic
    def store(typingctx: Any, address: Any, value: Any) -> Codegen:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store_atomic(args[1], builder.inttoptr(args[0], WORD.as_pointer()), ordering, WORD_BYTES)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return cast("Callable[[int, int], None]", store)


def _fence(ordering: str) -> Callable[[], None]:
    @intrinsic
    def fence(typingctx: Any) -> Codegen:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.fence(ordering)
            return context.get_dummy_value()

        return types.void(), codegen

    return cast("Callable[[], None]", fence)


# No later access moves before an acquire load; no earlier one moves behind a release store.
load_acquire = _load("acquire")
store_release = _store("release")

# Whole (never torn, never invented, never merged), in no order by themselves: the fences around them give it.
load_relaxed = _load("monotonic")
store_relaxed = _store("monotonic")

# No load before an acquire fence moves behind it; no store after a release fence moves before it.
fence_acquire = _fence("acquire")
fence_release = _fence("release")
