"""The compiled parsers accept what the plain ones accept and nothing else: valid, damaged and arbitrary bytes."""

from __future__ import annotations

import binascii
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeball.ledger import canonical, entry, kernels
from timeball.ledger.batch import is_batch
from timeball.ledger.errors import CanonicalError, EntryError, TileError
from timeball.ledger.payload import parse_frame, write_frame

STACK = np.empty(kernels.STACK_SHAPE, np.int64)
# Letters that the grammar turns on come often, so that a damaged text is nearly right
LETTERS = st.sampled_from(b'{}[]",:\\/bfnrtu0123456789abcdef-+.eE \t\n\x00\x1f\x7f\x80\xa0\xc2\xe0\xed\xf0\xf4\xff')
KEYS = st.text(st.characters(max_codepoint=127), max_size=6) | st.sampled_from(["batch", "signature", "a", "", "\n"])
INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER) | st.integers(-20, 20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
SCALARS = st.none() | st.booleans() | INTEGERS | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5))
MEMBERS = {"batch": kernels.MEMBER_BATCH, "signature": kernels.MEMBER_SIGNATURE}


def scan(data: bytes) -> int:
    """The kernel's verdict, with other bytes before and behind that it must not look at."""
    around = np.frombuffer(b'"' + data + b'"}]0', np.uint8)
    return int(kernels.scan_canonical(around, 1, 1 + len(data), STACK))


def agree_on_canonical(data: bytes) -> bool:
    verdict = scan(data)
    try:
        value = canonical.decode(data)
    except CanonicalError:
        assert verdict == kernels.REFUSED, data
        return False
    members = sum(flag for name, flag in MEMBERS.items() if isinstance(value, dict) and name in value)
    assert verdict == members, data
    assert (verdict == kernels.SIGNED_BATCH) == is_batch(value)
    return True


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    """A few bytes changed, put in, or taken out."""
    result = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(result)))
        letters = data.draw(st.lists(LETTERS, max_size=2))
        result[position : position + data.draw(st.integers(0, 2))] = bytes(letters)
    return bytes(result)


@given(VALUES)
def test_canonical_values(value: object) -> None:
    assert agree_on_canonical(canonical.encode(value))


@settings(max_examples=400)
@given(st.data())
def test_damaged_canonical_values(data: st.DataObject) -> None:
    agree_on_canonical(damaged(data, canonical.encode(data.draw(VALUES))))


@settings(max_examples=400)
@given(st.binary(max_size=40) | st.lists(LETTERS, max_size=12).map(bytes))
def test_any_bytes_as_canonical(data: bytes) -> None:
    agree_on_canonical(data)


@given(VALUES, st.booleans())
def test_other_spellings(value: object, ascii_only: bool) -> None:
    agree_on_canonical(json.dumps({"b": value, "a": value}, separators=(",", ":"), ensure_ascii=ascii_only).encode())
    agree_on_canonical(json.dumps({"a": value, "b": 1}, separators=(",", ":"), ensure_ascii=ascii_only).encode())


@given(st.text(st.characters(max_codepoint=0x2FFF), max_size=3), st.integers(0, 0x2F))
def test_escapes(text: str, code: int) -> None:
    for body in (f"\\u00{code:02x}", f"\\u00{code:02X}", f"\\u{code:04x}{text}", f"\\{chr(code)}", text):
        agree_on_canonical(f'"{body}"'.encode())
        agree_on_canonical(f'{{"{body}":1}}'.encode())
        agree_on_canonical(f'{{"{body}":1,"{body}":1}}'.encode())


def test_every_sequence_of_two_bytes_in_a_string() -> None:
    """UTF-8's borders are in the first two bytes; with one and two more that are right behind them."""
    accepted = 0
    for first in range(256):
        for second in range(256):
            for more in (b"", b"\x80", b"\x80\x80"):
                data = b'"' + bytes((first, second)) + more + b'"'
                try:
                    data.decode()
                except UnicodeDecodeError:
                    # the scanner alone is asked, because decoding is slow: not UTF-8 is not JSON
                    assert scan(data) == kernels.REFUSED, data
                else:
                    accepted += agree_on_canonical(data)
    assert accepted > 10_000


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740991", "9007199254740992", "-9007199254740991", "-9007199254740992", "-0", "0", "-", "00", "01",
        "-01", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1" * 400, "1.0", "1e1", "+1",
        "{}", "[]", "[[]]", "[{}]", "{\"a\":{}}", "[,]", "[1,]", "[1 ]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "[}", "{]", "[1}", "{\"a\":1]", "1]", "[1", "[1,2", "true", "tru", "truee", "null", "nul", "false", "\"",
        "\"\\", "\"\\u", "\"\\u001", "\"\\u001f\"", "\"\\u001F\"", "{\"\\u0001\":1,\"\\n\":2}",
        "{\"\\n\":1,\"\\u0001\":2}",
        "{\"\\\"\":1,\"#\":2}", "{\"#\":1,\"\\\"\":2}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"ab\":2}",
        "{\"ab\":1,\"a\":2}",
        "{\"[\":1,\"\\\\\":2,\"]\":3}", "{\"batch\":1,\"signature\":2}", "{\"a\":{\"batch\":1,\"signature\":2}}",
        "[{\"batch\":1,\"signature\":2}]", "{\"é\":1}", " 1", "1 ", "", "\ufeff1",
    ],
)  # fmt: skip
def test_border_cases(text: str) -> None:
    agree_on_canonical(text.encode())


@pytest.mark.parametrize("inner", ["", "0", '"a"', '1,"a"', "{}", '{"a":1}', '{"a":"b"}', "[0]", "[[0]]"])
@pytest.mark.parametrize("depth", range(canonical.MAX_DEPTH - 3, canonical.MAX_DEPTH + 4))
def test_the_bottom_of_nesting(inner: str, depth: int) -> None:
    agree_on_canonical(("[" * depth + inner + "]" * depth).encode())
    agree_on_canonical(('{"a":' * depth + (inner or "0") + "}" * depth).encode())


def agree_on_envelope(leaf: bytes) -> bool:
    around = np.frombuffer(b"{" + leaf + b"}0", np.uint8)
    fields, digest = np.zeros(kernels.FIELDS, np.int64), np.zeros(32, np.uint8)
    verdict = kernels.parse_envelope(around, 1, 1 + len(leaf), fields, digest)
    try:
        envelope = entry.parse_envelope(leaf)
    except EntryError:
        assert not verdict, leaf
        return False
    assert verdict, leaf
    text = around.tobytes()
    by = text[fields[kernels.BY] : fields[kernels.BY] + fields[kernels.BY_LENGTH]]
    kind = text[fields[kernels.TYPE] : fields[kernels.TYPE] + fields[kernels.TYPE_LENGTH]]
    supersedes = None if fields[kernels.SUPERSEDES] < 0 else fields[kernels.SUPERSEDES]
    assert (by.decode(), kind.decode()) == (envelope.by, envelope.type)
    assert (fields[kernels.SEQ], fields[kernels.TIME]) == (envelope.seq, envelope.time_ns)
    assert (supersedes, fields[kernels.VERSION]) == (envelope.supersedes, envelope.version)
    assert binascii.b2a_base64(digest.tobytes(), newline=False).decode() == envelope.digest
    return True


NAMES = st.from_regex(r"[a-z][a-z0-9_.:/-]{0,63}", fullmatch=True)
COUNTS = st.integers(1, canonical.MAX_INTEGER) | st.integers(1, 20)
ENVELOPES = st.builds(
    entry.make_envelope,
    by=NAMES,
    seq=COUNTS,
    time_ns=st.integers(0, 2**63 - 1),
    type=NAMES,
    version=COUNTS,
    salt=st.binary(min_size=16, max_size=32),
    payload=st.binary(max_size=10),
    supersedes=st.none() | st.integers(0, canonical.MAX_INTEGER),
).map(entry.write_envelope)


@given(ENVELOPES)
def test_envelopes(leaf: bytes) -> None:
    assert agree_on_envelope(leaf)


@settings(max_examples=500)
@given(st.data())
def test_damaged_envelopes(data: st.DataObject) -> None:
    agree_on_envelope(damaged(data, data.draw(ENVELOPES)))


@given(st.binary(max_size=60))
@example(b"")
@example(b'{"by":"')
def test_any_bytes_as_an_envelope(leaf: bytes) -> None:
    agree_on_envelope(leaf)


GOOD = '{"by":"a","digest":"' + "A" * 43 + '=","seq":1,"time":"0","type":"a","version":1}'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"a",', '"' + "a" * 64 + '",'), ('"a",', '"' + "a" * 65 + '",'), ('"a",', '"",'), ('"a",', '"9",'),
        ('"a",', '"A",'), ('"a",', '"\\u0061",'), ('"a",', '"a\\n",'), ("AAA=", "AAB="), ("AAA=", "AAE="),
        ("AAA=", "AA=="), ("AAA=", "AAAA"), ("AAA=", "AAA"), ("A=", "_="), ('seq":1', 'seq":0'),
        ('seq":1', 'seq":-1'),
        ('seq":1', 'seq":01'), ('seq":1', 'seq":1.0'), ('seq":1', 'seq":9007199254740991'),
        ('seq":1', 'seq":9007199254740992'),
        ('seq":1', 'seq":18446744073709551617'), ('seq":1', 'seq":1,"supersedes":0'),
        ('seq":1', 'seq":1,"supersedes":null'), ('seq":1', 'seq":1,"supersedes":-1'),
        ('seq":1', 'seq":1,"supersedes":9007199254740992'), (':"0"', ':"00"'),
        (':"0"', ':"-1"'), (':"0"', ':""'), (':"0"', ':"9223372036854775807"'), (':"0"', ':"9223372036854775808"'),
        (':"0"', ':"9999999999999999999"'), (':"0"', ':"10000000000000000000"'), (":1}", ":0}"), (":1}", ":1} "),
        (":1}", ":1"), (":1}", ':1,"x":1}'), ('{"by"', '{ "by"'), ('"by":"a",', ""),
    ],
)  # fmt: skip
def test_borders_of_an_envelope(old: str, new: str) -> None:
    assert agree_on_envelope(GOOD.encode())
    assert old in GOOD
    agree_on_envelope(GOOD.replace(old, new, 1).encode())


@given(st.binary(max_size=12) | st.builds(write_frame, st.binary(min_size=16, max_size=32), st.binary(max_size=9)))
def test_payload_frames(data: bytes) -> None:
    end = kernels.frame_end(np.frombuffer(data, np.uint8), 0)
    try:
        frame = parse_frame(data)
    except TileError:
        assert end < 0 or data[0] == 0  # a tombstone's zeros are looked at elsewhere
        return
    assert end == frame.end
