"""Compiled NTS of AEAD 15: verify a request, seal its reply with fresh cookies, refuse it, inside the server's loop.

What server.py says in plain Python, byte for byte and reason for reason, over AES-128 of libcrypto. AES-SIV (RFC 5297)
is composed of it: S2V's CMAC (RFC 4493) is CBC, CTR is ECB over counter blocks made here. A CBC context is never reset
between messages: its last ciphertext block is known, and XORed into the first block of the next message it cancels
out, which spares an initialisation a message (decision 0018).

Nothing branches on a secret or looks anything up by one: doubling in GF(2¹²⁸) masks, tags are compared whole. Lengths,
field types and key ids are no secrets.

Little-endian 64-bit machines; a block is two uint64 as they lie in memory. Memory and contexts: compiled.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.nts.atomics import load_acquire, store_release
from timeball.protocols.nts.libcrypto import evp_encrypt_init, evp_encrypt_update

LONGEST_BYTES = 1280
"""Of a request or a reply: the rows that are passed in must have as many."""

Wide = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Words = NDArray[np.int64]

# reasons.Reason has the same numbers
ACCEPTED, BY_HAND, UNKNOWN_KEY, FORGED_COOKIE, FORGED_REQUEST = range(5)
NOT_A_REQUEST, TRUNCATED, NO_UNIQUE_ID, NO_COOKIE, NO_AUTHENTICATOR, BAD_AUTHENTICATOR, BAD_ENCRYPTED = range(5, 12)

HEADER_BYTES, LEAST_FIELD_BYTES, FIELD_HEAD, BLOCK, TAG = 48, 16, 4, 16, 16
UNIQUE_ID_FIELD, COOKIE_FIELD, PLACEHOLDER_FIELD, AUTHENTICATOR_FIELD = 0x0104, 0x0204, 0x0304, 0x0404
LEAST_UNIQUE_ID, MOST_COOKIES = 32, 8
COOKIE_HEAD, COOKIE_BYTES, COOKIE_BYTES_GCM = 20, 100, 68
NONCE_BYTES, NONCE_BYTES_GCM = 16, 12
SESSION_BYTES, KEY_HALF = 64, 16

# Words of a ring, and of each of its keys.
GENERATION, SEEN, RING_BASE, COUNT = 0, 1, 2, 3  # COUNT: one of each slot
KEY_ID, KEY_CBC, KEY_ECB = range(3)
SLOTS, MOST_KEYS, RING_WORDS, KEY_WORDS = 2, 8, 5, 3

# What CMAC and S2V keep of a key, in uint64: two subkeys, the chain (last ciphertext of its CBC), S2V's first value
# doubled, and the same after an empty string.
FIRST_SUBKEY, SECOND_SUBKEY, CHAIN, START, START_EMPTY, STATE_WORDS = 0, 2, 4, 6, 8, 10

# Words of a loop's work: where things stand in the request that was verified last, contexts, nonces.
(
    SLOT, BASE, FAILED, CBC, ECB, NONCE_ECB, NONCE_COUNTER, NONCES_LEFT, UNIQUE_ID_AT, UNIQUE_ID_LENGTH, COOKIE_AT,
    COOKIE_LENGTH, AUTHENTICATOR_AT, NONCE_LENGTH, CIPHER_AT, CIPHER_LENGTH, COOKIES, WORK_WORDS,
) = range(18)  # fmt: skip

# Regions of a loop's memory, in bytes, each on a multiple of 16.
NONCES = 64
OUT_LENGTH, ZERO_IV, SALT, VALUE, SESSION = 0, 16, 32, 48, 64
NONCE_POOL = SESSION + SESSION_BYTES
BUFFER = NONCE_POOL + NONCES * BLOCK
STREAM = BUFFER + LONGEST_BYTES + BLOCK
PLAIN = STREAM + LONGEST_BYTES + BLOCK
ROOM_BYTES = PLAIN + LONGEST_BYTES + BLOCK

_LOW = np.uint64(0x00FF00FF00FF00FF)
_LOW2 = np.uint64(0x0000FFFF0000FFFF)
_POLYNOMIAL = np.uint64(0x87)
_0, _1, _8, _16, _32, _63 = (np.uint64(n) for n in (0, 1, 8, 16, 32, 63))
# bits 31 and 63 from the right of a big-endian block are cleared before counting (RFC 5297 section 2.5)
_COUNTER_MASK = np.uint64(0xFFFFFF7FFFFFFF7F)


class Ring(NamedTuple):
    """The cookie keys of one loop in two slots; made and changed by compiled.CompiledRing.

    `words` int64[RING_WORDS], `keys` int64[SLOTS, MOST_KEYS, KEY_WORDS], `states` uint64[SLOTS, MOST_KEYS,
    STATE_WORDS]. Key 0 of a slot seals.
    """

    words: Words
    keys: NDArray[np.int64]
    states: Wide


class Work(NamedTuple):
    """One loop's memory, its contexts for the clients' keys, and its nonces; made by compiled.CompiledWork.

    `room` uint8[ROOM_BYTES], `wide` the same bytes as uint64, `state` uint64[STATE_WORDS] of the client's MAC key.
    """

    words: Words
    room: Bytes
    wide: Wide
    state: Wide


@njit(cache=True, nogil=True)
def swapped(word: np.uint64) -> np.uint64:
    """The eight bytes in the other order."""
    word = (word & _LOW) << _8 | (word >> _8) & _LOW
    word = (word & _LOW2) << _16 | (word >> _16) & _LOW2
    return word << _32 | word >> _32


@njit(cache=True, nogil=True)
def double(first: np.uint64, second: np.uint64) -> tuple[np.uint64, np.uint64]:
    """A block times x in GF(2¹²⁸) (RFC 5297 section 2.3), without a branch."""
    high, low = swapped(first), swapped(second)
    carry = _POLYNOMIAL & (_0 - (high >> _63))
    return swapped(high << _1 | low >> _63), swapped(low << _1 ^ carry)


@njit(cache=True, nogil=True)
def encrypt(context: int, work: Work, at: int, length: int) -> None:
    """Encrypt whole blocks of the room in place; a failure of libcrypto's is kept in FAILED."""
    here = work.words[BASE] + at
    if evp_encrypt_update(context, here, work.words[BASE] + OUT_LENGTH, here, length) != 1:
        work.words[FAILED] = 1


@njit(cache=True, nogil=True)
def set_key(context: int, work: Work, at: int) -> None:
    """Give a context the key at `at` in the room; a CBC context begins at an IV of zero."""
    here = work.words[BASE]
    if evp_encrypt_init(context, 0, 0, here + at, here + ZERO_IV) != 1:
        work.words[FAILED] = 1


@njit(cache=True, nogil=True)
def copy(source: Bytes, at: int, work: Work, to: int, length: int) -> None:
    """Copy bytes into the room."""
    room = work.room
    for i in range(length):
        room[to + i] = source[at + i]


@njit(cache=True, nogil=True)
def mac(context: int, state: Wide, work: Work, length: int) -> None:
    """CMAC of the first `length` bytes of BUFFER, which it spoils; the result is the state's CHAIN."""
    wide, room = work.wide, work.room
    blocks = max(1, (length + BLOCK - 1) // BLOCK)
    last = BUFFER // 8 + 2 * (blocks - 1)
    if length == blocks * BLOCK:
        subkey = FIRST_SUBKEY
    else:
        subkey = SECOND_SUBKEY
        room[BUFFER + length] = 0x80
        for i in range(length + 1, blocks * BLOCK):
            room[BUFFER + i] = 0
    wide[last] ^= state[subkey]
    wide[last + 1] ^= state[subkey + 1]
    wide[BUFFER // 8] ^= state[CHAIN]
    wide[BUFFER // 8 + 1] ^= state[CHAIN + 1]
    encrypt(context, work, BUFFER, blocks * BLOCK)
    state[CHAIN] = wide[last]
    state[CHAIN + 1] = wide[last + 1]


@njit(cache=True, nogil=True)
def start_mac(context: int, state: Wide, work: Work, at: int) -> None:
    """Key a CBC context with the 16 bytes at `at`, and derive subkeys and S2V's first value."""
    wide = work.wide
    set_key(context, work, at)
    here = BUFFER // 8
    wide[here] = _0
    wide[here + 1] = _0
    encrypt(context, work, BUFFER, BLOCK)
    state[CHAIN], state[CHAIN + 1] = wide[here], wide[here + 1]
    first, second = double(wide[here], wide[here + 1])
    state[FIRST_SUBKEY], state[FIRST_SUBKEY + 1] = first, second
    state[SECOND_SUBKEY], state[SECOND_SUBKEY + 1] = double(first, second)
    wide[here] = _0
    wide[here + 1] = _0
    mac(context, state, work, BLOCK)
    state[START], state[START + 1] = double(state[CHAIN], state[CHAIN + 1])


@njit(cache=True, nogil=True)
def absorb(context: int, state: Wide, work: Work, first: np.uint64, second: np.uint64, length: int) -> None:
    """S2V's step over one string, in BUFFER: VALUE becomes `first`, `second` (doubled before) XOR its CMAC."""
    mac(context, state, work, length)
    work.wide[VALUE // 8] = first ^ state[CHAIN]
    work.wide[VALUE // 8 + 1] = second ^ state[CHAIN + 1]


@njit(cache=True, nogil=True)
def finish(context: int, state: Wide, work: Work, length: int) -> None:
    """S2V's last step over the plaintext, in BUFFER, from VALUE; the tag is the CHAIN (RFC 5297 section 2.4)."""
    wide, room = work.wide, work.room
    if length >= BLOCK:
        for i in range(BLOCK):
            room[BUFFER + length - BLOCK + i] ^= room[VALUE + i]
        mac(context, state, work, length)
        return
    room[BUFFER + length] = 0x80
    for i in range(length + 1, BLOCK):
        room[BUFFER + i] = 0
    first, second = double(wide[VALUE // 8], wide[VALUE // 8 + 1])
    wide[BUFFER // 8] ^= first
    wide[BUFFER // 8 + 1] ^= second
    mac(context, state, work, BLOCK)


@njit(cache=True, nogil=True)
def stream(context: int, work: Work, first: np.uint64, second: np.uint64, length: int) -> None:
    """CTR's key stream of `length` bytes or more into STREAM, for the tag `first`, `second`.

    Only the last 32 bits of the counter count: their first bit is clear, and no message has 2³¹ blocks.
    """
    wide = work.wide
    low = swapped(second & _COUNTER_MASK)
    blocks = (length + BLOCK - 1) // BLOCK
    for i in range(blocks):
        wide[STREAM // 8 + 2 * i] = first
        wide[STREAM // 8 + 2 * i + 1] = swapped(low + np.uint64(i))
    if blocks > 0:
        encrypt(context, work, STREAM, blocks * BLOCK)


@njit(cache=True, nogil=True)
def block_at(data: Bytes, at: int) -> tuple[np.uint64, np.uint64]:
    """16 bytes, from anywhere, as two words."""
    first, second = _0, _0
    for i in range(8):
        first |= np.uint64(data[at + i]) << np.uint64(8 * i)
        second |= np.uint64(data[at + 8 + i]) << np.uint64(8 * i)
    return first, second


@njit(cache=True, nogil=True)
def u16(data: Bytes, at: int) -> int:
    """A big-endian 16-bit number."""
    return np.int64(data[at]) << 8 | np.int64(data[at + 1])  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def write_u16(data: Bytes, at: int, value: int) -> None:
    """Write a big-endian 16-bit number."""
    data[at] = value >> 8
    data[at + 1] = value & 0xFF


@njit(cache=True, nogil=True)
def field_length(data: Bytes, at: int, end: int) -> int:
    """The length of the field at `at`, 0 when it does not fit before `end` (RFC 7822)."""
    left = end - at
    if left < LEAST_FIELD_BYTES:
        return 0
    length = u16(data, at + 2)
    if length < LEAST_FIELD_BYTES or length & 3 != 0 or length > left:
        return 0
    return length


@njit(cache=True, nogil=True)
def placeholders(data: Bytes, at: int, end: int, length: int) -> int:
    """How many placeholders of this length stand between; the fields there were found sound before."""
    found = 0
    while at < end:
        size = u16(data, at + 2)
        if u16(data, at) == PLACEHOLDER_FIELD and size == length:
            found += 1
        at += size
    return found


@njit(cache=True, nogil=True)
def take_apart(request: Bytes, length: int, words: Words) -> int:
    """Find the fields of a request: ACCEPTED when they stand as they should, else what is wrong first."""
    if length < HEADER_BYTES or length > LONGEST_BYTES or np.int64(request[0]) & 0x3F != 0x23:
        return NOT_A_REQUEST
    at = HEADER_BYTES
    unique_ids = cookies = authenticators = 0
    while at < length and authenticators == 0:
        size = field_length(request, at, length)
        if size == 0:
            return TRUNCATED
        kind = u16(request, at)
        if kind == UNIQUE_ID_FIELD:
            unique_ids += 1
            words[UNIQUE_ID_AT], words[UNIQUE_ID_LENGTH] = at, size
        elif kind == COOKIE_FIELD:
            cookies += 1
            words[COOKIE_AT], words[COOKIE_LENGTH] = at + FIELD_HEAD, size - FIELD_HEAD
        elif kind == AUTHENTICATOR_FIELD:
            authenticators = 1
            words[AUTHENTICATOR_AT] = at
        at += size
    if unique_ids != 1 or words[UNIQUE_ID_LENGTH] < FIELD_HEAD + LEAST_UNIQUE_ID:
        return NO_UNIQUE_ID
    if cookies != 1:
        return NO_COOKIE
    if authenticators == 0 or at != length:
        return NO_AUTHENTICATOR
    return find_nonce(request, length, words)


@njit(cache=True, nogil=True)
def find_nonce(request: Bytes, length: int, words: Words) -> int:
    """Find nonce and ciphertext in the authenticator, and see that the nonce leaves room for ours (RFC 8915, 5.6)."""
    at = words[AUTHENTICATOR_AT] + FIELD_HEAD
    nonce, cipher = u16(request, at), u16(request, at + 2)
    room = (nonce + 3) & ~3
    spare = length - at - 4 - room - ((cipher + 3) & ~3)
    words[NONCE_LENGTH], words[CIPHER_AT], words[CIPHER_LENGTH] = nonce, at + 4 + room, cipher
    if nonce == 0 or cipher < TAG or spare < 0:
        return BAD_AUTHENTICATOR
    if words[COOKIE_LENGTH] == COOKIE_BYTES_GCM:
        return ACCEPTED if nonce == NONCE_BYTES_GCM else BAD_AUTHENTICATOR
    return ACCEPTED if room + spare >= NONCE_BYTES else BAD_AUTHENTICATOR


@njit(cache=True, nogil=True)
def open_cookie(request: Bytes, ring: Ring, work: Work) -> int:
    """Open the cookie of the request into SESSION: ACCEPTED, UNKNOWN_KEY or FORGED_COOKIE."""
    words, room, wide = work.words, work.room, work.wide
    at, size, slot = words[COOKIE_AT], words[COOKIE_LENGTH], words[SLOT]
    if size not in (COOKIE_BYTES, COOKIE_BYTES_GCM):
        return FORGED_COOKIE
    key_id = u16(request, at) << 16 | u16(request, at + 2)
    key = 0
    while key < ring.words[COUNT + slot] and ring.keys[slot, key, KEY_ID] != key_id:
        key += 1
    if key == ring.words[COUNT + slot]:
        return UNKNOWN_KEY
    state, context = ring.states[slot, key], ring.keys[slot, key, KEY_CBC]
    length = size - COOKIE_HEAD - TAG
    first, second = block_at(request, at + COOKIE_HEAD)
    stream(ring.keys[slot, key, KEY_ECB], work, first, second, length)
    for i in range(length):
        room[SESSION + i] = request[at + COOKIE_HEAD + TAG + i] ^ room[STREAM + i]
    copy(request, at + 4, work, BUFFER, BLOCK)
    absorb(context, state, work, state[START_EMPTY], state[START_EMPTY + 1], BLOCK)
    for i in range(length // 8):
        wide[BUFFER // 8 + i] = wide[SESSION // 8 + i]
    finish(context, state, work, length)
    wrong = (state[CHAIN] ^ first) | (state[CHAIN + 1] ^ second)
    return ACCEPTED if wrong == _0 else FORGED_COOKIE


@njit(cache=True, nogil=True)
def open_request(request: Bytes, work: Work) -> int:
    """Verify the authenticator with the key in SESSION, and decrypt into PLAIN: ACCEPTED or FORGED_REQUEST."""
    words, room, state = work.words, work.room, work.state
    at, length = words[CIPHER_AT], words[CIPHER_LENGTH] - TAG
    start_mac(words[CBC], state, work, SESSION)
    first, second = block_at(request, at)
    if length > 0:
        set_key(words[ECB], work, SESSION + KEY_HALF)
        stream(words[ECB], work, first, second, length)
        for i in range(length):
            room[PLAIN + i] = request[at + TAG + i] ^ room[STREAM + i]
    copy(request, 0, work, BUFFER, words[AUTHENTICATOR_AT])
    absorb(words[CBC], state, work, state[START], state[START + 1], words[AUTHENTICATOR_AT])
    copy(request, words[AUTHENTICATOR_AT] + FIELD_HEAD + 4, work, BUFFER, words[NONCE_LENGTH])
    value = double(work.wide[VALUE // 8], work.wide[VALUE // 8 + 1])
    absorb(words[CBC], state, work, value[0], value[1], words[NONCE_LENGTH])
    copy(room, PLAIN, work, BUFFER, length)
    finish(words[CBC], state, work, length)
    wrong = (state[CHAIN] ^ first) | (state[CHAIN + 1] ^ second)
    return ACCEPTED if wrong == _0 else FORGED_REQUEST


@njit(cache=True, nogil=True)
def sound_plain(room: Bytes, length: int) -> bool:
    """Whether what was decrypted is a row of fields, none of which must stand in clear."""
    at, end = PLAIN, PLAIN + length
    while at < end:
        size = field_length(room, at, end)
        kind = u16(room, at)
        if size == 0 or kind in (UNIQUE_ID_FIELD, COOKIE_FIELD, AUTHENTICATOR_FIELD):
            return False
        at += size
    return True


@njit(cache=True, nogil=True)
def adopt_keys(ring: Ring, work: Work) -> None:
    """Take the newest keys into use; once a batch, also one without datagrams, or Python cannot change them again."""
    generation = load_acquire(ring.words[RING_BASE] + 8 * GENERATION)
    work.words[SLOT] = generation & 1
    store_release(ring.words[RING_BASE] + 8 * SEEN, generation)


@njit(cache=True, nogil=True)
def verify_request(request: Bytes, length: int, ring: Ring, work: Work) -> int:
    """Say what a datagram is (reasons.Reason); `request` uint8[>= LONGEST_BYTES] holds `length` bytes of it.

    What ACCEPTED and the NAKs need of it stays in `work` until the next call. Should libcrypto fail, BY_HAND.
    """
    words, room = work.words, work.room
    words[FAILED] = 0
    reason = take_apart(request, length, words)
    if reason != ACCEPTED:
        return reason
    reason = open_cookie(request, ring, work)
    if words[FAILED] != 0:
        return BY_HAND
    if reason != ACCEPTED:
        return reason
    if words[COOKIE_LENGTH] != COOKIE_BYTES:
        return BY_HAND
    reason = open_request(request, work)
    if words[FAILED] != 0:
        return BY_HAND
    if reason != ACCEPTED:
        return reason
    plain = words[CIPHER_LENGTH] - TAG
    if not sound_plain(room, plain):
        return BAD_ENCRYPTED
    size = words[COOKIE_LENGTH] + FIELD_HEAD
    asked = placeholders(request, HEADER_BYTES, words[AUTHENTICATOR_AT], size)
    asked += placeholders(room, PLAIN, PLAIN + plain, size)
    words[COOKIES] = min(1 + asked, MOST_COOKIES)
    return ACCEPTED


@njit(cache=True, nogil=True)
def take_nonces(work: Work, count: int) -> int:
    """Where in the room `count` nonces stand that were never given before: AES of a counter, many at a time."""
    words, wide = work.words, work.wide
    if words[NONCES_LEFT] < count:
        for i in range(NONCES):
            wide[NONCE_POOL // 8 + 2 * i] = wide[SALT // 8]
            wide[NONCE_POOL // 8 + 2 * i + 1] = np.uint64(words[NONCE_COUNTER] + i)
        encrypt(words[NONCE_ECB], work, NONCE_POOL, NONCES * BLOCK)
        words[NONCE_COUNTER] += NONCES
        words[NONCES_LEFT] = NONCES
    words[NONCES_LEFT] -= count
    return NONCE_POOL + words[NONCES_LEFT] * BLOCK


@njit(cache=True, nogil=True)
def seal_cookie(ring: Ring, work: Work, nonce: int, to: int) -> None:
    """A cookie for the keys in SESSION, with the nonce at `nonce`, into the room at `to`: 100 bytes."""
    words, room, wide = work.words, work.room, work.wide
    slot = words[SLOT]
    state, context = ring.states[slot, 0], ring.keys[slot, 0, KEY_CBC]
    key_id = ring.keys[slot, 0, KEY_ID]
    write_u16(room, to, key_id >> 16)
    write_u16(room, to + 2, key_id & 0xFFFF)
    for i in range(2):
        wide[BUFFER // 8 + i] = wide[nonce // 8 + i]
    for i in range(NONCE_BYTES):
        room[to + 4 + i] = room[nonce + i]
    absorb(context, state, work, state[START_EMPTY], state[START_EMPTY + 1], BLOCK)
    for i in range(SESSION_BYTES // 8):
        wide[BUFFER // 8 + i] = wide[SESSION // 8 + i]
    finish(context, state, work, SESSION_BYTES)
    wide[VALUE // 8], wide[VALUE // 8 + 1] = state[CHAIN], state[CHAIN + 1]
    stream(ring.keys[slot, 0, KEY_ECB], work, state[CHAIN], state[CHAIN + 1], SESSION_BYTES)
    for i in range(TAG):
        room[to + COOKIE_HEAD + i] = room[VALUE + i]
    for i in range(SESSION_BYTES):
        room[to + COOKIE_HEAD + TAG + i] = room[SESSION + i] ^ room[STREAM + i]


@njit(cache=True, nogil=True)
def seal_reply(request: Bytes, reply: Bytes, ring: Ring, work: Work) -> int:
    """Put the NTS fields behind the header in reply[0:48], for the request just ACCEPTED; gives the reply's length.

    `reply` uint8[>= LONGEST_BYTES]. The reply is never longer than its request. 0, and nothing to send, should
    libcrypto fail.
    """
    words, room, wide, state = work.words, work.room, work.wide, work.state
    count, size = words[COOKIES], COOKIE_BYTES + FIELD_HEAD
    nonce = take_nonces(work, count + 1)
    length = count * size
    for i in range(count):
        at = PLAIN + i * size
        write_u16(room, at, COOKIE_FIELD)
        write_u16(room, at + 2, size)
        seal_cookie(ring, work, nonce + (i + 1) * BLOCK, at + FIELD_HEAD)
    at = write_unique_id(request, reply, words)
    start_mac(words[CBC], state, work, SESSION + 2 * KEY_HALF)
    set_key(words[ECB], work, SESSION + 3 * KEY_HALF)
    copy(reply, 0, work, BUFFER, at)
    absorb(words[CBC], state, work, state[START], state[START + 1], at)
    value = double(wide[VALUE // 8], wide[VALUE // 8 + 1])
    for i in range(2):
        wide[BUFFER // 8 + i] = wide[nonce // 8 + i]
    absorb(words[CBC], state, work, value[0], value[1], BLOCK)
    copy(room, PLAIN, work, BUFFER, length)
    finish(words[CBC], state, work, length)
    wide[VALUE // 8], wide[VALUE // 8 + 1] = state[CHAIN], state[CHAIN + 1]
    stream(words[ECB], work, state[CHAIN], state[CHAIN + 1], length)
    write_u16(reply, at, AUTHENTICATOR_FIELD)
    write_u16(reply, at + 2, FIELD_HEAD + 4 + NONCE_BYTES + TAG + length)
    write_u16(reply, at + 4, NONCE_BYTES)
    write_u16(reply, at + 6, TAG + length)
    at += FIELD_HEAD + 4
    for i in range(BLOCK):
        reply[at + i] = room[nonce + i]
        reply[at + BLOCK + i] = room[VALUE + i]
    at += 2 * BLOCK
    for i in range(length):
        reply[at + i] = room[PLAIN + i] ^ room[STREAM + i]
    return at + length if words[FAILED] == 0 else 0


@njit(cache=True, nogil=True)
def write_unique_id(request: Bytes, reply: Bytes, words: Words) -> int:
    """Echo the unique identifier behind the header; gives where it ends."""
    at, length = words[UNIQUE_ID_AT], words[UNIQUE_ID_LENGTH]
    for i in range(length):
        reply[HEADER_BYTES + i] = request[at + i]
    return HEADER_BYTES + length


@njit(cache=True, nogil=True)
def write_nak(request: Bytes, reply: Bytes, work: Work) -> int:
    """Write the kiss NTSN for the request just refused, header and all; gives the reply's length."""
    for i in range(24):
        reply[i] = 0
    reply[0] = 3 << 6 | 4 << 3 | 4
    reply[2] = request[2]
    reply[12], reply[13], reply[14], reply[15] = 0x4E, 0x54, 0x53, 0x4E
    for i in range(8):
        for at in (24, 32, 40):
            reply[at + i] = request[40 + i]
    return write_unique_id(request, reply, work.words)


@njit(cache=True, nogil=True)
def install_key(ring: Ring, work: Work, slot: int, index: int, key_id: int) -> None:
    """Key the contexts of one place of a slot with the 32 bytes in SESSION."""
    keys, state, wide = ring.keys, ring.states[slot, index], work.wide
    keys[slot, index, KEY_ID] = key_id
    start_mac(keys[slot, index, KEY_CBC], state, work, SESSION)
    set_key(keys[slot, index, KEY_ECB], work, SESSION + KEY_HALF)
    absorb(keys[slot, index, KEY_CBC], state, work, state[START], state[START + 1], 0)
    state[START_EMPTY], state[START_EMPTY + 1] = double(wide[VALUE // 8], wide[VALUE // 8 + 1])


@njit(cache=True, nogil=True)
def publish(ring: Ring, generation: int) -> None:
    """Make a generation of keys the current one, after everything written before."""
    store_release(ring.words[RING_BASE] + 8 * GENERATION, generation)


@njit(cache=True, nogil=True)
def seal_vector(source: Bytes, lengths: Words, out: Bytes, work: Work) -> None:
    """AES-SIV of strings of any number and length, for tests: the last one is the plaintext.

    `source` the strings one after the other, `lengths` int64[n]; the key (32 bytes) is in SESSION. `out` gets tag and
    ciphertext, of 16 bytes more than the plaintext.
    """
    words, room, wide, state = work.words, work.room, work.wide, work.state
    words[FAILED] = 0
    start_mac(words[CBC], state, work, SESSION)
    set_key(words[ECB], work, SESSION + KEY_HALF)
    # VALUE is kept as it is before the doubling of the next step
    first, second = state[START], state[START + 1]
    wide[VALUE // 8], wide[VALUE // 8 + 1] = state[CHAIN], state[CHAIN + 1]
    at = 0
    for i in range(lengths.size - 1):
        copy(source, at, work, BUFFER, lengths[i])
        absorb(words[CBC], state, work, first, second, lengths[i])
        first, second = double(wide[VALUE // 8], wide[VALUE // 8 + 1])
        at += lengths[i]
    length = lengths[lengths.size - 1]
    copy(source, at, work, BUFFER, length)
    finish(words[CBC], state, work, length)
    wide[VALUE // 8], wide[VALUE // 8 + 1] = state[CHAIN], state[CHAIN + 1]
    stream(words[ECB], work, state[CHAIN], state[CHAIN + 1], length)
    for i in range(TAG):
        out[i] = room[VALUE + i]
    for i in range(length):
        out[TAG + i] = source[at + i] ^ room[STREAM + i]
