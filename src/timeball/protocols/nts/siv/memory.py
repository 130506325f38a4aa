"""Memory as compiled loops see it here: bytes, words and blocks at an address, wherever it lies, and words published.

Addresses are int64; the caller's arrays stand behind them and outlive their use. These are callable from
numba-compiled functions only. They give the code a C compiler would make of it: indexing an array at the places where
fields of a packet begin costs more than the arithmetic done there. Source: LLVM Language Reference.
"""

# ruff: noqa: ARG001 (an intrinsic's parameters are its signature, used or not)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_BYTE, _WORD = ir.IntType(8), ir.IntType(64)
_BLOCK = ir.VectorType(_WORD, 2)
_WORD_BYTES = 8

Codegen = tuple[Any, Callable[..., Any]]


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def _address(typingctx: Any, array: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, _WORD)

    return types.int64(array), codegen


@intrinsic
def _load_byte(typingctx: Any, address: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.zext(builder.load(_at(builder, args[0], _BYTE)), _WORD)

    return types.int64(types.int64), codegen


@intrinsic
def _store_byte(typingctx: Any, address: Any, value: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(builder.trunc(args[1], _BYTE), _at(builder, args[0], _BYTE))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def _load_word(typingctx: Any, address: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_at(builder, args[0], _WORD), align=1)

    return types.uint64(types.int64), codegen


@intrinsic
def _store_word(typingctx: Any, address: Any, value: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], _at(builder, args[0], _WORD), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), codegen


@intrinsic
def _get(typingctx: Any, address: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_at(builder, args[0], _WORD), align=_WORD_BYTES)

    return types.int64(types.int64), codegen


@intrinsic
def _put(typingctx: Any, address: Any, value: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], _at(builder, args[0], _WORD), align=_WORD_BYTES)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def _swap(typingctx: Any, word: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bswap(args[0])

    return types.uint64(types.uint64), codegen


@intrinsic
def _xor_block(typingctx: Any, to: Any, first: Any, second: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one, other = (builder.load(_at(builder, address, _BLOCK), align=1) for address in args[1:])
        builder.store(builder.xor(one, other), _at(builder, args[0], _BLOCK), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def _copy_block(typingctx: Any, to: Any, source: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = builder.load(_at(builder, args[1], _BLOCK), align=1)
        builder.store(block, _at(builder, args[0], _BLOCK), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def _load_acquire(typingctx: Any, address: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_at(builder, args[0], _WORD), "acquire", _WORD_BYTES, typ=_WORD)

    return types.int64(types.int64), codegen


@intrinsic
def _store_release(typingctx: Any, address: Any, value: Any) -> Codegen:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _at(builder, args[0], _WORD), "release", _WORD_BYTES)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


def constant(number: int) -> int:
    """A number for compiled code: numba compiles a function anew for each plain one that it is called with."""
    return cast("int", np.int64(number))


# Where an array's data begins.
address = cast("Callable[[Any], int]", _address)
# One byte as a number; words of 64 bits as they lie in memory, at any address.
load_byte = cast("Callable[[int], int]", _load_byte)
store_byte = cast("Callable[[int, int], None]", _store_byte)
load_word = cast("Callable[[int], Any]", _load_word)
store_word = cast("Callable[[int, Any], None]", _store_word)
# Signed words at aligned addresses: counts, lengths, addresses.
get = cast("Callable[[int], int]", _get)
put = cast("Callable[[int, int], None]", _put)
# The eight bytes of a word in the other order.
swap = cast("Callable[[Any], Any]", _swap)
# 16 bytes: to ← first XOR second; to ← source.
xor_block = cast("Callable[[int, int, int], None]", _xor_block)
copy_block = cast("Callable[[int, int], None]", _copy_block)
# No later access moves before the load, no earlier one behind the store: a word published from thread to thread.
load_acquire = cast("Callable[[int], int]", _load_acquire)
store_release = cast("Callable[[int, int], None]", _store_release)

# memcpy(3)
copy = cast(
    "Callable[[int, int, int], int]",
    types.ExternalFunction("memcpy", types.uintp(types.uintp, types.uintp, types.uintp)),
)
