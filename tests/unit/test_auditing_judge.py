"""The judge, entry by entry: what it convicts, what it cannot check, and what it lets pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ledgers import KEY, STRANGER, Item, build_small, entries_of

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.entry import Envelope
from timeball.station.auditing.judging import TOLERANCE_S, Judge
from timeball.station.auditing.statement import AGREES, CANNOT_CHECK, CONTRADICTION, Statement
from timeball.station.fold.timekeeping import STREAM
from timeball.station.recording.ledger_reader import Entry

START_S = 1_900_000_000
SECOND = 10**9


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Item]:
    return tuple(entries_of(build_small(tmp_path_factory.mktemp("honest"), hours=3)))


def entries(items: Sequence[Item], erased: Sequence[int] = (), **changes: Any) -> list[Entry]:
    """Entries a second apart; `seq={5: 9}`, `time={5: ns}` change one envelope each."""
    numbers: dict[str, int] = {}
    made = []
    for index, item in enumerate(items):
        numbers[item.stream] = numbers.get(item.stream, 0) + 1
        envelope = Envelope(
            by=item.stream,
            digest="",
            seq=changes.get("seq", {}).get(index, numbers[item.stream]),
            time=str(changes.get("time", {}).get(index, (START_S + index) * SECOND)),
            type=item.type,
            version=item.version,
        )
        made.append(Entry(index, envelope, None if index in erased else canonical.encode(item.payload)))
    return made


def judged(items: Sequence[Entry], heads: Sequence[tuple[int, int]] = (), accepted: Sequence[str] = ()) -> Statement:
    judge = Judge(accepted)
    for size, time_s in heads:
        judge.saw(size, time_s)
    for entry in items:
        judge.take(entry)
    return judge.statement("log.example", bytes(32), 7)


def place(items: Sequence[Item], kind: str, number: int = 0) -> int:
    return [index for index, item in enumerate(items) if item.type == kind][number]


def test_an_honest_log_agrees(honest: Sequence[Item]) -> None:
    found = judged(entries(honest))
    decisions = sum(item.stream == STREAM for item in honest)
    assert (found.verdict, found.agreed, found.pending, found.size) == (AGREES, decisions, 0, len(honest))
    assert (found.unchecked, found.findings, found.index) == ((), (), None)
    assert decisions > 5


def test_a_number_missing_or_twice_and_a_time_that_goes_back(honest: Sequence[Item]) -> None:
    at = place(honest, "scale", 1)
    for changes, words in (
        ({"seq": {at: 99}}, "deleted, or recorded twice"),
        ({"seq": {at: 1}}, "deleted, or recorded twice"),
        ({"time": {at: 5}}, "time goes back"),
    ):
        found = judged(entries(honest, **changes))
        assert (found.verdict, found.index) == (CONTRADICTION, at)
        assert words in found.words


def test_an_entry_older_than_a_head_without_it_is_back_dated(honest: Sequence[Item]) -> None:
    """The times are those of the entries; the witness cosigned the head of `at` entries when told."""
    at = place(honest, "scale", 1)
    on_the_edge = START_S + at + TOLERANCE_S
    assert judged(entries(honest), [(at, on_the_edge)]).verdict == AGREES
    found = judged(entries(honest), [(at, on_the_edge + 1)])
    assert (found.verdict, found.index, found.bounds) == (CONTRADICTION, at, 1)
    assert found.words.startswith("back-dated")
    # heads that hold all entries say nothing against them, however late they were cosigned
    assert judged(entries(honest), [(len(honest), 2 * START_S)]).verdict == AGREES


def test_the_first_contradiction_stays(honest: Sequence[Item]) -> None:
    first, second = place(honest, "scale"), place(honest, "scale", 1)
    found = judged(entries(honest, seq={first: 7, second: 8}))
    assert (found.index, found.size) == (first, len(honest))


def test_readings_by_a_stranger_are_convicted(honest: Sequence[Item]) -> None:
    at = place(honest, "readings", 1)
    batch = honest[at].payload["batch"]
    for payload in (sign_batch(batch, STRANGER), {**honest[at].payload, "batch": {**batch, "kind": "host"}}, batch, 7):
        changed = [*honest[:at], Item("collector", "readings", payload), *honest[at + 1 :]]
        found = judged(entries(changed))
        assert (found.verdict, found.index) == (CONTRADICTION, at)


def test_a_second_key_of_the_collector_cannot_be_checked_until_somebody_accepts_it(honest: Sequence[Item]) -> None:
    first = honest[place(honest, "key")].payload["vkey"]
    at = place(honest, "readings", 2)
    second = Item("collector", "key", {"name": "collector", "purpose": "readings", "vkey": KEY.verifier.vkey})
    resigned = honest[at].changed(lambda payload: payload.update(sign_batch(payload["batch"], KEY)))
    rekeyed = [*honest[:at], second, resigned]
    found = judged(entries(rekeyed))
    assert found.verdict == CANNOT_CHECK
    assert [(each.first, each.last) for each in found.unchecked] == [(at, at + 1)]
    assert KEY.verifier.vkey in found.unchecked[0].words
    assert [each.index for each in found.findings] == [at]
    accepted = judged(entries(rekeyed), accepted=[first, KEY.verifier.vkey])
    assert (accepted.verdict, len(accepted.findings)) == (AGREES, 1)
    assert judged(entries(honest), accepted=[KEY.verifier.vkey]).verdict == CANNOT_CHECK


def test_what_is_erased_or_unknown_is_listed_and_nothing_else(honest: Sequence[Item]) -> None:
    private = Item("people", "approval", {"who": "Ada"})
    newer = Item("served", "served", {}, version=9)
    at = place(honest, "scale", 1)
    mixed = [*honest, private, private, newer]
    for items, erased, ranges in (
        (mixed, (), [(len(honest), len(honest) + 1), (len(honest) + 2, len(honest) + 2)]),
        (honest, [at], [(at, at)]),
    ):
        found = judged(entries(items, erased))
        assert found.verdict == CANNOT_CHECK
        assert [(each.first, each.last) for each in found.unchecked] == ranges


def test_erased_readings_leave_the_range_up_to_a_snapshot_unchecked(honest: Sequence[Item]) -> None:
    at, snapshot = place(honest, "readings", 0), place(honest, "snapshot", 0)
    found = judged(entries(honest, [at]))
    assert found.verdict == CANNOT_CHECK
    assert (found.unchecked[0].first, found.unchecked[-1].last) == (at, snapshot)
    assert found.agreed > 0, "what comes after the snapshot was checked"


@pytest.mark.parametrize("payload", [None, 7, [], {}, {"rules": 3}, {"batch": 1, "key": 2, "signature": 3}])
def test_no_payload_ends_the_auditor(honest: Sequence[Item], payload: Any) -> None:
    for stream, kind in {(item.stream, item.type) for item in honest} | {("witness", "witnessing"), ("x", "erasure")}:
        statement = judged(entries([*honest, Item(stream, kind, payload)]))
        assert statement.text


def test_a_payload_that_is_not_canonical_is_a_contradiction_and_is_not_passed_over(honest: Sequence[Item]) -> None:
    """Its digest holds, so whoever holds the log's key recorded it."""
    made = entries([*honest, Item("lease", "lease", {"lease": "observer"})])
    assert judged(made).verdict == AGREES, "control"
    made[-1] = Entry(made[-1].index, made[-1].envelope, b'{"lease": "observer"}')
    found = judged(made)
    assert (found.verdict, found.index) == (CONTRADICTION, len(honest))
