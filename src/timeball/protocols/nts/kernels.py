"""Compiled NTS of AEAD 15: verify a request, seal its reply with fresh cookies, refuse it, inside the server's loop.

What server.py says in plain Python, byte for byte and reason for reason, over the AES-SIV of siv/kernels.py. Cookies
are sealed side by side: their plaintexts are one session, so the MAC of all but its last block is computed once, and
the blocks in which they differ are encrypted in one call.

No state is kept of a client. Nothing branches on a secret; lengths, field types and key ids are none. Memory and
contexts: compiled.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.nts.siv import kernels as siv
from timeball.protocols.nts.siv.kernels import BLOCK, CLIENT, FAILED, KEY_BYTES, KEY_HALF, STREAM, VALUE
from timeball.protocols.nts.siv.memory import (
    address,
    constant,
    copy,
    copy_block,
    get,
    load_acquire,
    load_byte,
    load_word,
    put,
    store_byte,
    store_release,
    store_word,
    xor_block,
)

Bytes = NDArray[np.uint8]

LONGEST_BYTES = siv.LONGEST_BYTES
"""Of a request or a reply: the rows that are passed in must have as many."""

# reasons.Reason has the same numbers
ACCEPTED, BY_HAND, UNKNOWN_KEY, FORGED_COOKIE, FORGED_REQUEST = range(5)
NOT_A_REQUEST, TRUNCATED, NO_UNIQUE_ID, NO_COOKIE, NO_AUTHENTICATOR, BAD_AUTHENTICATOR, BAD_ENCRYPTED = range(5, 12)

HEADER_BYTES, LEAST_FIELD_BYTES, FIELD_HEAD, TAG = (constant(n) for n in (48, 16, 4, 16))
UNIQUE_ID_FIELD, COOKIE_FIELD, PLACEHOLDER_FIELD, AUTHENTICATOR_FIELD = (
    constant(n) for n in (0x0104, 0x0204, 0x0304, 0x0404)
)
LEAST_UNIQUE_ID, MOST_COOKIES = constant(32), constant(8)
COOKIE_ID, COOKIE_HEAD, COOKIE_BYTES, COOKIE_BYTES_GCM = (constant(n) for n in (4, 20, 100, 68))
COOKIE_FIELD_BYTES = FIELD_HEAD + COOKIE_BYTES
NONCE_BYTES, NONCE_BYTES_GCM = constant(16), constant(12)
SESSION_BYTES = constant(64)
KISS_NTSN = (constant(0x4E54), constant(0x534E))
CURRENT, ONE = constant(0), constant(1)

# A ring, in bytes: generation, the one in use, how many keys each slot has, then the keys of both slots.
GENERATION, SEEN, COUNT, RING_HEAD = (constant(at) for at in (0, 8, 16, 32))
SLOTS, MOST_KEYS = constant(2), constant(8)
RING_BYTES = RING_HEAD + SLOTS * MOST_KEYS * KEY_BYTES

# Words of a loop's memory: the slot in use (all that adopt_keys touches, so that a loop without keys needs no more),
# FAILED, then where things stand in the request that was verified last, and the nonces.
SLOT = constant(0)
(
    NONCE_CONTEXT, NONCE_COUNTER, NONCES_LEFT, UNIQUE_ID_AT, UNIQUE_ID_LENGTH, COOKIE_AT, COOKIE_LENGTH, COOKIE_KEY,
    AUTHENTICATOR_AT, NONCE_LENGTH, CIPHER_AT, CIPHER_LENGTH, COOKIES,
) = (constant(at) for at in range(FAILED + 8, FAILED + 8 + 13 * 8, 8))  # fmt: skip

# Its regions: the keys of the session; the MAC of all blocks of the session but the last; a block for each cookie;
# nonces.
NONCES = constant(64)
SESSION = siv.END
PREFIX = SESSION + SESSION_BYTES
LANES = PREFIX + BLOCK
SALT = LANES + MOST_COOKIES * BLOCK
NONCE_POOL = SALT + BLOCK
PLAIN = NONCE_POOL + NONCES * BLOCK
WORK_BYTES = PLAIN + LONGEST_BYTES + BLOCK


class Ring(NamedTuple):
    """The cookie keys of one loop in two slots; made and changed by compiled.CompiledRing. Key 0 of a slot seals."""

    words: NDArray[np.int64]


class Work(NamedTuple):
    """One loop's memory, its contexts for the clients' keys, and its nonces; made by compiled.CompiledWork."""

    words: NDArray[np.int64]


@njit(cache=True, nogil=True)
def u16(at: int) -> int:
    """A big-endian 16-bit number."""
    return load_byte(at) << 8 | load_byte(at + 1)


@njit(cache=True, nogil=True)
def write_u16(at: int, value: int) -> None:
    """Write a big-endian 16-bit number."""
    store_byte(at, value >> 8)
    store_byte(at + 1, value)


@njit(cache=True, nogil=True)
def field_length(at: int, end: int) -> int:
    """The length of the field at `at`, 0 when it does not fit before `end` (RFC 7822)."""
    left = end - at
    if left < LEAST_FIELD_BYTES:
        return 0
    length = u16(at + 2)
    return 0 if length < LEAST_FIELD_BYTES or length & 3 != 0 or length > left else length


@njit(cache=True, nogil=True)
def placeholders(at: int, end: int, length: int) -> int:
    """How many placeholders of this length stand between; the fields there were found sound before."""
    found = 0
    while at < end:
        size = u16(at + 2)
        if u16(at) == PLACEHOLDER_FIELD and size == length:
            found += 1
        at += size
    return found


@njit(cache=True, nogil=True)
def take_apart(request: int, length: int, work: int) -> int:
    """Find the fields of a request: ACCEPTED when they stand as they should, else what is wrong first."""
    if length < HEADER_BYTES or length > LONGEST_BYTES or load_byte(request) & 0x3F != 0x23:
        return NOT_A_REQUEST
    at, end = request + HEADER_BYTES, request + length
    unique_ids = cookies = authenticators = 0
    while at < end and authenticators == 0:
        size = field_length(at, end)
        if size == 0:
            return TRUNCATED
        kind = u16(at)
        if kind == UNIQUE_ID_FIELD:
            unique_ids += 1
            put(work + UNIQUE_ID_AT, at - request)
            put(work + UNIQUE_ID_LENGTH, size)
        elif kind == COOKIE_FIELD:
            cookies += 1
            put(work + COOKIE_AT, at + FIELD_HEAD - request)
            put(work + COOKIE_LENGTH, size - FIELD_HEAD)
        elif kind == AUTHENTICATOR_FIELD:
            authenticators = 1
            put(work + AUTHENTICATOR_AT, at - request)
        at += size
    if unique_ids != 1 or get(work + UNIQUE_ID_LENGTH) < FIELD_HEAD + LEAST_UNIQUE_ID:
        return NO_UNIQUE_ID
    if cookies != 1:
        return NO_COOKIE
    if authenticators == 0 or at != end:
        return NO_AUTHENTICATOR
    return find_nonce(request, length, work)


@njit(cache=True, nogil=True)
def find_nonce(request: int, length: int, work: int) -> int:
    """Find nonce and ciphertext in the authenticator, and see that the nonce leaves room for ours (RFC 8915, 5.6)."""
    at = get(work + AUTHENTICATOR_AT) + FIELD_HEAD
    nonce, cipher = u16(request + at), u16(request + at + 2)
    room = (nonce + 3) & ~3
    spare = length - at - 4 - room - ((cipher + 3) & ~3)
    put(work + NONCE_LENGTH, nonce)
    put(work + CIPHER_AT, at + 4 + room)
    put(work + CIPHER_LENGTH, cipher)
    if nonce == 0 or cipher < TAG or spare < 0:
        return BAD_AUTHENTICATOR
    size = get(work + COOKIE_LENGTH)
    if (size == COOKIE_BYTES and room + spare < NONCE_BYTES) or (size == COOKIE_BYTES_GCM and nonce != NONCE_BYTES_GCM):
        return BAD_AUTHENTICATOR
    return ACCEPTED


@njit(cache=True, nogil=True)
def find_key(ring: int, slot: int, key_id: int) -> int:
    """Where the key of this id stands in the slot, −1 when it is not held."""
    for index in range(get(ring + COUNT + 8 * slot)):
        if get(key_at(ring, slot, index) + siv.KEY_ID) == key_id:
            return index
    return -1


@njit(cache=True, nogil=True)
def key_at(ring: int, slot: int, index: int) -> int:
    """The address of a key's words."""
    return ring + RING_HEAD + (slot * MOST_KEYS + index) * KEY_BYTES


@njit(cache=True, nogil=True)
def session_prefix(key: int, work: int, length: int) -> None:
    """The MAC of all blocks of the session but the last, under a cookie key, into PREFIX: the same for every nonce."""
    buffer, whole = work + siv.BUFFER, length - BLOCK
    copy(buffer, work + SESSION, whole)
    xor_block(buffer, buffer, key + siv.CHAIN)
    siv.encrypt(get(key + siv.KEY_CBC), work, buffer, whole)
    copy_block(work + PREFIX, buffer + whole - BLOCK)
    copy_block(key + siv.CHAIN, work + PREFIX)


@njit(cache=True, nogil=True)
def cookie_tags(key: int, work: int, nonces: int, count: int, last: int) -> None:
    """The tags of `count` cookies of one session, into LANES, from PREFIX and the session's last block.

    S2V of an empty string, a nonce and the session: of 16 bytes and of whole blocks, so that the first subkey serves
    both CMACs.
    """
    lanes, subkey, mac = work + LANES, key + siv.FIRST_SUBKEY, get(key + siv.KEY_ECB)
    for i in range(count):
        xor_block(lanes + i * BLOCK, nonces + i * BLOCK, subkey)
    siv.encrypt(mac, work, lanes, count * BLOCK)
    common = work + siv.BUFFER
    xor_block(common, work + PREFIX, last)
    xor_block(common, common, subkey)
    xor_block(common, common, key + siv.START_EMPTY)
    for i in range(count):
        xor_block(lanes + i * BLOCK, lanes + i * BLOCK, common)
    siv.encrypt(mac, work, lanes, count * BLOCK)


@njit(cache=True, nogil=True)
def open_cookie(request: int, ring: int, work: int) -> int:
    """Open the cookie of the request into SESSION: ACCEPTED, UNKNOWN_KEY or FORGED_COOKIE."""
    cookie, size, slot = request + get(work + COOKIE_AT), get(work + COOKIE_LENGTH), get(work + SLOT)
    if size not in (COOKIE_BYTES, COOKIE_BYTES_GCM):
        return FORGED_COOKIE
    index = find_key(ring, slot, u16(cookie) << 16 | u16(cookie + 2))
    if index < 0:
        return UNKNOWN_KEY
    put(work + COOKIE_KEY, index)
    key, length = key_at(ring, slot, index), size - COOKIE_HEAD - TAG
    siv.stream(get(key + siv.KEY_CTR), work, cookie + COOKIE_HEAD, length)
    siv.xor_stream(work, cookie + COOKIE_HEAD + TAG, work + SESSION, length)
    session_prefix(key, work, length)
    cookie_tags(key, work, cookie + COOKIE_ID, ONE, work + SESSION + length - BLOCK)
    return FORGED_COOKIE if siv.differs(work + LANES, cookie + COOKIE_HEAD) else ACCEPTED


@njit(cache=True, nogil=True)
def authenticate(request: int, work: int) -> int:
    """Verify the authenticator with the key in SESSION, and decrypt into PLAIN: ACCEPTED or FORGED_REQUEST."""
    key, secret, covered = work + CLIENT, work + SESSION, get(work + AUTHENTICATOR_AT)
    cipher, length = request + get(work + CIPHER_AT), get(work + CIPHER_LENGTH) - TAG
    siv.start_mac(key, work, secret)
    if length > 0:
        siv.set_key(get(key + siv.KEY_CTR), work, secret + KEY_HALF)
        siv.stream(get(key + siv.KEY_CTR), work, cipher, length)
        copy(work + PLAIN, cipher + TAG, length)
        siv.xor_stream(work, work + PLAIN, work + PLAIN, (length + BLOCK - 1) & ~15)
    copy_block(work + VALUE, key + siv.START)
    siv.absorb(key, work, request, covered)
    siv.double(work + VALUE, work + VALUE)
    siv.absorb(key, work, request + covered + FIELD_HEAD + 4, get(work + NONCE_LENGTH))
    siv.finish(key, work, work + PLAIN, length)
    return FORGED_REQUEST if siv.differs(work + VALUE, cipher) else ACCEPTED


@njit(cache=True, nogil=True)
def sound_plain(at: int, end: int) -> bool:
    """Whether what was decrypted is a row of fields, none of which must stand in clear."""
    while at < end:
        size = field_length(at, end)
        kind = u16(at)
        if size == 0 or kind in (UNIQUE_ID_FIELD, COOKIE_FIELD, AUTHENTICATOR_FIELD):
            return False
        at += size
    return True


@njit(cache=True, nogil=True)
def adopt_keys(ring: Ring, work: Work) -> None:
    """Take the newest keys into use; once a batch, also one without datagrams, or Python cannot change them again."""
    there = address(ring.words)
    generation = load_acquire(there + GENERATION)
    put(address(work.words) + SLOT, generation & 1)
    store_release(there + SEEN, generation)


@njit(cache=True, nogil=True)
def verify_request(request: Bytes, length: int, ring: Ring, work: Work) -> int:
    """Say what a datagram is (reasons.Reason); `request` uint8[>= LONGEST_BYTES] holds `length` bytes of it.

    What ACCEPTED and the NAKs need of it stays in `work` until the next call. Should libcrypto fail, BY_HAND.
    """
    here, there = address(request), address(work.words)
    put(there + FAILED, 0)
    reason = take_apart(here, length, there)
    if reason == ACCEPTED:
        reason = open_cookie(here, address(ring.words), there)
    if reason == ACCEPTED and get(there + COOKIE_LENGTH) != COOKIE_BYTES:
        reason = BY_HAND
    if reason == ACCEPTED:
        reason = authenticate(here, there)
    if get(there + FAILED) != 0:
        return BY_HAND
    if reason != ACCEPTED:
        return reason
    plain, end = there + PLAIN, there + PLAIN + get(there + CIPHER_LENGTH) - TAG
    if not sound_plain(plain, end):
        return BAD_ENCRYPTED
    asked = placeholders(here + HEADER_BYTES, here + get(there + AUTHENTICATOR_AT), COOKIE_FIELD_BYTES)
    asked += placeholders(plain, end, COOKIE_FIELD_BYTES)
    put(there + COOKIES, min(1 + asked, MOST_COOKIES))
    return ACCEPTED


@njit(cache=True, nogil=True)
def take_nonces(work: int, count: int) -> int:
    """The address of `count` nonces that were never given before: AES of salt ‖ counter, many at a time."""
    pool = work + NONCE_POOL
    if get(work + NONCES_LEFT) < count:
        counter = get(work + NONCE_COUNTER)
        for i in range(NONCES):
            store_word(pool + i * BLOCK, load_word(work + SALT))
            store_word(pool + i * BLOCK + 8, load_word(work + SALT + 8) + np.uint64(counter + i))
        siv.encrypt(get(work + NONCE_CONTEXT), work, pool, NONCES * BLOCK)
        put(work + NONCE_COUNTER, counter + NONCES)
        put(work + NONCES_LEFT, NONCES)
    left = get(work + NONCES_LEFT) - count
    put(work + NONCES_LEFT, left)
    return pool + left * BLOCK


@njit(cache=True, nogil=True)
def seal_cookies(ring: int, work: int, nonces: int, count: int) -> None:
    """Fields with `count` cookies for the keys in SESSION into PLAIN: 104 bytes each."""
    key = key_at(ring, get(work + SLOT), CURRENT)
    if get(work + COOKIE_KEY) != 0:
        session_prefix(key, work, SESSION_BYTES)
    cookie_tags(key, work, nonces, count, work + SESSION + SESSION_BYTES - BLOCK)
    for i in range(count):
        siv.counters(work + LANES + i * BLOCK, work + STREAM + i * SESSION_BYTES, SESSION_BYTES // BLOCK)
    siv.encrypt(get(key + siv.KEY_CTR), work, work + STREAM, count * SESSION_BYTES)
    key_id = get(key + siv.KEY_ID)
    for i in range(count):
        at = work + PLAIN + i * COOKIE_FIELD_BYTES
        write_u16(at, COOKIE_FIELD)
        write_u16(at + 2, COOKIE_FIELD_BYTES)
        write_u16(at + 4, key_id >> 16)
        write_u16(at + 6, key_id)
        at += FIELD_HEAD + COOKIE_ID
        copy_block(at, nonces + i * BLOCK)
        copy_block(at + BLOCK, work + LANES + i * BLOCK)
        for j in range(0, SESSION_BYTES, BLOCK):
            xor_block(at + 2 * BLOCK + j, work + SESSION + j, work + STREAM + i * SESSION_BYTES + j)


@njit(cache=True, nogil=True)
def seal_reply(request: Bytes, reply: Bytes, ring: Ring, work: Work) -> int:
    """Put the NTS fields behind the header in reply[0:48], for the request just ACCEPTED; gives the reply's length.

    `reply` uint8[>= LONGEST_BYTES]. The reply is never longer than its request. 0, and nothing to send, should
    libcrypto fail.
    """
    there, out = address(work.words), address(reply)
    count = get(there + COOKIES)
    length, nonce = count * COOKIE_FIELD_BYTES, take_nonces(there, count + 1)
    seal_cookies(address(ring.words), there, nonce + BLOCK, count)
    covered = write_unique_id(address(request), out, there)
    key, secret = there + CLIENT, there + SESSION + 2 * KEY_HALF
    siv.start_mac(key, there, secret)
    siv.set_key(get(key + siv.KEY_CTR), there, secret + KEY_HALF)
    copy_block(there + VALUE, key + siv.START)
    siv.absorb(key, there, out, covered)
    siv.double(there + VALUE, there + VALUE)
    siv.absorb(key, there, nonce, NONCE_BYTES)
    siv.finish(key, there, there + PLAIN, length)
    siv.stream(get(key + siv.KEY_CTR), there, there + VALUE, length)
    at = out + covered
    write_u16(at, AUTHENTICATOR_FIELD)
    write_u16(at + 2, FIELD_HEAD + 4 + NONCE_BYTES + TAG + length)
    write_u16(at + 4, NONCE_BYTES)
    write_u16(at + 6, TAG + length)
    copy_block(at + 8, nonce)
    copy_block(at + 8 + NONCE_BYTES, there + VALUE)
    siv.xor_stream(there, there + PLAIN, at + 8 + NONCE_BYTES + TAG, length)
    return covered + 8 + NONCE_BYTES + TAG + length if get(there + FAILED) == 0 else 0


@njit(cache=True, nogil=True)
def write_unique_id(request: int, reply: int, work: int) -> int:
    """Echo the unique identifier behind the header; gives where it ends."""
    length = get(work + UNIQUE_ID_LENGTH)
    copy(reply + HEADER_BYTES, request + get(work + UNIQUE_ID_AT), length)
    return HEADER_BYTES + length


@njit(cache=True, nogil=True)
def write_nak(request: Bytes, reply: Bytes, work: Work) -> int:
    """Write the kiss NTSN for the request just refused, header and all; gives the reply's length."""
    here, out = address(request), address(reply)
    for at in (0, 8, 16):
        store_word(out + at, np.uint64(0))
    store_byte(out, 3 << 6 | 4 << 3 | 4)
    store_byte(out + 2, load_byte(here + 2))
    write_u16(out + 12, KISS_NTSN[0])
    write_u16(out + 14, KISS_NTSN[1])
    for at in (24, 32, 40):
        store_word(out + at, load_word(here + 40))
    return write_unique_id(here, out, address(work.words))


@njit(cache=True, nogil=True)
def install_key(ring: Ring, work: Work, slot: int, index: int, key_id: int) -> None:
    """Key the contexts of one place of a slot with the 32 bytes in SESSION."""
    there = address(work.words)
    key, secret = key_at(address(ring.words), slot, index), there + SESSION
    put(key + siv.KEY_ID, key_id)
    siv.start_mac(key, there, secret)
    siv.set_key(get(key + siv.KEY_ECB), there, secret)
    siv.set_key(get(key + siv.KEY_CTR), there, secret + KEY_HALF)
    siv.start_empty(key, there)


@njit(cache=True, nogil=True)
def publish(ring: Ring, generation: int) -> None:
    """Make a generation of keys the current one, after everything written before."""
    store_release(address(ring.words) + GENERATION, generation)
