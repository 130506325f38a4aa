"""The witness as a real process over real HTTP: the vectors of another implementation, forks, garbage, kill -9."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from witnesses import Witness, witnessing

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import parse_cosigner_vkey
from timeball.ledger.merkle import MerkleTree, hash_leaf, make_consistency_proof
from timeball.ledger.note import Signer, Verifier, make_signer, parse_note
from timeball.ledger.witnessing import write_add_checkpoint
from timeball.station.witnessing.client import WitnessClient, origin_hash
from timeball.station.witnessing.errors import WitnessRefused, WitnessUnreachable

pytestmark = pytest.mark.system

LOG = make_signer("log.example.org/tb", bytes(range(32)))
OTHER = make_signer("log.example.org/two", bytes(range(1, 33)))
VECTOR = re.compile(r"POST \S+\n```\n(.*?)```\nHTTP (\d+)\n\[Asserts\]\nbody (contains|==) \"(.*?)\"\n", re.DOTALL)
VECTOR_LOG = re.compile(r"log public key: ([0-9a-f]{64})")


class Log:
    """A log in memory whose leaves are numbered words; `fork` changes them from some leaf on."""

    def __init__(self, leaves: int = 64, signer: Signer = LOG, fork: int | None = None) -> None:
        self.signer, self.tree = signer, MerkleTree()
        for index in range(leaves):
            word = "forked" if fork is not None and index >= fork else "leaf"
            self.tree.append(hash_leaf(f"{word} {index}".encode()))

    def note(self, size: int) -> bytes:
        return sign_checkpoint(Checkpoint(self.signer.name, size, self.tree.root(size)), [self.signer])

    def request(self, old: int, size: int) -> bytes:
        proof = make_consistency_proof(old, size, self.tree.node) if 0 < old < size else []
        return write_add_checkpoint(old, proof, self.note(size))


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """A running witness of two logs, with a key of each kind."""
    made = Witness(tmp_path, "witness.example.org/w1", "both")
    with witnessing(made):
        made.start([LOG.verifier.vkey, OTHER.verifier.vkey])
        yield made


def refused(client: WitnessClient, body: bytes) -> tuple[int, int | None]:
    with pytest.raises(WitnessRefused) as refusal:
        client.add_checkpoint(body)
    return refusal.value.status, refusal.value.size


def test_vectors_of_another_witness(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    """Every request of torchwood's test in order; it says 403 where tlog-witness v1.0.0 asks for 404 (unknown log)."""
    text = shared("ledger/witness_vectors/add-checkpoint.hurl").read_text("utf-8")
    vectors = VECTOR.findall(text)
    assert len(vectors) == text.count("POST ") == 9
    key = VECTOR_LOG.search(text)
    assert key is not None
    origin = vectors[0][0].split("\n")[2]
    other = Witness(tmp_path, "example.com/witness")
    with witnessing(other):
        other.start([Verifier(origin, bytes.fromhex(key[1])).vkey])
        for body, status, how, words in vectors:
            answer = other.client.post("/add-checkpoint", body.encode())
            expected = 404 if words == "unknown log" else int(status)
            wanted = words.replace("\\n", "\n")
            assert answer.status == expected, (answer, body)
            assert answer.body.decode() == wanted if how == "==" else wanted in answer.body.decode()
            assert (answer.kind == "text/x.tlog.size") == (expected == 409)


def test_two_kinds_of_keys_cosign_and_the_newest_is_served(witness: Witness) -> None:
    lines = witness.client.add_checkpoint(Log().request(0, 5))
    keys = [parse_cosigner_vkey(text) for text in witness.keys]
    assert [key.kind for key in keys] == ["ed25519", "ml-dsa-44"]
    head, before = Checkpoint(LOG.name, 5, Log().tree.root(5)), int(time.time())
    for line, key in zip(lines, keys, strict=True):
        [signature] = parse_note((head.text + "\n" + line).encode()).signatures
        assert before - 60 <= key.verify_cosignature(head, signature.signature) <= time.time()
    newest = witness.client.newest(LOG.name)
    assert newest is not None
    assert newest.endswith("".join(lines).encode())
    assert newest.startswith(head.text.encode())
    assert witness.client.newest(OTHER.name) is None
    assert witness.client.newest("log.example.org/unknown") is None


def test_every_status(witness: Witness) -> None:
    client, log = witness.client, Log()
    client.add_checkpoint(log.request(0, 5))
    assert refused(client, b"old x\n\nhello") == (400, None)
    assert refused(client, log.request(9, 9).replace(b"old 9", b"old 10")) == (400, None)
    stranger = make_signer(LOG.name, bytes(32))
    assert refused(client, Log(signer=stranger).request(5, 6)) == (403, None)
    assert refused(client, Log(signer=make_signer("who.example.org", bytes(32))).request(0, 6)) == (404, None)
    assert refused(client, log.request(0, 6)) == (409, 5)
    assert refused(client, log.request(4, 6)) == (409, 5)
    assert refused(client, log.request(5, 8).replace(log.request(5, 8).split(b"\n")[1], b"A" * 43 + b"=")) == (
        422,
        None,
    )
    assert len(client.add_checkpoint(log.request(5, 8))) == 2
    assert len(client.add_checkpoint(log.request(8, 8))) == 2
    assert len(client.add_checkpoint(Log(signer=OTHER).request(0, 3))) == 2
    assert client.get("/nothing").status == 404
    assert client.get("/add-checkpoint").status == 405


def test_of_two_requests_at_once_one_wins(witness: Witness) -> None:
    """Both extend the same head, each by another leaf: whoever comes second is told the size."""
    client, outcomes = witness.client, []
    for size in range(6):
        rivals = [Log(fork=None if size else 0), Log(fork=size)]
        barrier = threading.Barrier(len(rivals))

        def ask(log: Log, old: int = size, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                client.add_checkpoint(log.request(old, old + 1))
                outcomes.append(200)
            except WitnessRefused as refusal:
                outcomes.append(refusal.status)

        threads = [threading.Thread(target=ask, args=(log,)) for log in rivals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == [200, 409], f"size {size}: {outcomes}"
        outcomes.clear()
        newest = client.newest(LOG.name)
        assert newest is not None
        if newest.startswith(Log(fork=size).note(size + 1).split(b"\n\n")[0]):
            return  # the fork has won; from here on it is the history
    assert newest.startswith(Log().note(6).split(b"\n\n")[0])


def test_a_head_survives_kill_9_and_a_folder_has_one_witness(tmp_path: Path) -> None:
    one = Witness(tmp_path, "witness.example.org/w1")
    log, forked = Log(), Log(fork=3)
    with witnessing(one):
        for size in (5, 17, 40):
            one.start([LOG.verifier.vkey])
            newest = one.client.newest(LOG.name)
            old = 0 if newest is None else int(newest.split(b"\n")[1])
            assert newest is None or log.note(old).split(b"\n\n")[0] in newest
            if old:
                assert refused(one.client, forked.request(old, size))[0] == 422
                assert refused(one.client, log.request(0, 1)) == (409, old)
            one.client.add_checkpoint(log.request(old, size))
            one.stop(signal.SIGKILL)
        one.start([LOG.verifier.vkey])
        rival = Witness(tmp_path, "witness.example.org/w1")
        rival.port = 0
        with pytest.raises(AssertionError, match="another witness runs on"):
            rival.start([LOG.verifier.vkey])
        assert rival.popen is not None
        assert rival.stop() == 2
        assert one.stop() == 0


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    one = Witness(tmp_path, "witness.example.org/w1")
    with witnessing(one):
        one.start([LOG.verifier.vkey])
        one.client.add_checkpoint(Log().request(0, 5))
        one.stop()
        path = one.state / "heads" / origin_hash(LOG.name)
        path.write_bytes(path.read_bytes().replace(b"\n5\n", b"\n4\n", 1))
        with pytest.raises(AssertionError, match="invalid signature"):
            one.start([LOG.verifier.vkey])
        assert one.stop() == 4


def sent_before_the_end(port: int) -> int:
    """How many bytes of a body without a length are taken before the witness refuses or hangs up."""
    sent, piece = 0, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        one.setblocking(False)
        while sent < 64_000_000:
            try:
                sent += one.send(piece)
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break
            with contextlib.suppress(BlockingIOError):
                if b" 413 " in one.recv(4096):
                    break
    return sent


def test_garbage_oversized_and_slow_requests_are_bounded(witness: Witness) -> None:
    """Whatever is sent, the next honest request is answered; nobody holds a connection by being slow."""
    for body in (
        b"",
        b"\x00" * 100,
        b"\xff" * 60_000,
        Log().note(3),
        b"old 0\n" + b"A" * 44 + b"\n" * 70,
        "old ٣\n\n—".encode(),
    ):
        assert witness.client.post("/add-checkpoint", body).status == 400
    with contextlib.suppress(WitnessUnreachable):  # it may hang up while we are still talking, which is as good
        assert witness.client.post("/add-checkpoint", b"x" * 100_000).status == 413
    assert sent_before_the_end(witness.port) < 32_000_000
    slow = [socket.create_connection(("127.0.0.1", witness.port), timeout=60) for _ in range(20)]
    for number, one in enumerate(slow):
        one.sendall(
            b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nold" if number % 2 else b"POS"
        )
    assert len(witness.client.add_checkpoint(Log().request(0, 5))) == 2
    answered = slow[1].recv(100)
    assert b" 408 " in answered
    with contextlib.suppress(ConnectionResetError):
        assert slow[0].recv(100) == b"", "a connection that does not end its question stays open"
    for one in slow:
        one.close()
