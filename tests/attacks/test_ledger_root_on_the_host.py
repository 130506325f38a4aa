"""Root on the log's host, with the log's own key: every rewriting of history, and every lie that extends it.

Two real witnesses and an auditor stand outside. Each attack has its control: the same station without the attack is
cosigned by both and agrees to the last entry. What contradicts a cosigned head is refused by the witnesses and by the
auditor's mirror; what merely extends it is cosigned, for a witness cannot know better, and convicted by the audit.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ledgers import HOUR, STRANGER, Item, build_small, entries_of
from served import files_served, published
from witnesses import Witness, witnessing

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import add_cosignatures
from timeball.ledger.errors import EvidenceError
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.note import Signer, make_signer
from timeball.ledger.payload import write_frame
from timeball.ledger.policy import Policy, parse_policy
from timeball.ledger.tiles import Edge, parse_bundle, write_bundle
from timeball.ledger.verify import Report
from timeball.station.auditing.auditor import Auditor
from timeball.station.auditing.statement import AGREES, CONTRADICTION, Statement, open_statement
from timeball.station.publishing.attested import Trust
from timeball.station.publishing.source import Source
from timeball.station.recording.logfolder import LogFolder, verify_folder
from timeball.station.recording.store import NewEntry, Store
from timeball.station.witnessing.client import WitnessClient
from timeball.station.witnessing.errors import ForkFound, WitnessError
from timeball.station.witnessing.locallog import LocalLog, SignedHead
from timeball.station.witnessing.submitting import Submitter

TAI_MINUS_POSIX_S = 37
HOUR_S = 3600
AUDITOR = make_signer("auditor.example/audit", bytes([7]) * 32)
Rewrite = Callable[[list[Item]], list[Item]]


def now_ns(offset_s: float = 0.0) -> int:
    return int((time.time() + TAI_MINUS_POSIX_S + offset_s) * 1e9)


def at(items: Sequence[Item], kind: str, number: int) -> int:
    return [index for index, item in enumerate(items) if item.type == kind][number]


class Host:
    """A log host in the hands of whoever is root: its entries, its files, its signing key."""

    def __init__(self, folder: Path, name: str) -> None:
        self.state = folder / name
        self.signer: Signer = make_signer(f"{name}.example/log", hashlib.sha256(name.encode()).digest())

    @property
    def vkey(self) -> str:
        return self.signer.verifier.vkey

    def record(self, items: Sequence[Item], time_ns: int) -> None:
        """Append with the recorder's own code: outwardly beyond reproach."""
        with Store(self.state, origin=self.signer.name, signer=self.signer) as store:
            numbers: dict[str, int] = {}
            entries = []
            for item in items:
                seq = numbers.get(item.stream) or store.next_seq(item.stream)
                numbers[item.stream] = seq + 1
                payload = canonical.encode(item.payload)
                entries.append(NewEntry(item.stream, seq, item.type, item.version, payload))
            store.append_many(entries, time_ns)
            store.integrate()

    def rewrite(self, items: Sequence[Item], time_ns: int) -> None:
        """Another history under the same key, as if nothing had been there before."""
        shutil.rmtree(self.state)
        self.record(items, time_ns)

    def verify(self, since: Path | None = None) -> Report:
        folder = LogFolder.find(self.state)
        assert folder is not None
        return verify_folder(folder, self.vkey, since)


class Outside:
    """The two witnesses and one auditor, for one log."""

    def __init__(self, folder: Path, witnesses: Sequence[Witness], host: Host) -> None:
        self.folder, self.host = folder, host
        names = " ".join(witness.state.name for witness in witnesses)
        lines = [f"log {host.vkey}\n", *(witness.policy_line() for witness in witnesses)]
        self.policy: Policy = parse_policy("".join(lines) + f"group both all {names}\nquorum both\n")
        self.public = folder / f"{host.state.name}-public"
        self.audits = folder / f"{host.state.name}-audit"

    def submitter(self, name: str) -> Submitter:
        witness = self.policy.witnesses[name]
        assert witness.url is not None
        return Submitter(WitnessClient(witness.url), [witness], LocalLog(self.host.state))

    def submit(self, *names: str) -> bytes:
        """The host's head, cosigned by these witnesses (by both by default); raises WitnessError."""
        head = LocalLog(self.host.state).newest()
        assert head is not None
        lines = [line for name in names or self.policy.witnesses for line in self.submitter(name).submit(head).values()]
        return add_cosignatures(head.note, lines)

    def publish(self, note: bytes) -> None:
        """Put the host's files on a web server, under this head."""
        shutil.rmtree(self.public, ignore_errors=True)
        published(self.host.state, self.public)
        (self.public / "checkpoint").write_bytes(note)

    def audit(self) -> Statement:
        """One look of the auditor, started anew as after a restart."""
        with files_served(self.public) as url:
            source = Source(url)
            try:
                statement = Auditor(source, self.audits, Trust(policy=self.policy), AUDITOR).step()
            finally:
                source.close()
        assert statement is not None
        kept = open_statement((self.audits / "statement").read_bytes(), AUDITOR.verifier)
        assert (kept.verdict, kept.index, kept.size) == (statement.verdict, statement.index, statement.size)
        return statement


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Item]:
    """Five hours that ended three hours ago: the witnesses' clocks and the entries' are of one day."""
    genesis_ns = now_ns(-8 * HOUR_S) // HOUR * HOUR
    print(f"genesis {genesis_ns}")
    return tuple(entries_of(build_small(tmp_path_factory.mktemp("history"), 5, genesis_ns)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hosts")


NAMES = [f"host-{number}" for number in range(40)]


@pytest.fixture(scope="module")
def witnesses(folder: Path) -> Iterator[list[Witness]]:
    """Two witness daemons that know every log of this module."""
    both = [Witness(folder, "witness.example/w1"), Witness(folder, "witness.example/w2", "ml-dsa-44")]
    with witnessing(*both):
        for witness in both:
            witness.start([Host(folder, name).vkey for name in NAMES])
        yield both


@pytest.fixture
def outside(folder: Path, witnesses: list[Witness], history: Sequence[Item]) -> Outside:
    """A station with a past that both witnesses have cosigned and the auditor agrees with: the control."""
    outside = Outside(folder, witnesses, Host(folder, NAMES.pop()))
    outside.host.record(past(history), now_ns(-2 * HOUR_S))
    outside.publish(outside.submit())
    statement = outside.audit()
    assert (statement.verdict, statement.unchecked) == (AGREES, ())
    assert statement.agreed > 0
    shutil.copytree(outside.host.state, outside.folder / f"{outside.host.state.name}-before")
    return outside


def past(history: Sequence[Item]) -> list[Item]:
    """The history up to its last readings but one, whole hours."""
    return list(history[: at(history, "readings", -2)])


def future(history: Sequence[Item]) -> list[Item]:
    return list(history[at(history, "readings", -2) :])


def test_control_honest_history_goes_on(outside: Outside, history: Sequence[Item]) -> None:
    outside.host.record(future(history), now_ns())
    outside.publish(outside.submit())
    statement = outside.audit()
    assert (statement.verdict, statement.size, statement.bounds) == (AGREES, len(history), 2)
    assert statement.agreed == sum(item.stream == "timekeeping" for item in history)
    outside.host.verify()


def altered(items: list[Item]) -> list[Item]:
    """A weight that was never used, its digest put right."""
    index = at(items, "scale", 1)
    items[index] = items[index].changed(lambda payload: payload["weights"][0].__setitem__(0, "0.5"))
    return items


def deleted(items: list[Item]) -> list[Item]:
    del items[at(items, "steer", 0)]
    return items


def reordered(items: list[Item]) -> list[Item]:
    index = at(items, "scale", 0)
    items[index], items[index + 1] = items[index + 1], items[index]
    return items


def inserted(items: list[Item]) -> list[Item]:
    """An entry that should always have been there."""
    return [*items[:5], Item("operator", "note", {"said": "maintenance as planned"}), *items[5:]]


def wholly_other(items: list[Item]) -> list[Item]:
    return [Item("collector", "note", {"number": number}) for number in range(len(items))]


@pytest.mark.parametrize("attack", [altered, deleted, reordered, inserted, wholly_other])
@pytest.mark.parametrize("goes_on", [True, False])
def test_rewritten_history_is_refused_at_the_next_checkpoint(
    outside: Outside, history: Sequence[Item], attack: Rewrite, goes_on: bool
) -> None:
    """Re-signed with the stolen key, at the same length or grown on: both witnesses and the mirror refuse."""
    forged = attack(past(history)) + (future(history) if goes_on else [])
    outside.host.rewrite(forged, now_ns(-2 * HOUR_S))
    outside.host.verify()  # in itself the forged log is without fault: nothing inside it would tell
    for name in outside.policy.witnesses:
        with pytest.raises(ForkFound):
            outside.submitter(name).submit(head_of(outside))
    _expect_convicted_by_the_mirror(outside)


@pytest.mark.parametrize("grows_again", [True, False])
def test_truncated_tail_is_refused(outside: Outside, history: Sequence[Item], grows_again: bool) -> None:
    """The last entries are cut away; the log may grow again over the gap."""
    kept = past(history)[:-3]
    regrown = [Item("operator", "note", {"number": number}) for number in range(9)] if grows_again else []
    outside.host.rewrite(kept, now_ns(-2 * HOUR_S))
    if regrown:
        outside.host.record(regrown, now_ns())
    for name in outside.policy.witnesses:
        with pytest.raises(ForkFound, match="has only" if not grows_again else "another history"):
            outside.submitter(name).submit(head_of(outside))
    if grows_again:
        _expect_convicted_by_the_mirror(outside)
    else:
        _expect_refused_by_the_mirror(outside)  # an old head that is extended by the new one is no lie in itself


def test_rollback_after_restore_is_refused(outside: Outside, history: Sequence[Item]) -> None:
    """A genuine old backup is put back, salts and all, and the log goes on from there with other entries."""
    before = outside.folder / f"{outside.host.state.name}-before"
    outside.host.record(future(history), now_ns())
    outside.publish(outside.submit())
    newest = (outside.host.state / "ledger/checkpoint").read_bytes()
    assert outside.audit().verdict == AGREES
    shutil.rmtree(outside.host.state)
    shutil.copytree(before, outside.host.state)
    with pytest.raises(ForkFound, match="has only"):
        outside.submit()
    outside.host.record([Item("operator", "note", {"number": n}) for n in range(30)], now_ns())
    with pytest.raises(ForkFound, match="another history"):
        outside.submit()
    _expect_convicted_by_the_mirror(outside)
    # and whoever kept the newest head says so without anybody's help
    kept = outside.folder / f"{outside.host.state.name}-newest"
    kept.write_bytes(newest)
    with pytest.raises(EvidenceError, match=r"rolled back|forked"):
        outside.host.verify(since=kept)


def test_fork_shown_to_two_witnesses_never_gets_a_quorum(outside: Outside, history: Sequence[Item]) -> None:
    """One continuation for each witness: each cosigns what it sees, and neither history has both."""
    mine, other = outside.host.state, outside.folder / f"{outside.host.state.name}-before"
    first, second = list(outside.policy.witnesses)
    outside.host.record(future(history), now_ns())
    note = outside.submit(first)
    with pytest.raises(Exception, match=second):
        outside.policy.check(note)
    twin = outside.folder / f"{mine.name}-twin"
    mine.rename(twin)
    shutil.copytree(other, mine)
    outside.host.record([Item("operator", "note", {"number": n}) for n in range(30)], now_ns())
    split = outside.submit(second)
    with pytest.raises(Exception, match=first):
        outside.policy.check(split)
    with pytest.raises(ForkFound):
        outside.submit(first)
    shutil.rmtree(mine)
    twin.rename(mine)
    with pytest.raises(ForkFound):
        outside.submit(second)
    # the two notes together convict the log's key: neither extends the other
    outside.publish(add_cosignatures(note, []))
    with pytest.raises(EvidenceError):
        outside.audit()


def test_altered_file_without_the_key_is_kept_from_everybody(outside: Outside, history: Sequence[Item]) -> None:
    """The weaker intruder: one bit of one entry, nothing signed anew."""
    outside.host.record(future(history), now_ns())
    note = outside.submit()
    bundle = next((outside.host.state / "ledger/tile/entries").rglob("[0-9]*"))
    bundle = bundle if bundle.is_file() else max(bundle.iterdir(), key=lambda path: int(path.name))
    data = bytearray(bundle.read_bytes())
    data[1000] ^= 1
    bundle.write_bytes(bytes(data))
    outside.publish(note)
    with pytest.raises(EvidenceError):
        outside.host.verify()
    with pytest.raises(EvidenceError):
        outside.audit()
    data[1000] ^= 1
    bundle.write_bytes(bytes(data))
    outside.publish(note)
    assert outside.audit().verdict == AGREES


# -- lies that extend what was cosigned: a witness cannot know better, the audit can


def forged_scale(items: list[Item]) -> tuple[list[Item], int]:
    index = at(items, "scale", 0)

    def change(payload: dict[str, object]) -> None:
        rows = payload["x_fs"]
        assert isinstance(rows, list)
        rows[0][0] = str(int(rows[0][0]) + 1_000_000)

    items[index] = items[index].changed(change)
    return items, index


def forged_steer(items: list[Item]) -> tuple[list[Item], int]:
    """A steer that nobody's readings ask for, after the last honest decision."""
    steer = next(item for item in reversed(items) if item.type in ("steer", "scale"))
    return [*items, replace(steer, type="steer")], len(items)


def steer_of_a_stranger(items: list[Item]) -> tuple[list[Item], int]:
    return [*items, Item("operator", "steer", {"commands": []})], len(items)


def forged_readings(items: list[Item]) -> tuple[list[Item], int]:
    """Readings made up by root, who does not hold the collector's key."""
    index = at(items, "readings", 0)
    batch = items[index].payload["batch"]
    items[index] = replace(items[index], payload=sign_batch(batch, STRANGER))
    return items, index


def readings_left_out(items: list[Item]) -> tuple[list[Item], int]:
    """The decisions stay, the readings they follow from are withheld from the record."""
    index = at(items, "readings", 0)
    del items[index]
    return items, at(items, "scale", 0)


def decision_left_out(items: list[Item]) -> tuple[list[Item], int]:
    index = at(items, "scale", 0)
    del items[index]
    following = next(i for i in range(index, len(items)) if items[i].stream == "timekeeping")
    return items, following


Lie = Callable[[list[Item]], tuple[list[Item], int]]
LIES: list[Lie] = [
    forged_scale, forged_steer, steer_of_a_stranger, forged_readings, readings_left_out, decision_left_out
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_that_extends_history_is_convicted_at_the_next_audit(
    outside: Outside, history: Sequence[Item], lie: Lie
) -> None:
    begun = len(past(history))
    forged, index = lie(future(history))
    outside.host.record(forged, now_ns())
    outside.publish(outside.submit())
    statement = outside.audit()
    assert (statement.verdict, statement.index) == (CONTRADICTION, begun + index), statement.words
    _expect_kept(outside, statement)


def test_entry_that_no_recorder_writes_is_convicted(outside: Outside, history: Sequence[Item]) -> None:
    """Leaf bytes of root's own, signed with the log's key: mirrors stop there, and the auditor says why."""
    outside.host.record(future(history), now_ns())
    ledger, size = outside.host.state / "ledger", len(history)
    leaves = [*parse_bundle((ledger / f"tile/entries/000.p/{size}").read_bytes(), size), b"nothing to see here"]
    (ledger / f"tile/entries/000.p/{size + 1}").write_bytes(write_bundle(leaves))
    edge = Edge()
    for leaf in leaves:
        edge.append(hash_leaf(leaf))
    for path, data in edge.partial_tiles():
        (ledger / str(path)).write_bytes(data)
    with (outside.host.state / "payloads/000").open("ab") as payloads:
        payloads.write(write_frame(bytes(16), b"{}"))
    head = Checkpoint(outside.host.signer.name, edge.size, edge.root())
    (ledger / "checkpoint").write_bytes(sign_checkpoint(head, [outside.host.signer]))
    outside.publish(outside.submit())
    for _ in range(2):
        statement = outside.audit()
        assert (statement.verdict, statement.index) == (CONTRADICTION, size), statement.words
    _expect_kept(outside, statement)
    assert list((outside.audits / "log/evidence").iterdir())


def test_back_dated_entry_is_convicted(outside: Outside, history: Sequence[Item]) -> None:
    """Recorded now, dated an hour ago: both witnesses saw a head without it meanwhile."""
    outside.host.record(future(history), now_ns(-HOUR_S))
    outside.publish(outside.submit())
    statement = outside.audit()
    assert (statement.verdict, statement.index) == (CONTRADICTION, len(past(history)))
    assert statement.words.startswith("back-dated")
    _expect_kept(outside, statement)


def head_of(outside: Outside) -> SignedHead:
    head = LocalLog(outside.host.state).newest()
    assert head is not None
    return head


def _expect_refused_by_the_mirror(outside: Outside) -> None:
    """No quorum can be made for the new head, so whoever asks for one takes nothing; what was audited stands."""
    with pytest.raises(WitnessError):
        outside.submit()
    shutil.rmtree(outside.public)
    published(outside.host.state, outside.public)
    with pytest.raises(EvidenceError):
        outside.audit()
    statement = open_statement((outside.audits / "statement").read_bytes(), AUDITOR.verifier)
    assert statement.verdict == AGREES


def _expect_convicted_by_the_mirror(outside: Outside) -> None:
    """Had both witnesses been bribed, an auditor who asks for no quorum would still find the contradiction itself."""
    _expect_refused_by_the_mirror(outside)
    policy, outside.policy = outside.policy, parse_policy(f"log {outside.host.vkey}\nquorum none\n")
    try:
        statement = outside.audit()
    finally:
        outside.policy = policy
    assert (statement.verdict, statement.index) == (CONTRADICTION, None)
    assert list((outside.audits / "log/evidence").iterdir())
    _expect_kept(outside, statement)


def _expect_kept(outside: Outside, statement: Statement) -> None:
    """The signed contradiction stays, also when the host turns honest again."""
    [kept] = list((outside.audits / "contradictions").iterdir())
    assert open_statement(kept.read_bytes(), AUDITOR.verifier).words == statement.words
