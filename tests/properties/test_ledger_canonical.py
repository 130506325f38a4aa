"""Canonical JSON equals the rfc8785 package's on everything the ledger allows, and refuses everything else."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.ledger.errors import CanonicalError

KEYS = st.text(st.characters(max_codepoint=127), max_size=12)
INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | INTEGERS | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5))


@given(VALUES)
def test_same_bytes_as_the_reference_package(value: object) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(VALUES)
def test_round_trip(value: object) -> None:
    assert canonical.decode(canonical.encode(value)) == value


@given(VALUES, st.sampled_from(["indent", "ascii", "spaces", "unsorted"]))
def test_other_spellings_of_the_same_value_are_refused(value: object, style: str) -> None:
    data = {
        "indent": lambda: json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False),
        "ascii": lambda: json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=True),
        "spaces": lambda: json.dumps(value, sort_keys=True, ensure_ascii=False) + " ",
        "unsorted": lambda: json.dumps({"b": value, "a": value}, separators=(",", ":"), ensure_ascii=False),
    }[style]().encode()
    try:
        decoded = canonical.decode(data)
    except CanonicalError:
        return
    # only when the other style happens to write the very same bytes
    assert canonical.encode(decoded) == data


@given(st.binary(max_size=60))
def test_any_bytes_decode_to_their_own_canonical_form_or_are_refused(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except CanonicalError:
        return
    assert canonical.encode(value) == data


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        [1, 2.5],
        {"a": {"b": [1.5]}},
        2**53,
        -(2**53),
        [0, 2**53],
        {"ü": 1},
        {1: 2},
        {"a": b"x"},
        {1, 2},
        "\ud800",
        ["ok", {"a": "\udfff"}],
        pytest.param(object(), id="object"),
    ],
    ids=repr,
)
def test_what_the_ledger_does_not_carry(value: object) -> None:
    with pytest.raises(CanonicalError):
        canonical.encode(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b"9007199254740992",
        b"123456789012345678901234567890",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\u00E9"',
        b"NaN",
        b"[1, 2]",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
    ],
)
def test_bytes_that_are_not_canonical(data: bytes) -> None:
    with pytest.raises(CanonicalError):
        canonical.decode(data)


def test_nesting_has_a_bottom() -> None:
    deep: object = 0
    for _ in range(canonical.MAX_DEPTH):
        deep = [deep]
    assert canonical.decode(canonical.encode(deep)) == deep
    with pytest.raises(CanonicalError, match="nested"):
        canonical.encode([[deep]])
    with pytest.raises(CanonicalError):
        canonical.decode(b"[" * 5000 + b"]" * 5000)
