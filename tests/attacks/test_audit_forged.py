"""Root on the log host, with the log's key stolen, against a witness that recomputes.

Each attack is one change to an honest log that an auditor must convict in a signed statement, or say that it cannot
check; the control is the same log without the change, which must agree.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ledgers import GENESIS, STRANGER, Item, build_small, entries_of, write_ledger
from served import files_served, published, timeball_serves

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.note import make_signer, parse_note, parse_vkey
from timeball.ledger.policy import parse_policy
from timeball.station.auditing.auditor import Auditor
from timeball.station.auditing.judging import TOLERANCE_S
from timeball.station.auditing.statement import AGREES, CANNOT_CHECK, CONTRADICTION, Statement, open_statement
from timeball.station.fold.timekeeping import STREAM
from timeball.station.publishing.attested import Trust
from timeball.station.publishing.source import Source
from timeball.station.recording.store import NewEntry, Store
from timeball.station.witnessing.client import origin_hash

AUDITOR = make_signer("witness.example.org/audit", bytes(range(32)))
WITNESS = make_cosigner("witness.example.org/w1", bytes(range(32)))
PATIENCE_S = 180.0


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("honest"), hours=3)


@pytest.fixture(scope="module")
def honest(state: Path) -> Sequence[Item]:
    return tuple(entries_of(state))


def audit(
    served: Path, folder: Path, change: Callable[[str, bytes], bytes | None] | None = None, now_s: float = 4e9
) -> Statement:
    """One look of an auditor at what is served; its signed statement, read back."""
    log = (served / "log.vkey").read_text().strip()
    policy = parse_policy(f"log {log}\nwitness w1 {WITNESS.verifier.vkey}\nquorum none\n".encode())
    with files_served(served, change) as url:
        auditor = Auditor(Source(url), folder, Trust(None, policy), AUDITOR, lambda: now_s)
        auditor.step()
    note = auditor.newest()
    assert note is not None
    return open_statement(note, AUDITOR.verifier)


def audit_of(items: Sequence[Item], folder: Path) -> Statement:
    state = write_ledger(folder / "state", items)
    return audit(published(state, folder / "served"), folder / "audit")


def place(items: Sequence[Item], kind: str, number: int = 0) -> int:
    return [index for index, item in enumerate(items) if (item.type, item.stream) == (kind, STREAM)][number]


def first_of(items: Sequence[Item], kind: str) -> int:
    return next(index for index, item in enumerate(items) if item.type == kind)


def set_to(payload: Any, path: Sequence[Any], value: Any) -> None:
    for name in path[:-1]:
        payload = payload[name]
    assert not isinstance(payload, dict) or payload.get(path[-1]) != value, (
        "a change that changes nothing proves nothing"
    )
    payload[path[-1]] = value


def test_control_an_honest_log_agrees(honest: Sequence[Item], tmp_path: Path) -> None:
    found = audit_of(honest, tmp_path)
    assert (found.verdict, found.index, found.size, found.unchecked) == (AGREES, None, len(honest), ())
    assert found.agreed == sum(item.stream == STREAM for item in honest) > 5


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("scale", ["x_fs", 3, 0], "123456789"),
        ("scale", ["weights", 5, 1], "0.25"),
        ("scale", ["readings"], 1),
        ("steer", ["reason"], "because"),
        ("snapshot", ["memory", "scales"], 99),
    ],
)
def test_a_forged_decision_is_named(
    honest: Sequence[Item], tmp_path: Path, kind: str, path: list[Any], value: Any
) -> None:
    at = place(honest, kind)
    forged = honest[at].changed(lambda payload: set_to(payload, path, value))
    found = audit_of([*honest[:at], forged, *honest[at + 1 :]], tmp_path)
    assert (found.verdict, found.index) == (CONTRADICTION, at)
    [kept] = (tmp_path / "audit/contradictions").iterdir()
    assert open_statement(kept.read_bytes(), AUDITOR.verifier).index == at


def test_deleted_reordered_and_repeated_entries_are_named(honest: Sequence[Item], tmp_path: Path) -> None:
    """All numbered anew by the thief, so that nothing but the contents tells."""
    at = place(honest, "scale", 1)
    for name, items in {
        "deleted": [*honest[:at], *honest[at + 1 :]],
        "swapped": [*honest[:at], honest[at + 1], honest[at], *honest[at + 2 :]],
        "repeated": [*honest[: at + 1], *honest[at:]],
    }.items():
        found = audit_of(items, tmp_path / name)
        assert found.verdict == CONTRADICTION, name
        assert found.index is not None
        assert at <= found.index <= at + 1, name


def test_altered_readings_are_named(honest: Sequence[Item], tmp_path: Path) -> None:
    at = first_of(honest, "readings")
    batch = canonical.decode(canonical.encode(honest[at].payload["batch"]))
    batch["x_fs"][0][0] = "1"
    unsigned = honest[at].changed(lambda payload: payload.update(batch=batch))
    foreign = honest[at].changed(lambda payload: payload.update(sign_batch(batch, STRANGER)))
    for number, forged in enumerate((unsigned, foreign)):
        found = audit_of([*honest[:at], forged, *honest[at + 1 :]], tmp_path / str(number))
        assert (found.verdict, found.index) == (CONTRADICTION, at)


def test_a_collector_replaced_without_authority_never_agrees(honest: Sequence[Item], tmp_path: Path) -> None:
    at = [index for index, item in enumerate(honest) if item.type == "readings"][2]
    key = Item("collector", "key", {"name": "collector", "purpose": "readings", "vkey": STRANGER.verifier.vkey})
    signed = honest[at].changed(lambda payload: payload.update(sign_batch(payload["batch"], STRANGER)))
    found = audit_of([*honest[:at], key, signed], tmp_path)
    assert (found.verdict, found.unchecked[0].first, found.unchecked[0].last) == (CANNOT_CHECK, at, at + 1)
    assert [finding.index for finding in found.findings] == [at]


def test_a_version_of_tomorrow_cannot_be_checked(honest: Sequence[Item], tmp_path: Path) -> None:
    at = place(honest, "scale", 1)
    newer = Item(STREAM, "scale", {"all": "new"}, version=99)
    found = audit_of([*honest[:at], newer, *honest[at + 1 :]], tmp_path)
    assert (found.verdict, [(each.first, each.last) for each in found.unchecked]) == (CANNOT_CHECK, [(at, at)])
    assert "version 99" in found.unchecked[0].words
    assert not list((tmp_path / "audit/contradictions").iterdir())


def test_withheld_payloads_cannot_be_checked(state: Path, honest: Sequence[Item], tmp_path: Path) -> None:
    served = published(state, tmp_path / "served")
    found = audit(served, tmp_path / "audit", lambda path, data: None if path.startswith("payloads") else data)
    assert (found.verdict, found.agreed) == (CANNOT_CHECK, 0)
    covered = {index for each in found.unchecked for index in range(each.first, each.last + 1)}
    assert covered == set(range(len(honest)))


def test_rewritten_history_contradicts_the_head_that_is_kept(
    state: Path, honest: Sequence[Item], tmp_path: Path
) -> None:
    """All is numbered, computed and signed anew under the stolen key; the mirror remembers."""
    served = published(state, tmp_path / "served")
    folder = tmp_path / "audit"
    assert audit(served, folder).verdict == AGREES
    (tmp_path / "forged/keys").mkdir(parents=True)
    shutil.copy(state / "keys/log.key", tmp_path / "forged/keys")
    write_ledger(tmp_path / "forged", honest[:-2])
    forged = published(tmp_path / "forged", tmp_path / "forged-served")
    assert audit(forged, tmp_path / "elsewhere").verdict == AGREES, (
        "control: by itself the new history is beyond reproach"
    )
    found = audit(forged, folder)
    assert (found.verdict, found.index, found.size) == (CONTRADICTION, None, len(honest))
    assert "contradicts its head" in found.words
    # shown the old history again, and after a restart: it stays convicted
    assert audit(served, folder).verdict == CONTRADICTION
    assert len(list((folder / "contradictions").iterdir())) == 1


def test_a_back_dated_entry_is_named(state: Path, honest: Sequence[Item], tmp_path: Path) -> None:
    """A witness cosigned the head; the thief adds an entry that claims to have been there before."""
    own = shutil.copytree(state, tmp_path / "state")
    newest_ns = max(item.time_ns for item in honest)
    for name, late_s, verdict in (("control", TOLERANCE_S, AGREES), ("attack", TOLERANCE_S + 1, CONTRADICTION)):
        cosigned_s = newest_ns // 10**9 + late_s

        def cosigned(path: str, data: bytes, moment: int = cosigned_s) -> bytes:
            if path != "checkpoint" or f"\n{len(honest)}\n" not in data.decode():
                return data
            return add_cosignatures(data, [cosign(parse_note(data).text, WITNESS, moment)])

        later = shutil.copytree(own, tmp_path / name)
        folder = tmp_path / f"{name}-audit"
        assert audit(published(later, tmp_path / f"{name}-1"), folder, cosigned).verdict == AGREES
        with Store(later) as store:
            store.append_many([NewEntry("lease", 1, "lease", 1, canonical.encode({"lease": "observer"}))], newest_ns)
            store.integrate()
        after = published(later, tmp_path / f"{name}-2")
        for _ in range(2):  # the second auditor is the first one after a restart
            found = audit(after, folder, cosigned)
            assert (found.verdict, found.index) == (verdict, len(honest) if verdict == CONTRADICTION else None), name
            assert found.bounds == 1


def test_a_witness_that_cosigns_with_a_time_of_the_future_convicts_nobody(
    state: Path, honest: Sequence[Item], tmp_path: Path
) -> None:
    own, now_s = shutil.copytree(state, tmp_path / "state"), max(item.time_ns for item in honest) // 10**9

    def cosigned(path: str, data: bytes) -> bytes:
        if path != "checkpoint":
            return data
        return add_cosignatures(data, [cosign(parse_note(data).text, WITNESS, now_s + 2 * TOLERANCE_S)])

    audit(published(own, tmp_path / "1"), tmp_path / "audit", cosigned, now_s)
    with Store(own) as store:
        lease = NewEntry("lease", 1, "lease", 1, canonical.encode({"lease": "observer"}))
        store.append_many([lease], now_s * 10**9 + 999_999_999)
        store.integrate()
    found = audit(published(own, tmp_path / "2"), tmp_path / "audit", cosigned, now_s)
    assert (found.verdict, found.bounds) == (AGREES, 0)


def test_any_number_of_forks_is_one_contradiction(state: Path, honest: Sequence[Item], tmp_path: Path) -> None:
    """Each would else leave files on the disk that the witness needs for its heads."""
    log = (state / "ledger/log.vkey").read_text().strip()
    policy = parse_policy(f"log {log}\nquorum none\n")
    served = published(state, tmp_path / "served")
    shown = []
    for cut in (2, 3):
        forged = tmp_path / f"forged{cut}"
        (forged / "keys").mkdir(parents=True)
        shutil.copy(state / "keys/log.key", forged / "keys")
        shown.append(published(write_ledger(forged, honest[:-cut]), tmp_path / f"served{cut}"))
    with files_served(served) as url:
        auditor = Auditor(Source(url), tmp_path / "audit", Trust(None, policy), AUDITOR)
        auditor.step()
        for each in shown:
            shutil.rmtree(served)
            each.rename(served)
            auditor.step()
    assert len(list((tmp_path / "audit/log/evidence").iterdir())) == 2, "control: two forks were shown"
    assert len(auditor.contradictions()) == 1


def test_a_restart_says_the_same_again(state: Path, tmp_path: Path) -> None:
    served = published(state, tmp_path / "served")
    audit(served, tmp_path / "audit")
    before = (tmp_path / "audit/statement").read_bytes()
    audit(served, tmp_path / "audit")
    assert (tmp_path / "audit/statement").read_bytes() == before


@contextmanager
def witness(folder: Path, policy: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`timeball witness --audit` as a process; gives its URL."""
    command = [sys.executable, "-m", "timeball", "witness", "--state", str(folder), "--name", "witness.example.org/w1"]
    command += ["--listen", "127.0.0.1:0", "--policy", str(policy), "--audit", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"], process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bytes(answer.read())
    except OSError:
        return None


def wait_for(url: str, origin: str, wanted: Callable[[Statement], bool]) -> Statement:
    key = parse_vkey((get(f"{url}/auditor.vkey") or b"").decode())
    deadline = time.monotonic() + PATIENCE_S
    note = None
    while time.monotonic() < deadline:
        note = get(f"{url}/audit/{origin_hash(origin)}")
        if note is not None and wanted(found := open_statement(note, key)):
            return found
        time.sleep(0.2)
    raise AssertionError(f"no such statement; the newest is {note!r}")


def test_a_witness_process_convicts_a_forgery_and_stays_with_it(
    state: Path, honest: Sequence[Item], tmp_path: Path
) -> None:
    own = shutil.copytree(state, tmp_path / "state")
    log = (own / "ledger/log.vkey").read_text().strip()
    origin = log.split("+")[0]
    with timeball_serves(own) as log_url:
        policy = tmp_path / "policy"
        policy.write_text(f"log {log} {log_url}\nquorum none\n")
        with witness(tmp_path / "witness", policy) as (url, _process):
            agreed = wait_for(url, origin, lambda found: found.size == len(honest))
            assert agreed.verdict == AGREES
            assert get(f"{url}/audit/{origin_hash(origin)}/contradictions") == b""
            assert get(f"{url}/audit/{'0' * 64}") is None
            number = sum(item.stream == STREAM for item in honest) + 1
            with Store(own) as store:
                forged = NewEntry(STREAM, number, "steer", 1, canonical.encode({"command": "forged"}))
                store.append_many([forged], GENESIS)
                store.integrate()
            convicted = wait_for(url, origin, lambda found: found.verdict == CONTRADICTION)
            assert convicted.index == len(honest)
            [name] = (get(f"{url}/audit/{origin_hash(origin)}/contradictions") or b"").decode().split()
            kept = get(f"{url}/audit/{origin_hash(origin)}/contradictions/{name}")
            assert kept is not None
            assert b"steer" in kept
        with witness(tmp_path / "witness", policy) as (url, _process):
            again = wait_for(url, origin, lambda found: found.size == len(honest) + 1)
            assert (again.verdict, again.index) == (CONTRADICTION, len(honest))
            assert get(f"{url}/audit/{origin_hash(origin)}/contradictions/{name}") == kept
