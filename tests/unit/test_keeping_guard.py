"""The restore rule: which heads stop a recorder, what a changed place is, when silence is enough to stop it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from timeball.ledger import canonical
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.merkle import EMPTY_ROOT
from timeball.ledger.note import NoteKey, make_signer, parse_skey
from timeball.ledger.policy import Policy, parse_policy
from timeball.station.keeping.asking import Answer, judge_answer
from timeball.station.keeping.errors import WitnessesSilentError, WouldForkError
from timeball.station.keeping.guard import RestoreGuard
from timeball.station.keeping.place import PLACE, current_place, read_place, write_place
from timeball.station.recording.keys import key_path
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.store import NewEntry, Store

ONE = make_cosigner("witness.example/one", bytes(range(32)))
TWO = make_cosigner("witness.example/two", bytes(32), "ml-dsa-44")
POLICY = parse_policy(
    f"witness one {ONE.verifier.vkey} http://127.0.0.1:1\nwitness two {TWO.verifier.vkey} http://127.0.0.1:2\n"
    "group both all one two\nquorum both\n"
)
SILENT = "no answer"


class Witnesses:
    """Answers by name; who is not named is silent. Remembers how long it was given."""

    def __init__(self, **heads: Checkpoint | None) -> None:
        self.heads = heads
        self.timeouts: list[float] = []

    def __call__(self, policy: Policy, _log: NoteKey, timeout_s: float) -> list[Answer]:
        self.timeouts.append(timeout_s)
        return [
            Answer(name, self.heads[name]) if name in self.heads else Answer(name, None, SILENT)
            for name in sorted(policy.witnesses)
        ]


def entries(first: int, last: int) -> list[NewEntry]:
    return [NewEntry("x", n, "served", 1, b'{"n":%d}' % n) for n in range(first, last + 1)]


def start(state: Path, ask: Witnesses, policy: Policy | None = POLICY) -> Store:
    """What a recorder does at its start."""
    guard = RestoreGuard(state, policy, ask)
    store = Store(state, guard=guard)
    try:
        guard.settle(store, 5)
    except BaseException:
        store.close()
        raise
    return store


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A ledger of 300 entries at the place where it was made."""
    folder = tmp_path / "state"
    with start(folder, Witnesses()) as store:
        store.append_many(entries(1, 300), 1)
    return folder


def head_of(state: Path) -> Checkpoint:
    head = LedgerReader(state).checkpoint()
    assert head is not None
    return head


def copy(state: Path, name: str = "copy") -> Path:
    """As `cp -a` makes it: the place file is copied too."""
    return shutil.copytree(state, state.parent / name)


def restores(state: Path) -> list[dict[str, object]]:
    found = [entry for entry in LedgerReader(state).entries() if entry.envelope.type == "restore"]
    assert {entry.envelope.by for entry in found} <= {"recorder"}
    return [canonical.decode(entry.payload or b"") for entry in found]


def test_a_new_log_has_nothing_to_ask(state: Path) -> None:
    assert restores(state) == []
    assert read_place(state) is not None


def test_an_unchanged_place_asks_briefly_and_is_not_held_up(state: Path) -> None:
    silent = Witnesses()
    start(state, silent).close()
    assert silent.timeouts == [2.0]
    assert restores(state) == []


def test_a_witness_that_has_seen_more_stops_it_anywhere(state: Path) -> None:
    backup = copy(state)
    with start(state, Witnesses()) as store:
        store.append_many(entries(301, 400), 2)
    newest = head_of(state)
    for folder in (backup, state):
        before = (folder / "ledger/checkpoint").read_bytes()
        witnesses = Witnesses(one=newest if folder == backup else Checkpoint(newest.origin, 401, bytes(32)))
        with pytest.raises(WouldForkError, match=r"^witness one has seen a signed head of 40[01] entries") as caught:
            start(folder, witnesses)
        assert (caught.value.size, caught.value.ours) in ((400, 300), (401, 400))
        assert (folder / "ledger/checkpoint").read_bytes() == before
    with pytest.raises(WouldForkError, match="entries 300 to 399 are not in this copy; get them from a mirror"):
        start(backup, Witnesses(one=newest, two=None))


def test_a_history_written_anew_stops_it(state: Path) -> None:
    forged = Checkpoint(head_of(state).origin, 200, bytes(32))
    with pytest.raises(WouldForkError, match="another head of 200 entries: this ledger was written anew"):
        start(state, Witnesses(one=None, two=forged))


def test_what_the_journal_holds_counts(state: Path) -> None:
    """A power cut took back the newest head, which a witness had seen; its entries are still in the journal."""
    with start(state, Witnesses()) as store:
        store.append_many(entries(301, 310), 2)
        journal, old = (state / "journal").read_bytes(), (state / "ledger/checkpoint").read_bytes()
    seen = head_of(state)
    assert seen.size == 310
    (state / "journal").write_bytes(journal)
    (state / "ledger/checkpoint").write_bytes(old)
    assert head_of(state).size == 300
    start(state, Witnesses(one=seen, two=seen)).close()
    assert head_of(state) == seen


def test_a_copy_needs_the_quorum_and_says_that_it_moved(state: Path) -> None:
    backup = copy(state)
    with pytest.raises(WitnessesSilentError, match=r"was copied or restored.*two: no answer.*--without-witnesses"):
        start(backup, Witnesses(one=head_of(state)))
    assert restores(backup) == []
    complete = Witnesses(one=head_of(state), two=None)
    start(backup, complete).close()
    assert complete.timeouts == [10.0]
    [said] = restores(backup)
    assert said == {
        "from": current_place(state),
        "head_size": 300,
        "place": current_place(backup),
        "unwitnessed": False,
        "witnesses": {"one": {"size": 300, "why_not": None}, "two": {"size": 0, "why_not": None}},
    }
    start(backup, Witnesses()).close()
    assert len(restores(backup)) == 1


def test_the_operator_may_go_on_unwitnessed_once_and_it_is_recorded(state: Path) -> None:
    backup = copy(state)
    write_place(backup, unwitnessed=True)
    with start(state, Witnesses()) as store:
        store.append_many(entries(301, 302), 2)
    with pytest.raises(WouldForkError):  # silence is forgiven, evidence is not
        start(backup, Witnesses(one=head_of(state)))
    start(backup, Witnesses()).close()
    [said] = restores(backup)
    assert (said["unwitnessed"], said["from"]) == (True, None)
    assert said["witnesses"] == {name: {"size": None, "why_not": SILENT} for name in ("one", "two")}
    again = copy(backup, "again")
    with pytest.raises(WitnessesSilentError):
        start(again, Witnesses())


def test_keys_alone_do_not_begin_a_second_log(state: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    shutil.copytree(state / "keys", fresh / "keys")
    with pytest.raises(WouldForkError, match="300 entries, and only 0 are here"):
        start(fresh, Witnesses(one=head_of(state)))
    with pytest.raises(WitnessesSilentError):
        start(fresh, Witnesses())
    assert not (fresh / "ledger/checkpoint").exists()


def test_without_a_policy_a_move_is_recorded(state: Path) -> None:
    backup = copy(state)
    (backup / PLACE).write_bytes(b"{torn")
    start(backup, Witnesses(), None).close()
    [said] = restores(backup)
    assert (said["from"], said["witnesses"]) == (None, {})


def test_what_an_answer_is_worth(state: Path) -> None:
    log = parse_skey(key_path(state, "log").read_text())
    other = make_signer(log.name, bytes(32))
    head = head_of(state)
    bare = sign_checkpoint(head, [log])
    witness = POLICY.witnesses["one"]

    def judged(note: bytes) -> Answer:
        return judge_answer(POLICY, witness, log.verifier, note)

    good = judged(add_cosignatures(bare, [cosign(head.text, ONE, 1)]))
    assert (good.counts, good.head) == (True, head)
    uncosigned = judged(bare)
    assert (uncosigned.counts, uncosigned.head) == (False, head)
    borrowed = judged(add_cosignatures(bare, [cosign(head.text, TWO, 1)]))
    assert (borrowed.counts, borrowed.head) == (False, head)
    empty = Checkpoint(log.name, 0, EMPTY_ROOT)
    spoiled = judged(add_cosignatures(bare, [cosign(empty.text, ONE, 1)]))
    assert (spoiled.counts, spoiled.head) == (False, head)
    assert "does not verify" in spoiled.why_not
    for strange in (b"", b"not a note", sign_checkpoint(head, [other])):
        assert judged(strange).head is None
        assert not judged(strange).counts
