"""Root on the log's host has the log's key: a fork shown to two witnesses, a rollback, a stolen key, a lying witness.

Witnesses, recorder and publisher are real processes; the thief signs with the log's own key.
"""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from stations import wait_for
from witnesses import Witness, processes, witnessing, write_policy

from timeball.ledger import canonical
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import parse_cosigner_vkey
from timeball.ledger.errors import QuorumError
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import MerkleTree, hash_leaf, make_consistency_proof
from timeball.ledger.note import parse_skey
from timeball.ledger.policy import PolicyWitness, parse_policy
from timeball.ledger.witnessing import write_add_checkpoint
from timeball.station import paths
from timeball.station.configuration.settings import Config
from timeball.station.recording.keys import key_path
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entry
from timeball.station.recording.recorder_client import RecorderClient
from timeball.station.recording.store import NewEntry, Store
from timeball.station.witnessing.client import WitnessClient
from timeball.station.witnessing.errors import ForkFound, WitnessRefused
from timeball.station.witnessing.locallog import LocalLog
from timeball.station.witnessing.submitting import Submitter

pytestmark = pytest.mark.system
ORIGIN = "timeball.example/tb"


def write_log(state: Path, words: list[str]) -> Path:
    """A ledger of these entries, appended to what is there."""
    with Store(state, origin=ORIGIN) as store:
        first = store.next_seq("collector")
        entries = [
            NewEntry("collector", first + i, "readings", 1, canonical.encode(word)) for i, word in enumerate(words)
        ]
        store.append_many(entries, 10**18)
        store.integrate()
    return state


def vkey_of(state: Path) -> str:
    return (paths.ledger_dir(state) / "log.vkey").read_text().strip()


def submitter(state: Path, witness: Witness) -> Submitter:
    known = PolicyWitness(witness.state.name, parse_cosigner_vkey(witness.keys[0]), witness.url)
    return Submitter(witness.client, [known], LocalLog(state))


def submit(state: Path, witness: Witness) -> list[str]:
    head = LocalLog(state).newest()
    assert head is not None
    return list(submitter(state, witness).submit(head).values())


def three(folder: Path, vkey: str) -> list[Witness]:
    witnesses = [Witness(folder, f"witness.example.org/w{number}") for number in (1, 2, 3)]
    for witness in witnesses:
        witness.start([vkey])
    return witnesses


def test_of_two_histories_one_gets_a_quorum(tmp_path: Path) -> None:
    """A fork shown to two witnesses: each cosigns what it saw first, and no policy of 2 of 3 accepts both."""
    one = write_log(tmp_path / "one", ["a", "b", "c"])
    two = Path(shutil.copytree(one, tmp_path / "two"))
    write_log(one, ["true"])
    write_log(two, ["false"])
    witnesses = three(tmp_path, vkey_of(one))
    with witnessing(*witnesses):
        write_policy(tmp_path / "policy", witnesses, 2)
        policy = parse_policy((tmp_path / "policy").read_text())
        key = LocalLog(one).verifier()
        assert key is not None
        notes: dict[Path, bytes] = {}
        lines = {one: submit(one, witnesses[0]), two: submit(two, witnesses[1])}
        for late, early in ((two, 0), (one, 1)):
            with pytest.raises(ForkFound, match="another history"):
                submit(late, witnesses[early])
        lines[one] += submit(one, witnesses[2])
        with pytest.raises(ForkFound, match="another history"):
            submit(two, witnesses[2])
        for state, signed in lines.items():
            notes[state] = (paths.ledger_dir(state) / "checkpoint").read_bytes() + "".join(signed).encode()
        assert policy.check(notes[one], [key]).checkpoint.size == 4  # the positive control
        with pytest.raises(QuorumError):
            policy.check(notes[two], [key])
        forks = list((witnesses[0].state / "forks").iterdir())
        assert {path.suffix for path in forks} == {".cosigned", ".refused"}, "no evidence was kept"


def test_a_rolled_back_log_is_refused(tmp_path: Path) -> None:
    """An older copy of the state folder is started again, first shorter, then grown into another history."""
    now = write_log(tmp_path / "now", ["a", "b"])
    old = Path(shutil.copytree(now, tmp_path / "old"))
    write_log(now, ["c", "d", "e"])
    witness = Witness(tmp_path, "witness.example.org/w1")
    with witnessing(witness):
        witness.start([vkey_of(now)])
        submit(now, witness)
        with pytest.raises(ForkFound, match="our log has only 2"):
            submit(old, witness)
        write_log(old, ["C", "D", "E", "F"])
        with pytest.raises(ForkFound, match="another history"):
            submit(old, witness)
        write_log(now, ["f"])
        assert submit(now, witness)  # the positive control


def thief_submits(state: Path, witness: Witness) -> None:
    """Sign, with the log's own key, a longer history that goes on from what the witness holds, and submit it."""
    newest = witness.client.newest(ORIGIN)
    assert newest is not None
    size = int(newest.split(b"\n")[1])
    signer = parse_skey(key_path(state, "log").read_text())
    tiles = TiledLog(lambda path: (paths.ledger_dir(state) / path).read_bytes(), size)
    tree = MerkleTree()
    for bundle in range((size + 255) // 256):
        for leaf in tiles.hashes(0, bundle):
            tree.append(leaf)
    for number in range(1000):
        tree.append(hash_leaf(b"forged %d" % number))
    note = sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), [signer])
    proof = make_consistency_proof(size, tree.size, tree.node)
    assert witness.client.add_checkpoint(write_add_checkpoint(size, proof, note))


def test_a_thief_with_the_logs_key_is_noticed_by_the_station(tmp_path: Path) -> None:
    """He forks with a witness; the others still make the quorum, and the station says FORK and goes on."""
    state = tmp_path / "state"
    write_log(state, ["a", "b"])
    witnesses = three(tmp_path, vkey_of(state))
    policy = tmp_path / "policy"
    write_policy(policy, witnesses, 2)
    settings = {
        "station": {"origin": ORIGIN},
        "ledger": {"policy": str(policy), "publish_every_s": 0.5, "cosign_within_s": 20.0},
    }
    paths.run_dir(state).mkdir(exist_ok=True)
    paths.config_file(state).write_bytes(msgspec.convert(settings, Config).to_json())
    reader = LedgerReader(state)

    def newest() -> dict[str, str]:
        entry = newest_entry(reader, "witnessing", "witness")
        return {} if entry is None else canonical.decode(entry.payload or b"")

    with (
        witnessing(*witnesses),
        processes(state, "recorder", "publisher"),
        RecorderClient(state, "collector", 30.0) as client,
    ):
        client.append("readings", 1, "c", client.next_seq())
        wait_for(lambda: newest().get("state") == "cosigned", "no quorum")
        wait_for(lambda: witnesses[0].client.newest(ORIGIN) is not None, "not cosigned by the first")
        thief_submits(state, witnesses[0])
        client.append("readings", 1, "d", client.next_seq())
        wait_for(lambda: newest().get("state") == "missing", "the fork was not noticed")
        assert newest()["why"].startswith("FORK: w1: it holds a head of")
        assert list(paths.forks_dir(state).iterdir()), "no evidence was kept"
        assert client.append("readings", 1, "e", client.next_seq()) > 3


class Liar(http.server.BaseHTTPRequestHandler):
    """A witness that says it holds a larger tree, and shows whatever head it is given."""

    shown = b""

    def do_POST(self) -> None:
        self.answer(409, b"999999\n", "text/x.tlog.size")

    def do_GET(self) -> None:
        self.answer(500 if self.shown == b"broken" else 200 if self.shown else 404, self.shown, "text/plain")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def lying(shown: bytes) -> Iterator[str]:
    kind = type("Shown", (Liar,), {"shown": shown})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("shown", ["nothing", "a broken page", "a stranger's head", "our own head"])
def test_a_lying_witness_is_no_fork(tmp_path: Path, shown: str) -> None:
    """Who only says that there is a larger tree is one witness less, and no reason for an alarm of a fork."""
    state = write_log(tmp_path / "state", ["a", "b"])
    stranger = write_log(tmp_path / "stranger", ["a", "b", "c"])
    note = (paths.ledger_dir(stranger if shown.startswith("a ") else state) / "checkpoint").read_bytes()
    known = PolicyWitness("w1", parse_cosigner_vkey(Witness(tmp_path, "witness.example.org/w1").keys[0]))
    head = LocalLog(state).newest()
    assert head is not None
    with lying({"nothing": b"", "a broken page": b"broken"}.get(shown, note)) as url:
        submitter = Submitter(WitnessClient(url), [known], LocalLog(state))
        with pytest.raises(Exception) as refused:  # noqa: PT011 (which one is the point)
            submitter.submit(head)
        assert not isinstance(refused.value, ForkFound)
        assert isinstance(refused.value, WitnessRefused) == (shown != "a stranger's head")
        assert submitter.size == 0, "it is asked anew"
