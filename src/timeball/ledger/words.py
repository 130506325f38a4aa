"""Eight bytes at once for compiled loops: `load_word` reads the word at an address that need not be aligned.

It is callable from compiled functions only. Which byte of the word comes first does not matter to its callers: they
compare words, or ask whether any byte is of a kind.
"""

# ruff: noqa: ARG001 (an intrinsic's parameters are its signature, used or not)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD_BYTES = 8
_WORD = ir.IntType(64)


@intrinsic
def _load_word(typingctx: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], _WORD.as_pointer()), align=1, typ=_WORD)

    return types.uint64(types.uintp), codegen


load_word = cast("Callable[[int], int]", _load_word)
