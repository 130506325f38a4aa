"""Compiled loops of the ledger: SHA-256 of many leaves, frames and nodes at once, and the judging of whole bundles.

`hash_leaves`, `hash_frames` and `fold_pairs` are compiled where libcrypto is found, and loops over hashlib with equal
answers where it is not or where the JIT is off (`COMPILED` says which). Arrays must be contiguous. These loops read
and write arrays only.

`parse_envelope`, `scan_canonical` and `judge_bundle` accept what `entry.parse_envelope`, `canonical.decode` and
`contents` accept, byte for byte, and otherwise say no more than no: the reason is for those modules to give.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.ledger.canonical import MAX_DEPTH, MAX_INTEGER
from timeball.ledger.entry import MAX_SALT, MIN_SALT
from timeball.ledger.libcrypto import CONTEXT_BYTES, FOUND, sha256_final, sha256_init, sha256_update
from timeball.ledger.payload import HEADER, MAX_PAYLOAD, WITHHELD
from timeball.ledger.tiles import WIDTH
from timeball.ledger.words import WORD_BYTES, load_word

# words are taken apart with the lowest byte first
COMPILED = FOUND and np.little_endian
HASH_BYTES = 32
# Scratch of one thread: the context, and behind it the two prefixes of RFC 6962.
SCRATCH_BYTES = 128
LEAF_PREFIX = CONTEXT_BYTES
NODE_PREFIX = CONTEXT_BYTES + 1

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


@njit(cache=True, nogil=True)
def new_scratch() -> Bytes:
    """Scratch for the digests below. Its owner must pass it on by name: behind a bare address it would be freed."""
    scratch = np.zeros(SCRATCH_BYTES, np.uint8)
    scratch[NODE_PREFIX] = 1
    return scratch


@njit(cache=True, nogil=True)
def digest_bytes(scratch: Bytes, data: Bytes, start: int, length: int, out: Bytes, row: int) -> None:
    """SHA-256 of `length` bytes of `data` from `start`, into row `row` of uint8[n, 32] `out`."""
    context = scratch.ctypes.data
    sha256_init(context)
    sha256_update(context, data.ctypes.data + start, length)
    sha256_final(out.ctypes.data + HASH_BYTES * row, context)


@njit(cache=True, nogil=True)
def digest_leaf(scratch: Bytes, data: Bytes, start: int, length: int, out: Bytes, row: int) -> None:
    """SHA-256(0x00 ‖ the bytes), as `digest_bytes` (RFC 6962, 2.1)."""
    context = scratch.ctypes.data
    sha256_init(context)
    sha256_update(context, context + LEAF_PREFIX, 1)
    sha256_update(context, data.ctypes.data + start, length)
    sha256_final(out.ctypes.data + HASH_BYTES * row, context)


@njit(cache=True, nogil=True)
def digest_node(scratch: Bytes, hashes: Bytes, left: int, out: Bytes, row: int) -> None:
    """SHA-256(0x01 ‖ l ‖ r) of rows `left` and `left` + 1 of uint8[m, 32] `hashes`; `out` may be `hashes` itself."""
    context = scratch.ctypes.data
    sha256_init(context)
    sha256_update(context, context + NODE_PREFIX, 1)
    sha256_update(context, hashes.ctypes.data + HASH_BYTES * left, 2 * HASH_BYTES)
    sha256_final(out.ctypes.data + HASH_BYTES * row, context)


@njit(cache=True, nogil=True)
def _hash_leaves(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    scratch = new_scratch()
    for i in range(starts.size):
        if starts[i] < 0 or lengths[i] < 0 or starts[i] + lengths[i] > data.size or i >= out.shape[0]:
            raise IndexError("a leaf is not inside the data")
        digest_leaf(scratch, data, starts[i], lengths[i], out, i)


@njit(cache=True, nogil=True)
def _hash_frames(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    scratch = new_scratch()
    for i in range(starts.size):
        if starts[i] < 0 or lengths[i] < 0 or starts[i] + lengths[i] > data.size or i >= out.shape[0]:
            raise IndexError("a frame is not inside the data")
        digest_bytes(scratch, data, starts[i], lengths[i], out, i)


@njit(cache=True, nogil=True)
def _fold_pairs(row: Bytes, out: Bytes) -> None:
    scratch = new_scratch()
    for i in range(row.shape[0] // 2):
        if i >= out.shape[0]:
            raise IndexError("no room for the parents")
        digest_node(scratch, row, 2 * i, out, i)


def _plain_digests(prefix: bytes, data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    whole, digests = data.tobytes(), []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        if start < 0 or length < 0 or start + length > len(whole):
            raise IndexError("a message is not inside the data")
        digests.append(hashlib.sha256(prefix + whole[start : start + length]).digest())
    if len(digests) > len(out):
        raise IndexError("no room for the digests")
    out[: len(digests)] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, HASH_BYTES)


def _plain_leaves(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    _plain_digests(b"\0", data, starts, lengths, out)


def _plain_frames(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    _plain_digests(b"", data, starts, lengths, out)


def _plain_pairs(row: Bytes, out: Bytes) -> None:
    starts = np.arange(0, row.shape[0] - 1, 2, dtype=np.int64) * HASH_BYTES
    _plain_digests(b"\1", row.reshape(-1), starts, np.full(starts.size, 2 * HASH_BYTES, np.int64), out)


def hash_leaves(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    """Leaf hashes SHA-256(0x00 ‖ leaf) into uint8[n, 32] `out`, of the leaves at int64[n] `starts` and `lengths`.

    IndexError when a leaf is not inside the data.
    """
    (_hash_leaves if COMPILED else _plain_leaves)(data, starts, lengths, out)


def hash_frames(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    """As `hash_leaves`, without the prefix: the digest of salt ‖ payload, where the two stand side by side."""
    (_hash_frames if COMPILED else _plain_frames)(data, starts, lengths, out)


def fold_pairs(row: Bytes, out: Bytes) -> None:
    """Parents SHA-256(0x01 ‖ l ‖ r) of uint8[2k, 32] `row`, into uint8[k, 32] `out` (RFC 6962, 2.1).

    `out` may be the front of `row` itself. An odd hash at the end is left out.
    """
    (_fold_pairs if COMPILED else _plain_pairs)(row, out)


# Canonical JSON (see `canonical`)

_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS, _ZERO, _NINE, _LETTER_U = b'"\\,:-09u'
_BRACE, _BRACE_END, _BRACKET, _BRACKET_END = b"{}[]"
_TRUE, _FALSE, _NULL = (np.frombuffer(text, np.uint8) for text in (b"true", b"false", b"null"))
_BATCH, _SIGNATURE = (np.frombuffer(text, np.uint8) for text in (b"batch", b"signature"))
_ONES, _SPACES, _TOPS = (np.uint64(0x0101010101010101 * byte) for byte in (1, 0x20, 0x80))
_QUOTES, _BACKSLASHES = (np.uint64(0x0101010101010101 * byte) for byte in (_QUOTE, _BACKSLASH))
_ZEROS, _ABOVE_NINE = (np.uint64(0x0101010101010101 * byte) for byte in (_ZERO, 0x7F - _NINE))
_PAIRS = np.uint64(0x000000FF000000FF)
_OBJECT, _ARRAY = 1, 2
REFUSED = -1
MEMBER_BATCH, MEMBER_SIGNATURE = 1, 2
SIGNED_BATCH = MEMBER_BATCH | MEMBER_SIGNATURE
MAX_INT64 = 2**63 - 1
_SAFE_DIGITS = 18
STACK_SHAPE = (MAX_DEPTH + 1, 3)

# What stands for itself in a string, and what the letter behind a backslash means (0: nothing)
_PLAIN = np.zeros(256, np.bool_)
_PLAIN[0x20:0x80] = True
_PLAIN[[_QUOTE, _BACKSLASH]] = False
_ESCAPED = np.zeros(256, np.uint8)
for _letter, _meaning in zip(b'"\\bfnrt', b'"\\\b\f\n\r\t', strict=True):
    _ESCAPED[_letter] = _meaning


@njit(cache=True, nogil=True)
def _matches(data: Bytes, position: int, end: int, text: Bytes) -> bool:
    """Whether `text` stands at `position`, before `end`."""
    if position + text.size > end:
        return False
    if text.size < WORD_BYTES:
        for i in range(text.size):  # noqa: SIM110 (compiled)
            if data[position + i] != text[i]:
                return False
        return True
    # words, the last of which overlaps the one before
    last = text.size - WORD_BYTES
    place, expected = data.ctypes.data + position, text.ctypes.data
    for i in range(0, last, WORD_BYTES):
        if load_word(place + i) != load_word(expected + i):
            return False
    return load_word(place + last) == load_word(expected + last)


@njit(cache=True, nogil=True)
def _is_plain_word(word: int) -> bool:
    """Whether eight bytes all stand for themselves in a string: none below 0x20, above 0x7f, quote or backslash.

    A byte minus one borrows into its top bit only when it was zero; a borrow from below can only add to a refusal.
    """
    quotes, slashes = word ^ _QUOTES, word ^ _BACKSLASHES
    odd = (word - _SPACES) & ~word | (quotes - _ONES) & ~quotes | (slashes - _ONES) & ~slashes | word
    return odd & _TOPS == 0


@njit(cache=True, nogil=True)
def _hex_digit(byte: int) -> int:
    """Value of a lower-case hexadecimal digit, −1 for anything else."""
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte <= 102:
        return byte - 87
    return -1


@njit(cache=True, nogil=True)
def _control(data: Bytes, position: int, end: int) -> int:
    r"""The control character written as \u00xx at `position`; −1 when that is not its canonical spelling."""
    if position + 6 > end or data[position + 2] != _ZERO or data[position + 3] != _ZERO:
        return -1
    high, low = _hex_digit(int(data[position + 4])), _hex_digit(int(data[position + 5]))
    value = 16 * high + low
    # those with a letter of their own: backspace, tab, newline, form feed, return
    if not 0 <= high <= 1 or low < 0 or value in (8, 9, 10, 12, 13):
        return -1
    return value


@njit(cache=True, nogil=True)
def _skip_wide(data: Bytes, position: int, end: int) -> int:
    """Position behind the UTF-8 sequence of two to four bytes at `position`, or −1 (Unicode 15, table 3-7)."""
    first = int(data[position])
    low, high = 0x80, 0xBF
    if 0xC2 <= first <= 0xDF:
        more = 1
    elif 0xE0 <= first <= 0xEF:
        more = 2
        low = 0xA0 if first == 0xE0 else low
        high = 0x9F if first == 0xED else high
    elif 0xF0 <= first <= 0xF4:
        more = 3
        low = 0x90 if first == 0xF0 else low
        high = 0x8F if first == 0xF4 else high
    else:
        return -1
    if position + more >= end or not low <= data[position + 1] <= high:
        return -1
    for i in range(2, more + 1):
        if not 0x80 <= data[position + i] <= 0xBF:
            return -1
    return position + more + 1


@njit(cache=True, nogil=True)
def _skip_string(data: Bytes, position: int, end: int, ascii_only: bool) -> int:
    """Position behind the closing quote of the string whose text begins at `position`, or −1."""
    base = data.ctypes.data
    while True:
        while position + WORD_BYTES <= end and _is_plain_word(load_word(base + position)):
            position += WORD_BYTES
        while position < end and _PLAIN[data[position]]:
            position += 1
        if position >= end:
            return -1
        byte = data[position]
        if byte == _QUOTE:
            return position + 1
        if byte == _BACKSLASH:
            if position + 1 >= end:
                return -1
            if data[position + 1] == _LETTER_U:
                if _control(data, position, end) < 0:
                    return -1
                position += 6
            elif _ESCAPED[data[position + 1]]:
                position += 2
            else:
                return -1
        elif ascii_only:
            return -1
        else:
            position = _skip_wide(data, position, end)
            if position < 0:
                return -1


@njit(cache=True, nogil=True)
def _below(data: Bytes, one: int, one_end: int, other: int, other_end: int) -> bool:
    """Whether the text of one canonical ASCII string stands before another's; ends without the quotes."""
    while one < one_end and other < other_end:
        a, b = int(data[one]), int(data[other])
        one += 1
        other += 1
        if a == _BACKSLASH:
            a = int(_ESCAPED[data[one]]) if data[one] != _LETTER_U else _control(data, one - 1, one_end)
            one += 1 if data[one] != _LETTER_U else 5
        if b == _BACKSLASH:
            b = int(_ESCAPED[data[other]]) if data[other] != _LETTER_U else _control(data, other - 1, other_end)
            other += 1 if data[other] != _LETTER_U else 5
        if a != b:
            return a < b
    return one >= one_end and other < other_end


@njit(cache=True, nogil=True)
def _eight_digits(word: int) -> int:
    """The number that eight decimal digits spell, the first in the lowest byte; −1 when not all are digits."""
    if (word + _ABOVE_NINE | word - _ZEROS) & _TOPS != 0:
        return -1
    # neighbours are joined: digits to pairs, pairs to fours, fours to eight, all of a kind in one multiplication
    pairs = (word - _ZEROS) * np.uint64(10) + (word - _ZEROS >> np.uint64(8))
    even = (pairs & _PAIRS) * np.uint64(100 + (1_000_000 << 32))
    odd = (pairs >> np.uint64(16) & _PAIRS) * np.uint64(1 + (10_000 << 32))
    return np.int64(even + odd >> np.uint64(32))  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def _read_integer(data: Bytes, position: int, end: int) -> tuple[int, int]:
    """The canonical whole number at `position`, 0 to 2⁶³ − 1, and the position behind it; (−1, −1) when none is."""
    first = position
    value = 0
    base = data.ctypes.data
    while position - first < 2 * WORD_BYTES and position + WORD_BYTES <= end:
        eight = _eight_digits(load_word(base + position))
        if eight < 0:
            break
        value = 100_000_000 * value + eight
        position += WORD_BYTES
    while position < end and _ZERO <= data[position] <= _NINE:
        digit = int(data[position]) - _ZERO
        if position - first >= _SAFE_DIGITS and value > (MAX_INT64 - digit) // 10:
            return -1, -1
        value = 10 * value + digit
        position += 1
    if position == first or (data[first] == _ZERO and position > first + 1):
        return -1, -1
    return value, position


@njit(cache=True, nogil=True)
def _skip_scalar(data: Bytes, position: int, end: int) -> int:
    """Position behind the string, number, true, false or null at `position`, or −1."""
    byte = data[position]
    if byte == _QUOTE:
        return _skip_string(data, position + 1, end, False)
    if byte == _TRUE[0]:
        return position + 4 if _matches(data, position, end, _TRUE) else -1
    if byte == _FALSE[0]:
        return position + 5 if _matches(data, position, end, _FALSE) else -1
    if byte == _NULL[0]:
        return position + 4 if _matches(data, position, end, _NULL) else -1
    negative = byte == _MINUS
    value, behind = _read_integer(data, position + 1 if negative else position, end)
    if value > MAX_INTEGER or (negative and value == 0):
        return -1
    return behind


@njit(cache=True, nogil=True)
def _read_key(data: Bytes, position: int, end: int, stack: Integers, depth: int) -> tuple[int, int]:
    """Position behind the key and colon at `position` (−1: bad, or not above the key before), and what it is."""
    if position >= end or data[position] != _QUOTE:
        return -1, 0
    first = position + 1
    behind = _skip_string(data, first, end, True)
    if behind < 0 or behind >= end or data[behind] != _COLON:
        return -1, 0
    last = behind - 1
    if stack[depth, 1] >= 0 and not _below(data, stack[depth, 1], stack[depth, 2], first, last):
        return -1, 0
    stack[depth, 1], stack[depth, 2] = first, last
    member = 0
    if depth == 0 and last - first == _BATCH.size and _matches(data, first, last, _BATCH):
        member = MEMBER_BATCH
    elif depth == 0 and last - first == _SIGNATURE.size and _matches(data, first, last, _SIGNATURE):
        member = MEMBER_SIGNATURE
    return behind + 1, member


@njit(cache=True, nogil=True)
def scan_canonical(data: Bytes, start: int, end: int, stack: Integers) -> int:
    """REFUSED unless the bytes [start, end) of `data` are what `canonical.decode` accepts.

    Else the members that the outermost object has: MEMBER_BATCH, MEMBER_SIGNATURE. `stack` int64[STACK_SHAPE] is
    scratch: for each open container its kind and where the last key begins and ends.
    """
    position, depth, members = start, -1, 0
    while True:
        if position >= end:
            return REFUSED
        byte = data[position]
        if byte in (_BRACE, _BRACKET):
            depth += 1
            if depth > MAX_DEPTH or position + 1 >= end:
                return REFUSED
            stack[depth, 0] = _OBJECT if byte == _BRACE else _ARRAY
            stack[depth, 1] = -1
            position += 1
            if data[position] != (_BRACE_END if byte == _BRACE else _BRACKET_END):
                if byte == _BRACE:
                    position, member = _read_key(data, position, end, stack, depth)
                    members |= member
                    if position < 0:
                        return REFUSED
                continue
        else:
            position = _skip_scalar(data, position, end)
            if position < 0:
                return REFUSED
        # a value is complete, or an empty container is about to be: close what ends here
        while depth >= 0:
            if position >= end:
                return REFUSED
            byte = data[position]
            position += 1
            if byte == _COMMA:
                break
            if byte != (_BRACE_END if stack[depth, 0] == _OBJECT else _BRACKET_END):
                return REFUSED
            depth -= 1
        if depth < 0:
            return members if position == end else REFUSED
        if stack[depth, 0] == _OBJECT:
            position, member = _read_key(data, position, end, stack, depth)
            members |= member
            if position < 0:
                return REFUSED


# Envelopes (see `entry`)

(_BY, _DIGEST, _SEQ, _SUPERSEDES, _TIME, _TYPE, _VERSION) = (
    np.frombuffer(text, np.uint8)
    for text in (
        b'{"by":"',
        b'","digest":"',
        b'","seq":',
        b',"supersedes":',
        b',"time":"',
        b'","type":"',
        b'","version":',
    )
)
MAX_NAME = 64
_NAME_LETTER = np.zeros(256, np.bool_)
_NAME_LETTER[list(b"abcdefghijklmnopqrstuvwxyz0123456789_.:/-")] = True
# Four characters of base64 are 24 bits: what each adds to them by its place, and a bit above them when it is none
_NOT_BASE64 = 1 << 24
_SIXTY_FOUR = np.full((4, 256), _NOT_BASE64, np.int64)
for _place, _shift in enumerate((18, 12, 6, 0)):
    _letters = list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    _SIXTY_FOUR[_place, _letters] = np.arange(64) << _shift
_PADDING = ord("=")
DIGEST_TEXT = 44

# Fields of a parsed envelope, int64[FIELDS]: where its names begin and how long they are, and its numbers
BY, BY_LENGTH, SEQ, SUPERSEDES, TIME, TYPE, TYPE_LENGTH, VERSION = range(8)
FIELDS = 8


@njit(cache=True, nogil=True)
def _decode_digest(data: Bytes, position: int, digest: Bytes) -> bool:
    """Decode 44 characters of canonical base64 into uint8[32] `digest`; False when they are not that."""
    bits = 0
    at = 0
    for _ in range(10):
        four = (
            _SIXTY_FOUR[0, data[position]]
            | _SIXTY_FOUR[1, data[position + 1]]
            | _SIXTY_FOUR[2, data[position + 2]]
            | _SIXTY_FOUR[3, data[position + 3]]
        )
        bits |= four
        digest[at], digest[at + 1], digest[at + 2] = four >> 16 & 0xFF, four >> 8 & 0xFF, four & 0xFF
        position += 4
        at += 3
    three = _SIXTY_FOUR[0, data[position]] | _SIXTY_FOUR[1, data[position + 1]] | _SIXTY_FOUR[2, data[position + 2]]
    digest[30], digest[31] = three >> 16 & 0xFF, three >> 8 & 0xFF
    # the last character carries four bits of data and two that must be zero, which the 24 bits hold below
    return (bits | three) < _NOT_BASE64 and three & 0xFF == 0 and data[position + 3] == _PADDING


@njit(cache=True, nogil=True)
def _skip_name(data: Bytes, position: int, end: int) -> int:
    """Position behind the name at `position`, or −1: a letter, then up to 63 of letters, digits and _ . : / -"""
    first = position
    while position < end and _NAME_LETTER[data[position]]:
        position += 1
    if not 0 < position - first <= MAX_NAME or not 97 <= data[first] <= 122:
        return -1
    return position


@njit(cache=True, nogil=True)
def parse_envelope(data: Bytes, start: int, end: int, fields: Integers, digest: Bytes) -> bool:
    """Whether the bytes [start, end) are an envelope; its fields go into int64[FIELDS], its digest into uint8[32].

    `fields[SUPERSEDES]` is −1 where it corrects none.
    """
    if not _matches(data, start, end, _BY):
        return False
    fields[BY] = start + _BY.size
    position = _skip_name(data, fields[BY], end)
    if position < 0 or not _matches(data, position, end, _DIGEST):
        return False
    fields[BY_LENGTH] = position - fields[BY]
    position += _DIGEST.size
    if position + DIGEST_TEXT > end or not _decode_digest(data, position, digest):
        return False
    position += DIGEST_TEXT
    if not _matches(data, position, end, _SEQ):
        return False
    fields[SEQ], position = _read_integer(data, position + _SEQ.size, end)
    if not 1 <= fields[SEQ] <= MAX_INTEGER:
        return False
    fields[SUPERSEDES] = -1
    if _matches(data, position, end, _SUPERSEDES):
        fields[SUPERSEDES], position = _read_integer(data, position + _SUPERSEDES.size, end)
        if not 0 <= fields[SUPERSEDES] <= MAX_INTEGER:
            return False
    if not _matches(data, position, end, _TIME):
        return False
    fields[TIME], position = _read_integer(data, position + _TIME.size, end)
    if fields[TIME] < 0 or not _matches(data, position, end, _TYPE):
        return False
    fields[TYPE] = position + _TYPE.size
    position = _skip_name(data, fields[TYPE], end)
    if position < 0 or not _matches(data, position, end, _VERSION):
        return False
    fields[TYPE_LENGTH] = position - fields[TYPE]
    fields[VERSION], position = _read_integer(data, position + _VERSION.size, end)
    if not 1 <= fields[VERSION] <= MAX_INTEGER:
        return False
    return position + 1 == end and data[position] == _BRACE_END


# Bundles (see `tiles`, `payload` and `contents`)

BUNDLE = WIDTH
LONGEST_PAYLOAD = MAX_PAYLOAD + MAX_SALT
_KEY, _ERASURE = (np.frombuffer(text, np.uint8) for text in (b"key", b"erasure"))
_HEADER = HEADER.size
_WITHHELD = WITHHELD[0]

# What a bundle's entries say together, int64[FACTS]: times of the first and the last entry, how many streams and types
# there are, how many payloads have a meaning that is to be judged, are erased, or were withheld; then a row for each
# name, first the streams, then the types
FIRST_TIME, LAST_TIME, STREAMS, TYPES, JUDGED, ERASED, NOT_SHOWN = range(7)
NAMES = 7
# A row: where the name begins, its length, and two numbers: of a stream the first and the last sequence number, of a
# type how often it occurs
NAME, NAME_LENGTH, FIRST, LAST = range(4)
NAME_COLUMNS = 4
FACTS = NAMES + 2 * BUNDLE * NAME_COLUMNS
# A row of what is still to be judged: position in the bundle, where the payload's frame and the entry stand
POSITION, FRAME, FRAME_END, ENTRY, ENTRY_END = range(5)
JUDGED_COLUMNS = 5


@njit(cache=True, nogil=True)
def _find_name(data: Bytes, table: Integers, count: int, start: int, length: int) -> int:
    """The row of a name among the first `count` of `table`, `count` when it is not there."""
    for row in range(count):
        if table[row, NAME_LENGTH] == length:
            at = table[row, NAME]
            same = 0
            while same < length and data[at + same] == data[start + same]:
                same += 1
            if same == length:
                return row
    return count


@njit(cache=True, nogil=True)
def _take_envelope(
    data: Bytes, fields: Integers, index: int, facts: Integers, streams: Integers, types: Integers
) -> bool:
    """Add one entry to the tables; False when time goes back, a stream has a gap, or it corrects a later entry."""
    if fields[TIME] < facts[LAST_TIME] or fields[SUPERSEDES] >= index:
        return False
    facts[LAST_TIME] = fields[TIME]
    row = _find_name(data, streams, facts[STREAMS], fields[BY], fields[BY_LENGTH])
    if row == facts[STREAMS]:
        streams[row, NAME], streams[row, NAME_LENGTH] = fields[BY], fields[BY_LENGTH]
        streams[row, FIRST] = fields[SEQ]
        facts[STREAMS] += 1
    elif fields[SEQ] != streams[row, LAST] + 1:
        return False
    streams[row, LAST] = fields[SEQ]
    row = _find_name(data, types, facts[TYPES], fields[TYPE], fields[TYPE_LENGTH])
    if row == facts[TYPES]:
        types[row, NAME], types[row, NAME_LENGTH] = fields[TYPE], fields[TYPE_LENGTH]
        types[row, FIRST] = 0
        facts[TYPES] += 1
    types[row, FIRST] += 1
    return True


@njit(cache=True, nogil=True)
def frame_end(data: Bytes, offset: int) -> int:
    """Position behind the payload frame at `offset`, −1 when its lengths are out of bounds or it is cut short."""
    if offset + _HEADER > data.size:
        return -1
    salt = int(data[offset])
    length = 0
    for i in range(1, _HEADER):
        length = length << 8 | int(data[offset + i])
    if salt == _WITHHELD and length == 0:
        return offset + _HEADER
    end = offset + _HEADER + salt + length
    if (salt != 0 and not MIN_SALT <= salt <= MAX_SALT) or length > LONGEST_PAYLOAD or end > data.size:
        return -1
    return end


@njit(cache=True, nogil=True)
def _same_digest(one: Bytes, other: Bytes) -> bool:
    for i in range(HASH_BYTES):  # noqa: SIM110 (compiled)
        if one[i] != other[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def judge_bundle(
    first: int,
    entries: Bytes,
    tile: Bytes,
    payloads: Bytes,
    has_envelopes: bool,
    has_payloads: bool,
    hashes: Bytes,
    facts: Integers,
    judged: Integers,
) -> bool:
    """Judge one complete bundle of 256 entries from index `first` on; False when anything does not hold.

    `entries`, `tile` and `payloads` are whole files; `entries` is written into. Row 0 of uint8[256, 32] `hashes`
    receives the root of the tile. Where the entries are envelopes, int64[FACTS] `facts` says what they are, as far as
    they are consistent in themselves; int64[256, JUDGED_COLUMNS] `judged` says of which entries the payload is still to
    be judged, and from its last row back of which it is erased.
    """
    if tile.size != HASH_BYTES * BUNDLE:
        return False
    scratch = new_scratch()
    stack = np.empty(STACK_SHAPE, np.int64)
    fields = np.zeros(FIELDS, np.int64)
    claimed = np.zeros(HASH_BYTES, np.uint8)
    found = np.zeros((1, HASH_BYTES), np.uint8)
    facts[:NAMES] = 0
    streams = np.empty((BUNDLE, NAME_COLUMNS), np.int64)
    types = np.empty((BUNDLE, NAME_COLUMNS), np.int64)
    position = offset = 0
    for i in range(BUNDLE):
        start = position + 2
        if start > entries.size:
            return False
        position = start + (int(entries[start - 2]) << 8 | int(entries[start - 1]))
        if position > entries.size:
            return False
        # the byte before an entry is the low byte of its length, already read: it lends its place to the prefix
        entries[start - 1] = 0
        digest_bytes(scratch, entries, start - 1, position - start + 1, hashes, i)
        if not has_envelopes:
            continue
        if not parse_envelope(entries, start, position, fields, claimed):
            return False
        if i == 0:
            facts[FIRST_TIME] = facts[LAST_TIME] = fields[TIME]
        if not _take_envelope(entries, fields, first + i, facts, streams, types):
            return False
        if not has_payloads:
            continue
        end = frame_end(payloads, offset)
        if end < 0:
            return False
        body = offset + _HEADER
        salt = int(payloads[offset])
        if salt == _WITHHELD:
            facts[NOT_SHOWN] += 1
        elif salt == 0:
            for k in range(body, end):
                if payloads[k] != 0:
                    return False
            facts[ERASED] += 1
            judged[BUNDLE - facts[ERASED], POSITION] = i
        else:
            digest_bytes(scratch, payloads, body, end - body, found, 0)
            if not _same_digest(found[0], claimed):
                return False
            members = scan_canonical(payloads, body + salt, end, stack)
            if members == REFUSED:
                return False
            kind, length = fields[TYPE], fields[TYPE_LENGTH]
            if (
                members == SIGNED_BATCH
                or (length == _KEY.size and _matches(entries, kind, kind + length, _KEY))
                or (length == _ERASURE.size and _matches(entries, kind, kind + length, _ERASURE))
            ):
                row = facts[JUDGED]
                judged[row, POSITION], judged[row, FRAME], judged[row, FRAME_END] = i, offset, end
                judged[row, ENTRY], judged[row, ENTRY_END] = start, position
                facts[JUDGED] += 1
        offset = end
    if position != entries.size or (has_payloads and has_envelopes and offset != payloads.size):
        return False
    row = NAMES
    for table, count in ((streams, facts[STREAMS]), (types, facts[TYPES])):
        for i in range(count):
            facts[row : row + NAME_COLUMNS] = table[i]
            row += NAME_COLUMNS
    flat = hashes.reshape(-1)
    for i in range(HASH_BYTES * BUNDLE):
        if flat[i] != tile[i]:
            return False
    width = BUNDLE
    while width > 1:
        for i in range(width // 2):
            digest_node(scratch, hashes, 2 * i, hashes, i)
        width //= 2
    return True


@njit(cache=True, nogil=True)
def judge_bundles(
    first: int,
    entries: Bytes,
    tiles: Bytes,
    payloads: Bytes,
    sizes: Integers,
    has_envelopes: bool,
    has_payloads: bool,
    hashes: Bytes,
    facts: Integers,
    judged: Integers,
    roots: Bytes,
) -> None:
    """Judge n complete bundles in a row, the first of which begins with entry `first`; as `judge_bundle`.

    Row i of `entries`, `tiles` and `payloads` (uint8[n, …]) is the front of a file, whose size is in row i of `sizes`
    (int64[n, 3]): negative when it is missing, above the row's length when it does not fit. Facts and what is judged
    are stacked; a bundle that does not hold has −1 as its first fact. Row i of uint8[n, 32] `roots` receives its root.
    """
    for i in range(sizes.shape[0]):
        facts[i, 0] = REFUSED
        a, b, c = sizes[i, 0], sizes[i, 1], sizes[i, 2]
        if not (0 <= a <= entries.shape[1] and 0 <= b <= tiles.shape[1] and 0 <= c <= payloads.shape[1]):
            continue
        if judge_bundle(
            first + i * BUNDLE,
            entries[i][:a],
            tiles[i][:b],
            payloads[i][:c],
            has_envelopes,
            has_payloads,
            hashes,
            facts[i],
            judged[i],
        ):
            roots[i] = hashes[0]
        else:
            facts[i, 0] = REFUSED
