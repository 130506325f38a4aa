"""The compiled server's memory: keys change under a running loop, nonces do not come twice, contexts are given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from nts_packets import REPLY_HEADER, Client, CompiledServer, made_up, new_key
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.nts import kernels, selftest
from timeball.protocols.nts.client import open_reply
from timeball.protocols.nts.compiled import CompiledRing, CompiledWork, RingBusy
from timeball.protocols.nts.cookies import open_cookie
from timeball.protocols.nts.keyring import MOST_KEYS, KeyRing
from timeball.protocols.nts.reasons import Reason
from timeball.protocols.nts.siv import kernels as siv
from timeball.protocols.nts.siv import libcrypto

OLD, NEW = new_key(1), new_key(2)


@pytest.fixture
def server() -> Iterator[CompiledServer]:
    with CompiledServer(KeyRing(OLD)) as server:
        yield server


def row_of(datagram: bytes) -> NDArray[np.uint8]:
    """A datagram as it stands in a loop's memory."""
    row = np.zeros(kernels.LONGEST_BYTES, np.uint8)
    row[: len(datagram)] = np.frombuffer(datagram, np.uint8)
    return row


def sealed_by(server: CompiledServer, client: Client) -> int:
    """The id of the key that the fresh cookie is sealed with."""
    reason, reply = server.answer(client.request())
    assert reason is Reason.ACCEPTED
    (cookie,) = open_reply(client.session, client.unique_id, reply).cookies
    assert open_cookie(KeyRing(OLD, (NEW,)), cookie) == client.session
    return int.from_bytes(cookie[:4])


# Keys


def test_keys_change(server: CompiledServer) -> None:
    client = Client(KeyRing(OLD))
    assert sealed_by(server, client) == OLD.id
    server.ring.install(KeyRing(NEW, (OLD,)))
    assert sealed_by(server, client) == NEW.id
    server.ring.install(KeyRing(NEW))
    assert server.answer(client.request())[0] is Reason.UNKNOWN_KEY


def test_keys_stay_until_the_loop_goes_round(server: CompiledServer) -> None:
    datagram = Client(KeyRing(OLD)).request()
    row, ring, work = row_of(datagram), server.ring.ring, server.work.work
    kernels.adopt_keys(ring, work)
    server.ring.install(KeyRing(NEW))
    # the batch that is being answered is answered with the keys that it began with
    assert kernels.verify_request(row, len(datagram), ring, work) == Reason.ACCEPTED
    kernels.adopt_keys(ring, work)
    assert kernels.verify_request(row, len(datagram), ring, work) == Reason.UNKNOWN_KEY


def test_keys_do_not_change_twice_before_the_loop_goes_round(server: CompiledServer) -> None:
    server.ring.install(KeyRing(NEW, (OLD,)))
    with pytest.raises(RingBusy):
        server.ring.install(KeyRing(new_key(3)))
    kernels.adopt_keys(server.ring.ring, server.work.work)
    server.ring.install(KeyRing(new_key(3)))
    assert server.ring.generation == 3


def test_ring_of_as_many_keys_as_there_is_room_for() -> None:
    ring = KeyRing(new_key(10), tuple(new_key(n) for n in range(11, 10 + MOST_KEYS)))
    with CompiledServer(ring) as server:
        for key in ring:
            assert server.answer(Client(KeyRing(key)).request())[0] is Reason.ACCEPTED
        server.ring.install(KeyRing(ring.current))
        answers = [server.answer(Client(KeyRing(key)).request())[0] for key in ring]
    assert answers == [Reason.ACCEPTED] + (MOST_KEYS - 1) * [Reason.UNKNOWN_KEY]


def test_key_id_zero_is_not_found_in_an_empty_place(server: CompiledServer) -> None:
    assert server.answer(Client(KeyRing(new_key(0))).request())[0] is Reason.UNKNOWN_KEY


@njit(cache=True, nogil=True)
def go_round(
    request: NDArray[np.uint8],
    length: int,
    reply: NDArray[np.uint8],
    ring: kernels.Ring,
    work: kernels.Work,
    stop: NDArray[np.int64],
    seen: NDArray[np.int64],
) -> None:
    """What a server's loop does, until it is told to stop; counts requests accepted and otherwise."""
    while stop[0] == 0:
        kernels.adopt_keys(ring, work)
        for _ in range(8):
            accepted = kernels.verify_request(request, length, ring, work) == 0
            seen[0 if accepted else 1] += 1
            if accepted and kernels.seal_reply(request, reply, ring, work) != length:
                seen[2] += 1


def test_keys_change_under_a_running_loop(server: CompiledServer) -> None:
    client = Client(KeyRing(OLD))
    datagram = client.request()
    row = row_of(datagram)
    reply = row.copy()
    reply[: len(REPLY_HEADER)] = np.frombuffer(REPLY_HEADER, np.uint8)
    stop, seen = np.zeros(1, np.int64), np.zeros(3, np.int64)
    arguments = (row, len(datagram), reply, server.ring.ring, server.work.work, stop, seen)
    thread = threading.Thread(target=go_round, args=arguments)
    thread.start()
    changes = 0
    try:
        while changes < 60:
            try:
                server.ring.install(KeyRing(new_key(100 + changes % 2), (OLD,)))
            except RingBusy:
                continue
            changes += 1
    finally:
        stop[0] = 1
        thread.join()
    # the client's key is in every ring: no request was ever refused, and the last reply is whole
    assert seen[0] > 0
    assert seen[1:].tolist() == [0, 0]
    length = len(datagram)
    assert open_reply(client.session, client.unique_id, reply[:length].tobytes()).packet == REPLY_HEADER


# Nonces


def test_no_nonce_comes_twice(server: CompiledServer) -> None:
    client = Client(KeyRing(OLD))
    nonces = []
    for round_ in range(80):
        _, reply = server.answer(client.request(round_ % 8))
        nonces.append(reply[92:108])
        nonces += [cookie[4:20] for cookie in open_reply(client.session, client.unique_id, reply).cookies]
    assert len(nonces) > 5 * kernels.NONCES
    assert len(set(nonces)) == len(nonces)


def test_nonces_of_two_loops_differ() -> None:
    client, seen = Client(KeyRing(OLD)), []
    datagram = client.request()
    for _ in range(2):
        with CompiledServer(KeyRing(OLD)) as server:
            seen.append(server.answer(datagram)[1][92:108])
    assert seen[0] != seen[1]


# Life cycle


def test_contexts_are_given_back_and_keys_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[int] = []
    ring, work = CompiledRing(KeyRing(OLD)), CompiledWork(made_up(32))
    held = [*ring._addresses, *work._addresses]
    monkeypatch.setattr(
        "timeball.protocols.nts.compiled.free_context", lambda at: (freed.append(at), libcrypto.free_context(at))
    )
    for each in (ring, work, ring, work):
        each.close()
    assert sorted(freed) == sorted(held)
    assert len(set(held)) == kernels.SLOTS * MOST_KEYS * 3 + 3
    assert not ring.ring.words.any()
    assert not work.work.words.any()


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_seed_has_its_length(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CompiledWork(bytes(length))


def test_library_that_is_not_here() -> None:
    assert libcrypto.find_aes(("libno-such-thing.so.9",)) is None
    # a library without these functions is none
    assert libcrypto.find_aes(("libc.so.6",)) is None


def test_without_a_library_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypto, "_CALLS", None)
    with pytest.raises(libcrypto.LibcryptoFailed, match="no libcrypto"):
        CompiledWork(made_up(32))
    with pytest.raises(libcrypto.LibcryptoFailed):
        selftest.self_test(made_up(32))


def test_failure_of_libcrypto_is_left_to_be_done_by_hand(server: CompiledServer) -> None:
    client = Client(KeyRing(OLD))
    assert server.answer(client.request())[0] is Reason.ACCEPTED
    words, at = server.work.work.words, (siv.CLIENT + siv.KEY_CBC) // 8
    context = words[at]
    # a context that was never given a cipher: libcrypto refuses to work with it
    words[at] = libcrypto._CALLS.new()
    try:
        assert server.answer(client.request()) == (Reason.BY_HAND, b"")
    finally:
        libcrypto.free_context(int(words[at]))
        words[at] = context
    assert server.answer(client.request())[0] is Reason.ACCEPTED


def test_reply_is_not_sent_when_libcrypto_fails_on_it(server: CompiledServer) -> None:
    datagram = Client(KeyRing(OLD)).request()
    row, ring, work = row_of(datagram), server.ring.ring, server.work.work
    assert server.answer(datagram)[0] is Reason.ACCEPTED
    words, at = work.words, (siv.CLIENT + siv.KEY_CTR) // 8
    context = words[at]
    words[at] = libcrypto._CALLS.new()
    try:
        assert kernels.verify_request(row, len(datagram), ring, work) == Reason.ACCEPTED
        assert kernels.seal_reply(row, row.copy(), ring, work) == 0
    finally:
        libcrypto.free_context(int(words[at]))
        words[at] = context


# The self-test


def test_self_test_finds_another_siv(monkeypatch: pytest.MonkeyPatch) -> None:
    good = selftest.composed_siv
    monkeypatch.setattr(selftest, "composed_siv", lambda *a: good(*a)[:-1] + b"?")
    with pytest.raises(selftest.SelfTestFailed, match="RFC 5297"):
        selftest.self_test(made_up(32))
    monkeypatch.setattr(selftest, "RFC_5297", ())
    with pytest.raises(selftest.SelfTestFailed, match="the library's"):
        selftest.self_test(made_up(32))


def test_self_test_finds_a_server_that_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    class Everything:
        def __getattr__(self, name: str) -> object:
            return getattr(kernels, name)

        def verify_request(self, *arguments: object) -> int:
            kernels.verify_request(*arguments)
            return Reason.ACCEPTED

    monkeypatch.setattr(selftest, "kernels", Everything())
    with pytest.raises(selftest.SelfTestFailed, match="forged request"):
        selftest.self_test(made_up(32))
