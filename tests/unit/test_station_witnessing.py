"""The pieces around the witness protocol: the client's bounds, the publisher's board, its words, keys, the command."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from timeball.cli.root import root
from timeball.cli.root import run as run_command
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import cosign, make_cosigner, parse_cosigner_vkey
from timeball.ledger.errors import EvidenceError, Refusal
from timeball.ledger.merkle import MerkleTree, hash_leaf, make_consistency_proof
from timeball.ledger.note import make_signer
from timeball.ledger.policy import Policy, parse_policy
from timeball.ledger.witnessing import AddCheckpoint
from timeball.simulation.disk import SimulatedDisk
from timeball.station import paths, publisher
from timeball.station.configuration.settings import Config
from timeball.station.publishing.errors import SourceUnreachable
from timeball.station.publishing.source import Source
from timeball.station.recording.store import NewEntry, Store
from timeball.station.reporting.witnesses import witnessing_alarms, witnessing_part, witnessing_words
from timeball.station.supervision.process import CannotStartError, Process
from timeball.station.supervision.supervisor import station_commands
from timeball.station.web import make_server
from timeball.station.witnessing.board import Board
from timeball.station.witnessing.client import MAX_ANSWER_BYTES, WitnessClient, check_url, parse_cosignatures
from timeball.station.witnessing.errors import ForkFound, WitnessRefused, WitnessUnreachable
from timeball.station.witnessing.heads import Heads
from timeball.station.witnessing.keys import load_cosigners, make_cosigners
from timeball.station.witnessing.locallog import LocalLog, SignedHead
from timeball.station.witnessing.policyfile import by_url, read_policy
from timeball.station.witnessing.standing import quorum_words, state_of, table, why_of

LOG = make_signer("timeball.example/tb", bytes(range(32)))
COSIGNERS = {name: make_cosigner(f"witness.example/{name}", bytes([ord(name[1])] * 32)) for name in ("w1", "w2", "w3")}
TEXT = (
    "".join(f"witness {name} {each.verifier.vkey} http://{name}.example\n" for name, each in COSIGNERS.items())
    + "group two-of-us 2 w1 w2 w3\nquorum two-of-us\n"
)
POLICY: Policy = parse_policy(TEXT)


def head(size: int, mark: int = 0) -> SignedHead:
    checkpoint = Checkpoint(LOG.name, size, bytes([mark]) * 32)
    return SignedHead(checkpoint, sign_checkpoint(checkpoint, [LOG]))


def lines(size: int, *names: str, time_s: int = 1_800_000_000) -> dict[str, str]:
    return {name: cosign(head(size).checkpoint.text, COSIGNERS[name], time_s) for name in names}


@contextmanager
def answering(*pieces: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """A server that reads a little, sends these pieces with pauses, and hangs up."""
    stop = threading.Event()

    def talk(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                for piece in pieces:
                    if stop.wait(pause_s):
                        return
                    try:
                        connection.sendall(piece)
                    except OSError:
                        break

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def http_answer(status: str, body: bytes, kind: str = "text/plain") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("kind", "body", "size"),
    [
        ("text/x.tlog.size", b"50\n", 50),
        ("text/x.tlog.size; charset=utf-8", b"0\n", 0),
        ("text/x.tlog.size", b"50", None),
        ("text/x.tlog.size", b"050\n", None),
        ("text/x.tlog.size", b"-5\n", None),
        ("text/x.tlog.size", b"\n", None),
        ("text/plain", b"50\n", None),
    ],
)
def test_the_size_told_with_409(kind: str, body: bytes, size: int | None) -> None:
    with answering(http_answer("409 Conflict", body, kind)) as url, pytest.raises(WitnessRefused) as refusal:
        WitnessClient(url, 5.0).add_checkpoint(b"x")
    assert (refusal.value.status, refusal.value.size) == (409, size)


@pytest.mark.parametrize(
    "answer",
    [
        http_answer("200 OK", b"no signature line\n"),
        http_answer("200 OK", b""),
        http_answer("200 OK", "— name c2ln".encode()),
        http_answer("200 OK", b"\xff\xfe\n"),
        http_answer("200 OK", b"x" * (MAX_ANSWER_BYTES + 1)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
        b"HTTP/1.1 " + b"9" * 100_000,
        b"",
    ],
)
def test_what_is_no_witness_is_unreachable(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(WitnessUnreachable):
        WitnessClient(url, 5.0).add_checkpoint(b"x")


@given(
    st.binary(max_size=200) | st.lists(st.text(max_size=9)).map(lambda words: "\n— ".join(["", *words, ""]).encode())
)
def test_any_answer_gives_signature_lines_or_a_value_error(body: bytes) -> None:
    try:
        found = parse_cosignatures(body)
    except ValueError:
        return
    assert "".join(found).encode() == body
    assert all(line.startswith("— ") and line.count("\n") == 1 for line in found)


@pytest.mark.parametrize(
    "pieces", [(b"HTTP/1.1 200 OK\r\n", *[b"X"] * 200), (http_answer("200 OK", b"x" * 9)[:-9], *[b"x"] * 200)]
)
def test_who_talks_slowly_is_cut_off(pieces: tuple[bytes, ...]) -> None:
    """Each byte comes well within a timeout of the socket; the call ends all the same."""
    begin = time.monotonic()
    with answering(*pieces, pause_s=0.2) as url, pytest.raises(WitnessUnreachable):
        WitnessClient(url, 0.6).add_checkpoint(b"x")
    assert time.monotonic() - begin < 20


SLOW = {
    "headers": ("http", b"HTTP/1.1 200 OK\r\n"),
    "a body": ("http", http_answer("200 OK", b"x" * 999)[:-999]),
    "a body without an end": ("http", b"HTTP/1.0 200 OK\r\n\r\n"),
    "a handshake": ("https", b"\x16\x03\x03\x40\x00"),
}


@pytest.mark.parametrize("what", list(SLOW))
def test_a_server_of_a_ledger_that_talks_slowly_is_cut_off(what: str) -> None:
    scheme, first = SLOW[what]
    begin = time.monotonic()
    with answering(first, *[b"x"] * 200, pause_s=0.2) as url, pytest.raises(SourceUnreachable):
        Source(url.replace("http", scheme), timeout_s=0.6).head()
    assert time.monotonic() - begin < 20


def test_nobody_there_and_no_redirects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WitnessUnreachable, match="no answer"):
        WitnessClient(f"http://127.0.0.1:{port}", 5.0).newest("log.example")
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with answering(moved) as url, pytest.raises(WitnessRefused, match="302"):
        WitnessClient(url, 5.0).newest("log.example")


@pytest.mark.parametrize("url", ["https://w1.example", "http://[::1]:8477/a/b", "http://127.0.0.1:8477/"])
def test_urls(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "w1.example",
        "ftp://w1.example",
        "http://",
        "http://a b",
        "http://a:x",
        "http://u@a",
        "http://a?b",
        "http://ä",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        check_url(url)


def test_a_quorum_makes_a_note_and_more_cosignatures_join_it() -> None:
    board = Board(POLICY, LOG.verifier)
    board.offer(head(5))
    board.cosigned(5, lines(5, "w1"), 1.0)
    assert (board.take_note(), board.cosigned_size) == (None, 0)
    board.cosigned(5, lines(5, "w3"), 2.0)
    note = board.take_note()
    assert note is not None
    assert POLICY.check(note, [LOG.verifier]).times.keys() == {"w1", "w3"}
    assert (board.take_note(), board.cosigned_size) == (None, 5)
    board.cosigned(5, lines(5, "w2"), 3.0)
    assert POLICY.check(board.take_note() or b"", [LOG.verifier]).times.keys() == {"w1", "w2", "w3"}


def test_a_late_quorum_for_an_old_head_counts_but_never_goes_back() -> None:
    board = Board(POLICY, LOG.verifier)
    for size in (5, 6, 7):
        board.offer(head(size))
    board.cosigned(6, lines(6, "w1", "w2"), 1.0)
    assert board.cosigned_size == 6
    board.take_note()
    board.cosigned(5, lines(5, "w1", "w2"), 2.0)
    assert (board.cosigned_size, board.take_note()) == (6, None)


def test_a_board_waits_for_a_larger_head_and_lets_go_when_closed() -> None:
    board = Board(POLICY, LOG.verifier)
    assert board.wait(0, 0.01) is None
    board.offer(head(5))
    assert board.wait(0, 10.0) == head(5)
    assert board.wait(5, 0.01) is None
    threading.Timer(0.1, board.close).start()
    assert board.wait(5, 60.0) is None


def test_the_age_is_that_of_the_oldest_entry_without_a_quorum() -> None:
    board = Board(POLICY, LOG.verifier)
    assert board.age(0, 0.0) == 0.0
    assert board.age(5, 1.0) == 0.0
    assert board.age(9, 4.0) == 3.0
    board.offer(head(5))
    board.cosigned(5, lines(5, "w1", "w2"), 4.0)
    assert board.age(9, 6.0) == 2.0  # the entries after 5 were first seen at 4
    board.offer(head(9))
    board.cosigned(9, lines(9, "w1", "w2"), 7.0)
    assert board.age(9, 8.0) == 0.0


def test_a_fork_is_not_forgotten_for_a_smaller_trouble() -> None:
    board = Board(POLICY, LOG.verifier)
    board.failed(["w1"], "another history\x1b[2J" + "x" * 1000, fork=True)
    board.failed(["w1"], "no answer")
    state = board.states()[0]
    assert state.fork
    assert state.why.startswith("another history[2Jxx")
    assert len(state.why) == 300
    assert state_of(board.states(), 0.0, 60.0, quorum_met=True) == "missing"
    assert why_of(board.states(), POLICY, "missing", 60.0).startswith("FORK: w1: another history")
    board.offer(head(5))
    board.cosigned(5, lines(5, "w1"), 1.0)
    assert not board.states()[0].fork


def test_states_in_words() -> None:
    board = Board(POLICY, LOG.verifier)
    board.failed(["w2"], "no answer")
    assert state_of(board.states(), 59.0, 60.0, quorum_met=False) is None
    assert state_of(board.states(), 61.0, 60.0, quorum_met=True) == "missing"
    assert state_of(board.states(), 59.0, 60.0, quorum_met=True) == "cosigned"
    assert why_of(board.states(), POLICY, "missing", 60.0) == (
        "no quorum (2 of w1, w2, w3) for more than 60 s; w2: no answer"
    )
    assert quorum_words(parse_policy("quorum none\n")) == "nobody"
    board.cosigned(0, lines(5, "w1"), 90.0)
    assert table(board.states(), 100.0, 1000.0)[0]["cosigned_unix_s"] == 990.0


def test_policies_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "policy"
    with pytest.raises(CannotStartError, match="cannot read"):
        read_policy(str(path))
    for text, words in (
        ("quorum w1\n", "line 1"),
        (TEXT.replace("http://w1.example", "").replace("http://w2.example", ""), "cannot make the quorum"),
        (TEXT.replace("http://w1.example", "gopher://w1"), "the URL of a witness"),
    ):
        path.write_text(text)
        with pytest.raises(CannotStartError, match=words):
            read_policy(str(path))
    path.write_bytes(b"quorum \xff\n")
    with pytest.raises(CannotStartError, match=r"ledger\.policy"):
        read_policy(str(path))
    path.write_text(TEXT.replace("http://w2.example", "http://w1.example"))
    assert [len(found) for found in by_url(read_policy(str(path))).values()] == [2, 1]


def test_a_publisher_only_with_a_policy(tmp_path: Path) -> None:
    assert "publisher" not in station_commands(tmp_path, Config())
    assert "publisher" in station_commands(tmp_path, Config(ledger=type(Config().ledger)(policy="/policy")))


def test_alarms_also_when_the_publisher_is_down(tmp_path: Path) -> None:
    assert witnessing_alarms(witnessing_part(tmp_path, Config(), None), 5, Config()) == []
    assert "nobody outside" in witnessing_words(witnessing_part(tmp_path, Config(), None))
    config = Config(ledger=type(Config().ledger)(policy="/policy"))
    part = {**witnessing_part(tmp_path, config, {"state": "cosigned", "why": "fine"}), "quorum": "w1", "size": 5}
    assert witnessing_alarms({**part, "age_s": 79.0}, 9, config) == []
    [alarm] = witnessing_alarms({**part, "age_s": 81.0}, 9, config)
    assert "nothing has been cosigned for 81 s" in alarm
    assert witnessing_alarms({**part, "age_s": 81.0}, 5, config) == []
    [alarm] = witnessing_alarms({**part, "state": "missing", "why": "FORK: w1"}, 5, config)
    assert alarm == "witnesses: FORK: w1; no new steers until they cosign"
    rows = [{"name": "w1", "why": "no answer"}]
    assert witnessing_words({**part, "age_s": 3.2, "witnesses": rows}) == (
        "cosigned: 5 entries cosigned by w1, 3 s ago; w1: no answer"
    )


def test_a_clock_set_back_makes_no_older_cosignature() -> None:
    now = [1_800_000_000]
    heads = Heads(SimulatedDisk(), [LOG.verifier], [COSIGNERS["w1"]], lambda: now[0])
    times = []
    for size, clock in ((1, 1_800_000_000), (2, 5), (3, 1_800_000_050)):
        now[0] = clock
        old = size - 1
        proof = () if size == 1 else consistency(old, size)
        heads.add(AddCheckpoint(old, proof, grown(size)))
        newest = heads.newest(LOG.name)
        assert newest is not None
        times.append(newest.time_s)
    assert times == [1_800_000_000, 1_800_000_000, 1_800_000_050]


def grown(size: int) -> bytes:
    return sign_checkpoint(Checkpoint(LOG.name, size, tree().root(size)), [LOG])


def consistency(old: int, new: int) -> tuple[bytes, ...]:
    return tuple(make_consistency_proof(old, new, tree().node))


def tree() -> MerkleTree:
    made = MerkleTree()
    for index in range(8):
        made.append(hash_leaf(b"%d" % index))
    return made


def test_strangers_lines_are_neither_stored_nor_served() -> None:
    disk = SimulatedDisk()
    heads = Heads(disk, [LOG.verifier], [COSIGNERS["w1"]], lambda: 1_800_000_000)
    junk = "".join(f"— junk.example/{number} {'A' * 400}\n" for number in range(40)).encode()
    heads.add(AddCheckpoint(0, (), grown(1) + junk))
    newest = heads.newest(LOG.name)
    assert newest is not None
    assert b"junk" not in newest.note
    assert newest.note.count("— ".encode()) == 2


def test_a_head_of_another_log_in_the_file_is_refused() -> None:
    disk = SimulatedDisk()
    other = make_signer("log.example/other", bytes(32))
    heads = Heads(disk, [LOG.verifier, other.verifier], [COSIGNERS["w1"]], lambda: 1)
    heads.add(AddCheckpoint(0, (), grown(1)))
    heads.close()
    [stored] = [data for path, data in disk.files().items() if path.startswith("heads/")]
    for path in (path for path in disk.files() if path.startswith("heads/")):
        disk.write_at(path, 0, stored.replace(b"timeball", b"timebill"))
    with pytest.raises(EvidenceError, match="heads/"):
        Heads(disk, [LOG.verifier], [COSIGNERS["w1"]], lambda: 1)


def test_keys_are_made_once_and_for_their_owner(tmp_path: Path) -> None:
    assert load_cosigners(tmp_path) == []
    [first] = make_cosigners(tmp_path, "witness.example/w1", ["ed25519"])
    both = make_cosigners(tmp_path, "witness.example/other-name", ["ed25519", "ml-dsa-44"])
    assert both[0] == first
    assert load_cosigners(tmp_path) == both
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    state = str(tmp_path / "w")
    assert run_command(["witness", "--state", state, "--keys"]) == 1
    assert run_command(["witness", "--state", state, "--name", "a b", "--keys"]) == 1
    done = CliRunner().invoke(
        root, ["witness", "--state", state, "--name", "witness.example/w1", "--kind", "both", "--keys"]
    )
    assert [parse_cosigner_vkey(line).kind for line in done.output.splitlines()] == ["ed25519", "ml-dsa-44"]
    assert run_command(["witness", "--state", state, "--name", "witness.example/w2", "--keys"]) == 1
    assert run_command(["witness", "--state", state]) == 1
    assert run_command(["witness", "--state", state, "--log", "nonsense"]) == 1
    assert run_command(["witness", "--state", state, "--log", LOG.verifier.vkey, "--listen", "nowhere"]) == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert run_command(["witness", "--state", state, "--log", LOG.verifier.vkey, "--listen", address]) == 2


def test_a_head_that_cannot_be_cosigned_is_refused_in_words() -> None:
    """Such as one with extension lines, which ML-DSA-44 does not cover."""
    checkpoint = Checkpoint(LOG.name, 1, tree().root(1), ("more",))
    quantum = make_cosigner("witness.example/q", bytes(32), "ml-dsa-44")
    disk = SimulatedDisk()
    heads = Heads(disk, [LOG.verifier], [COSIGNERS["w1"], quantum], lambda: 1)
    with pytest.raises(Refusal, match="extension lines") as refused:
        heads.add(AddCheckpoint(0, (), sign_checkpoint(checkpoint, [LOG])))
    assert refused.value.status == 400
    assert heads.newest(LOG.name) is None
    heads.add(AddCheckpoint(0, (), grown(1)))


def test_a_connection_that_has_ended_is_not_kept_in_memory() -> None:
    async def ends() -> bool:
        server = make_server(Starlette(), 300.0)
        server.config.load()
        protocol = server.config.http_protocol_class(server.config, server.server_state, {})  # type: ignore[call-arg]
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
            waiting = not protocol.end.cancelled()
            transport.abort()
            await asyncio.sleep(0.01)
            return waiting and bool(protocol.end.cancelled())

    assert asyncio.run(ends())


def station_of(folder: Path) -> tuple[Process, LocalLog]:
    """The publisher's process over a ledger of two entries, beside which no recorder runs."""
    (folder / "policy").write_text(TEXT)
    with Store(folder / "state") as store:
        store.append_many([NewEntry("collector", n, "readings", 1, b"{}") for n in (1, 2)], 5)
        store.integrate()
    paths.run_dir(folder / "state").mkdir()
    config = Config(ledger=type(Config().ledger)(policy=str(folder / "policy")))
    return Process("publisher", folder / "state", config), LocalLog(folder / "state")


def test_nothing_is_published_before_the_recorder_has_read_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a witness would say, after a power cut, that what the journal holds was not there before it."""
    process, _ = station_of(tmp_path)
    made: list[bool] = []
    turns = iter([False, False, True])
    monkeypatch.setattr(publisher.Publisher, "run", lambda _self: made.append(True))
    monkeypatch.setattr(Process, "sleep", lambda _self, _seconds: next(turns))
    publisher.work(process)
    assert (made, list(turns)) == ([], [])
    monkeypatch.setattr(publisher, "_recorder_answers", lambda _state: True)
    publisher.work(process)
    assert made == [True], "control: with a recorder it begins"


def test_a_cosigned_head_that_did_not_fit_on_the_disk_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, log = station_of(tmp_path)
    key, newest = log.verifier(), log.newest()
    assert key is not None
    assert newest is not None
    one = publisher.Publisher(process, POLICY, log, key)
    monkeypatch.setattr(one.say, "now", lambda _payload: True)
    one.turn(0.0)
    one.board.cosigned(
        newest.size,
        {name: cosign(newest.checkpoint.text, COSIGNERS[name], 1_800_000_000) for name in ("w1", "w2")},
        0.1,
    )

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "no space left")

    with monkeypatch.context() as disk:
        disk.setattr(publisher, "write_atomically", full)
        with pytest.raises(OSError, match="no space"):
            one.turn(0.2)
    assert not paths.cosigned_checkpoint(process.state).exists()
    one.turn(0.3)
    note = paths.cosigned_checkpoint(process.state).read_bytes()
    assert POLICY.check(note, [key]).checkpoint == newest.checkpoint


def test_one_fork_dressed_up_in_many_ways_fills_no_disk(tmp_path: Path) -> None:
    process, log = station_of(tmp_path)
    key = log.verifier()
    assert key is not None
    one = publisher.Publisher(process, POLICY, log, key)
    for number in range(100):
        one._keep_fork(ForkFound("http://w1.example", "words", b"head %d" % number))
    assert len(list(paths.forks_dir(process.state).iterdir())) == 64
