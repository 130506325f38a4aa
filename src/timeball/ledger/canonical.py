"""Canonical JSON of the ledger: the subset of RFC 8785 (JCS) without floating-point numbers.

Objects with ASCII keys in code-unit order, arrays, strings, true, false, null, and integers below 2**53 in size; all
other numbers travel as decimal strings. The bytes of a value are unique, so a digest of them is a digest of the value.
It does not accept what is merely valid JSON: `decode` refuses bytes that `encode` would have written differently.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from timeball.ledger.errors import CanonicalError

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64

_SCALARS = frozenset({str, bool, type(None)})
_ENCODER = msgspec.json.Encoder(order="sorted")


def encode(value: object) -> bytes:
    """Give the canonical bytes of a value made of dict, list, tuple, str, int, bool and None.

    Raises CanonicalError for a float, an integer of 2**53 or more, a key that is not ASCII text, a lone surrogate, or
    nesting deeper than 64.
    """
    _check(value, "$", 0)
    try:
        return _ENCODER.encode(value)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError) as error:
        raise CanonicalError(f"not encodable: {error}") from error


def decode(data: bytes) -> Any:
    """Parse canonical bytes; raises CanonicalError when they are not JSON, or not the canonical form of it."""
    try:
        value = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CanonicalError(f"not JSON: {error}") from error
    if encode(value) != data:
        raise CanonicalError("not in canonical form (key order, duplicate key, blank space, or escape)")
    return value


def _refuse_float(text: str) -> NoReturn:
    raise CanonicalError(f"a number with fraction or exponent is not allowed: {text!r}")


_DECODER = msgspec.json.Decoder(float_hook=_refuse_float)


def _check(value: object, where: str, depth: int) -> None:
    kind = type(value)
    if depth > MAX_DEPTH and isinstance(value, (list, tuple, dict)):
        raise CanonicalError(f"{where}: nested deeper than {MAX_DEPTH}")
    if isinstance(value, (list, tuple)):
        _check_array(value, where, depth)
    elif isinstance(value, dict):
        _check_object(value, where, depth)
    elif kind is int:
        _check_integer(value, where)
    elif kind not in _SCALARS:
        raise CanonicalError(f"{where}: {kind.__name__} is not allowed in the ledger: {value!r}")


def _check_array(values: list[object] | tuple[object, ...], where: str, depth: int) -> None:
    # long columns of one scalar kind are the usual case: decide by the set of kinds, not element by element
    kinds = set(map(type, values))
    if kinds <= _SCALARS:
        return
    if kinds == {int}:
        _check_integer(max(values), where)  # type: ignore[type-var]
        _check_integer(min(values), where)  # type: ignore[type-var]
        return
    for position, value in enumerate(values):
        _check(value, f"{where}[{position}]", depth + 1)


def _check_object(members: dict[object, object], where: str, depth: int) -> None:
    for key, value in members.items():
        if type(key) is not str or not key.isascii():
            raise CanonicalError(f"{where}: a key must be ASCII text, not {key!r}")
        if type(value) not in _SCALARS:
            _check(value, f"{where}.{key}", depth + 1)


def _check_integer(value: object, where: str) -> None:
    if not -MAX_INTEGER <= value <= MAX_INTEGER:  # type: ignore[operator]
        raise CanonicalError(f"{where}: {value} does not fit 2**53; write it as a decimal string")
