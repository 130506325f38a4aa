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

COMPILED = FOUND
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
_OBJECT, _ARRAY = 1, 2
REFUSED = -1
MEMBER_BATCH, MEMBER_SIGNATURE = 1, 2
SIGNED_BATCH = MEMBER_BATCH | MEMBER_SIGNATURE
MAX_INT64 = 2**63 - 1
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
    if position + text.size > end:
        return False
    for i in range(text.size):  # noqa: SIM110 (compiled)
        if data[position + i] != text[i]:
            return False
    return True


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
    while True:
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
def _read_integer(data: Bytes, position: int, end: int) -> tuple[int, int]:
    """The canonical whole number at `position`, 0 to 2⁶³ − 1, and the position behind it; (−1, −1) when none is."""
    first = position
    value = 0
    while position < end and _ZERO <= data[position] <= _NINE:
        digit = int(data[position]) - _ZERO
        if value > (MAX_INT64 - digit) // 10:
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
_SIXTY_FOUR = np.full(256, 255, np.uint8)
_SIXTY_FOUR[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")] = np.arange(64)
_PADDING = ord("=")
DIGEST_TEXT = 44

# Fields of a parsed envelope, int64[FIELDS]: where its names begin and how long they are, and its numbers
BY, BY_LENGTH, SEQ, SUPERSEDES, TIME, TYPE, TYPE_LENGTH, VERSION = range(8)
FIELDS = 8


@njit(cache=True, nogil=True)
def _decode_digest(data: Bytes, position: int, digest: Bytes) -> bool:
    """Decode 44 characters of canonical base64 into uint8[32] `digest`; False when they are not that."""
    for group in range(10):
        at = position + 4 * group
        a, b = _SIXTY_FOUR[data[at]], _SIXTY_FOUR[data[at + 1]]
        c, d = _SIXTY_FOUR[data[at + 2]], _SIXTY_FOUR[data[at + 3]]
        if (a | b | c | d) > 63:
            return False
        digest[3 * group] = (a << 2 | b >> 4) & 0xFF
        digest[3 * group + 1] = (b << 4 | c >> 2) & 0xFF
        digest[3 * group + 2] = (c << 6 | d) & 0xFF
    a, b, c = _SIXTY_FOUR[data[position + 40]], _SIXTY_FOUR[data[position + 41]], _SIXTY_FOUR[data[position + 42]]
    # the last character carries four bits of data and two that must be zero
    if (a | b | c) > 63 or c & 3 or data[position + 43] != _PADDING:
        return False
    digest[30] = (a << 2 | b >> 4) & 0xFF
    digest[31] = (b << 4 | c >> 2) & 0xFF
    return True


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

# What a bundle's entries say together, int64[SUMMARY]: times of the first and the last entry, how many streams and
# types there are, how many payloads have a meaning that is to be judged, are erased, or were withheld
FIRST_TIME, LAST_TIME, STREAMS, TYPES, JUDGED, ERASED, NOT_SHOWN = range(7)
SUMMARY = 7
# A row of the tables of names: where the name begins, its length, and two numbers: of a stream the first and last
# sequence number, of a type how often it occurs
NAME, NAME_LENGTH, FIRST, LAST = range(4)
NAME_COLUMNS = 4
# A row of what is still to be judged: position in the bundle, where the payload's frame begins, where the entry stands
POSITION, FRAME, ENTRY, ENTRY_END = range(4)
JUDGED_COLUMNS = 4


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
    data: Bytes, fields: Integers, index: int, summary: Integers, streams: Integers, types: Integers
) -> bool:
    """Add one entry to the tables; False when time goes back, a stream has a gap, or it corrects a later entry."""
    if fields[TIME] < summary[LAST_TIME] or fields[SUPERSEDES] >= index:
        return False
    summary[LAST_TIME] = fields[TIME]
    row = _find_name(data, streams, summary[STREAMS], fields[BY], fields[BY_LENGTH])
    if row == summary[STREAMS]:
        streams[row, NAME], streams[row, NAME_LENGTH] = fields[BY], fields[BY_LENGTH]
        streams[row, FIRST] = fields[SEQ]
        summary[STREAMS] += 1
    elif fields[SEQ] != streams[row, LAST] + 1:
        return False
    streams[row, LAST] = fields[SEQ]
    row = _find_name(data, types, summary[TYPES], fields[TYPE], fields[TYPE_LENGTH])
    if row == summary[TYPES]:
        types[row, NAME], types[row, NAME_LENGTH] = fields[TYPE], fields[TYPE_LENGTH]
        types[row, FIRST] = 0
        summary[TYPES] += 1
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
    summary: Integers,
    streams: Integers,
    types: Integers,
    judged: Integers,
) -> bool:
    """Judge one complete bundle of 256 entries from index `first` on; False when anything does not hold.

    `entries`, `tile` and `payloads` are whole files. Row 0 of uint8[256, 32] `hashes` receives the root of the tile.
    Where the entries are envelopes, int64[SUMMARY] `summary` and the tables int64[256, NAME_COLUMNS] `streams` and
    `types` say what they are, as far as they are consistent in themselves; int64[256, JUDGED_COLUMNS] `judged` says of
    which entries the payload is still to be judged, and from its last row back of which it is erased.
    """
    if tile.size != HASH_BYTES * BUNDLE:
        return False
    scratch = new_scratch()
    stack = np.empty(STACK_SHAPE, np.int64)
    fields = np.zeros(FIELDS, np.int64)
    claimed = np.zeros(HASH_BYTES, np.uint8)
    found = np.zeros((1, HASH_BYTES), np.uint8)
    summary[:] = 0
    position = offset = 0
    for i in range(BUNDLE):
        start = position + 2
        if start > entries.size:
            return False
        position = start + (int(entries[start - 2]) << 8 | int(entries[start - 1]))
        if position > entries.size:
            return False
        digest_leaf(scratch, entries, start, position - start, hashes, i)
        if not has_envelopes:
            continue
        if not parse_envelope(entries, start, position, fields, claimed):
            return False
        if i == 0:
            summary[FIRST_TIME] = summary[LAST_TIME] = fields[TIME]
        if not _take_envelope(entries, fields, first + i, summary, streams, types):
            return False
        if not has_payloads:
            continue
        end = frame_end(payloads, offset)
        if end < 0:
            return False
        body = offset + _HEADER
        salt = int(payloads[offset])
        if salt == _WITHHELD:
            summary[NOT_SHOWN] += 1
        elif salt == 0:
            for k in range(body, end):
                if payloads[k] != 0:
                    return False
            summary[ERASED] += 1
            judged[BUNDLE - summary[ERASED], POSITION] = i
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
                row = summary[JUDGED]
                judged[row, POSITION], judged[row, FRAME] = i, offset
                judged[row, ENTRY], judged[row, ENTRY_END] = start, position
                summary[JUDGED] += 1
        offset = end
    if position != entries.size or (has_payloads and has_envelopes and offset != payloads.size):
        return False
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
