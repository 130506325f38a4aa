"""Proofs of served time made from a ledger and verified from the file alone: at every kind of moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from ledgers import GENESIS, build_small, entries_of
from proofs import LEAPS, T0, Life, S, build_life, utc

from timeball.cli import root
from timeball.cli.prove import command as prove_command
from timeball.cli.verify import command as verify_command
from timeball.instants import InstantError, LeapTable
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import LedgerError, PolicyError
from timeball.ledger.note import make_signer
from timeball.ledger.policy import parse_policy
from timeball.ledger.proof import parse_tlog_proof, verify_tlog_proof
from timeball.station.proving.errors import NothingServedError, StatementError, UnreachableError
from timeball.station.proving.making import ALONE, OPEN, make_proof
from timeball.station.proving.source import FolderSource
from timeball.station.proving.verifying import verify_proof
from timeball.station.recording.store import Store


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_life(tmp_path_factory.mktemp("life"))


def test_between_two_statements_both_speak(state: Path) -> None:
    made = make_proof(FolderSource(state), utc(30.0), LEAPS)
    said = made.verified.statement
    assert said["claim"] == "in sync", said["why"]
    assert said["enclosed"]
    assert said["simulated"]
    assert said["tai_ns"] == str(T0 + 30 * S)
    # UTC - served = -(UTC(k) - UTC): 3 ns, and half of what it moved in the minute
    assert float(said["utc_minus_served_s"]) == pytest.approx(3e-9 + 30e-12, rel=1e-9)
    # the second page is 20 ns behind the first; the bound of either holds, and the difference is added
    assert float(said["pages_differ_s"]) == pytest.approx(20e-9, rel=1e-3)
    assert float(said["bound_s"]) == pytest.approx(1.5e-7 + 30 * 1e-8 + 20e-9, rel=1e-4)
    u_host_s = (1.5e-7 - 3e-9 - 3 * 4e-9 - 1e-11) / 3
    assert float(said["u_s"]) == pytest.approx((4e-9**2 + u_host_s**2 + 20e-9**2) ** 0.5, rel=1e-3)
    assert made.warnings == [ALONE]


def test_the_file_alone_says_the_same(state: Path) -> None:
    made = make_proof(FolderSource(state), utc(30.123456), LEAPS)
    key = (state / "ledger/log.vkey").read_text().strip()
    again = verify_proof(made.data, vkey=key)
    assert again.statement == made.verified.statement
    assert again.head.trust == "key"
    assert verify_proof(made.data).head.trust == "file"
    assert again.statement["utc"].endswith(".123456Z")


@pytest.mark.parametrize(
    ("second", "claim", "words"),
    [
        (0.0, "in sync", "both leases ran"),
        (60.0, "in sync", "both leases ran"),
        (59.999999999, "in sync", "both leases ran"),
        (147.0, "in sync", "both leases ran"),
        (149.0, "not in sync", "the observer's last look before the moment found something"),
        (155.0, "unknown", "an earlier renewal may still have run"),
        (170.0, "not in sync", "the observer's lease was withheld: the output is 40 ns off"),
        (241.0, "unknown", "the host was booted between the two statements"),
        (1010.0, "in sync", "both leases ran"),
        (1027.0, "in sync", "both leases ran"),
        (1030.0, "unknown", "no look of the observer"),
        (1040.0, "not in sync", "it did not look for 30.0 s"),
        (1100.0, "not in sync", "the timekeeper's lease was withheld: the newest scale epoch is 700 s old"),
        (1121.0, "not in sync", "the timekeeper's lease was withheld"),
    ],
)
def test_what_was_claimed(state: Path, second: float, claim: str, words: str) -> None:
    said = make_proof(FolderSource(state), utc(second), LEAPS).verified.statement
    assert (said["claim"], words in said["why"]) == (claim, True), said["why"]


def test_exactly_on_a_statement_the_page_itself_is_the_answer(state: Path) -> None:
    said = make_proof(FolderSource(state), utc(120.0), LEAPS).verified.statement
    assert float(said["utc_minus_served_s"]) == pytest.approx(3e-9 + 120e-12, rel=1e-12)
    assert said["served"]["tai_ns"] == said["tai_ns"]


def test_every_entry_that_it_rests_on_is_there(state: Path) -> None:
    said = make_proof(FolderSource(state), utc(100.0), LEAPS).verified.statement
    expected = ("served", "served_next", "config", "collector_key", "observer_key", "scale", "readings", "steer")
    assert all(said[name] is not None for name in expected)
    assert said["scale"]["readings"] == said["readings"]["index"] < said["scale"]["index"] < said["served"]["index"]
    assert said["lease_observer"]["state"] == "granted"
    assert said["lease_observer_next"]["state"] == "withheld"
    assert said["verdict"]["seq"] + 1 == said["verdict_next"]["seq"]
    assert sum(float(weight) for weight in said["scale"]["weights"].values()) == pytest.approx(1)


def test_a_gap_between_two_statements_is_no_claim(tmp_path: Path) -> None:
    build_small(tmp_path)
    with Store(tmp_path) as store:
        life = Life(store)
        life.lease(-1.0, "observer", "granted", "nothing found")
        life.lease(-1.0, "timekeeper", "granted", "agree")
        life.serve(0.0)
        life.look(-2.0, 90.0)
        life.serve(120.0)
        store.integrate()
    said = make_proof(FolderSource(tmp_path), utc(30.0), LEAPS).verified.statement
    assert (said["claim"], said["enclosed"]) == ("unknown", False)
    assert said["why"] == "the next statement of the station came 120 s later: it may have been off"


@pytest.mark.parametrize(
    ("second", "words"),
    [(-0.000000001, "had not said"), (-4000.0, "had not said"), (400.0, "160 s older"), (90000.0, "88880 s older")],
)
def test_no_statement_no_proof(state: Path, second: float, words: str) -> None:
    with pytest.raises(NothingServedError, match=words):
        make_proof(FolderSource(state), utc(second), LEAPS)


def test_a_moment_after_the_last_statement_is_open(state: Path) -> None:
    made = make_proof(FolderSource(state), utc(1125.0), LEAPS)
    assert not made.verified.statement["enclosed"]
    assert made.verified.statement["pages_differ_s"] == "nan"
    assert OPEN in made.warnings


def test_a_ledger_without_statements_or_none_at_all(tmp_path: Path) -> None:
    past = build_small(tmp_path / "past")
    with pytest.raises(NothingServedError):
        make_proof(FolderSource(past), utc(0.0), LEAPS)
    with pytest.raises(UnreachableError, match="no ledger here"):
        make_proof(FolderSource(tmp_path / "nothing"), utc(0.0), LEAPS)


def test_a_moment_that_never_was(state: Path) -> None:
    for text in ("2027-01-15T12:00:60Z", "yesterday", "2027-01-15T12:00:00"):
        with pytest.raises(InstantError):
            make_proof(FolderSource(state), text, LEAPS)


def leap_life(state: Path, step_ns: int) -> LeapTable:
    """Two statements around a leap second that ends at the UTC midnight before T0 + 12 h; gives the table."""
    build_small(state)
    day = (T0 // S - 37) // 86400 + 1
    midnight = (day * 86400 + 38) * S  # TAI at which the new value begins
    with Store(state) as store:
        life = Life(store)
        life.lease((midnight - T0) / S - 50, "timekeeper", "granted", "agree")
        life.serve((midnight - 30 * S - T0) / S)
        life.serve((midnight + 30 * S - T0) / S, tai_minus_utc_s=37 + step_ns)
        store.integrate()
    old = tuple((entry.utc_day, entry.tai_minus_utc_s) for entry in LEAPS.entries)
    return LeapTable.from_offsets([*old, (day, 38)], None, "a table with a leap second to come")


def test_inside_a_leap_second(tmp_path: Path) -> None:
    table = leap_life(tmp_path / "leap", 1)
    day = table.entries[-1].utc_day
    text = f"{np_day(day - 1)}T23:59:60.25Z"
    said = make_proof(FolderSource(tmp_path / "leap"), text, table).verified.statement
    assert said["leap_second"]
    assert said["utc"] == text
    assert said["tai_minus_utc_s"] == 37
    assert int(said["tai_ns"]) == table.entries[-1].tai_ns - 750_000_000


def test_a_station_that_counted_another_leap_is_contradicted(tmp_path: Path) -> None:
    table = leap_life(tmp_path / "leap", 0)
    day = table.entries[-1].utc_day
    with pytest.raises(StatementError, match="the table in this file says 38 s"):
        make_proof(FolderSource(tmp_path / "leap"), f"{np_day(day - 1)}T23:59:60.25Z", table)


def np_day(day: int) -> str:
    from timeball.instants import format_day

    return format_day(day)


def cosigned(state: Path, tmp_path: Path, size_note: bytes) -> tuple[bytes, str]:
    """The note with cosignatures of two witnesses of both kinds, and a policy that wants both."""
    text = size_note.decode().split("\n\n")[0] + "\n"
    witnesses = [
        make_cosigner("witness-a.example", bytes([7] * 32)),
        make_cosigner("witness-b.example", bytes([8] * 32), "ml-dsa-44"),
    ]
    note = add_cosignatures(size_note, [cosign(text, one, 1_800_100_000 + i) for i, one in enumerate(witnesses)])
    lines = [f"witness {name} {one.verifier.vkey}" for name, one in zip("ab", witnesses, strict=True)]
    log = (state / "ledger/log.vkey").read_text().strip()
    return note, "\n".join([f"log {log}", *lines, "group both all a b", "quorum both", ""])


def test_a_cosigned_head_is_preferred_and_the_policy_judges_it(state: Path, tmp_path: Path) -> None:
    note, text = cosigned(state, tmp_path, (state / "ledger/checkpoint").read_bytes())
    (state / "ledger/checkpoint.cosigned").write_bytes(note)
    try:
        made = make_proof(FolderSource(state), utc(30.0), LEAPS)
    finally:
        (state / "ledger/checkpoint.cosigned").unlink()
    assert made.warnings == []
    verified = verify_proof(made.data, parse_policy(text))
    assert verified.head.witnesses == {"a": 1_800_100_000, "b": 1_800_100_001}
    assert verified.head.trust == "policy"
    # a station's own policy names its witnesses and no log: the key comes beside it
    nameless = parse_policy("\n".join(line for line in text.split("\n") if not line.startswith("log ")))
    assert verify_proof(made.data, nameless, verified.head.vkey).head.witnesses == verified.head.witnesses
    with pytest.raises(LedgerError):
        verify_proof(made.data, nameless)
    with pytest.raises(LedgerError):
        verify_proof(made.data, parse_policy(text), make_signer("other.example/log", bytes(32)).verifier.vkey)
    alone = make_proof(FolderSource(state), utc(30.0), LEAPS)
    with pytest.raises(LedgerError, match="quorum"):
        verify_proof(alone.data, parse_policy(text))


def test_an_older_cosigned_head_that_does_not_reach_the_moment_gives_way(tmp_path: Path) -> None:
    state = tmp_path / "state"
    build_small(state)
    with Store(state) as store:
        life = Life(store)
        life.serve(0.0)
        store.integrate()
        early, _ = cosigned(state, tmp_path, (state / "ledger/checkpoint").read_bytes())
        life.serve(60.0)
        store.integrate()
    (state / "ledger/checkpoint.cosigned").write_bytes(early)
    made = make_proof(FolderSource(state), utc(30.0), LEAPS)
    assert made.verified.statement["enclosed"]
    assert made.warnings == [ALONE]


def test_a_kept_checkpoint_is_used_instead(state: Path, tmp_path: Path) -> None:
    note, _ = cosigned(state, tmp_path, (state / "ledger/checkpoint").read_bytes())
    made = make_proof(FolderSource(state), utc(30.0), LEAPS, kept=note)
    assert parse_tlog_proof(made.data).checkpoint == note


def test_the_general_verifier_of_the_format_accepts_it(state: Path) -> None:
    made = make_proof(FolderSource(state), utc(30.0), LEAPS)
    policy = parse_policy(f"log {(state / 'ledger/log.vkey').read_text().strip()}\nquorum none\n")
    leaf = made.verified.extra.entries[0].leaf
    assert (
        verify_tlog_proof(parse_tlog_proof(made.data), leaf, policy).checkpoint.size
        == made.verified.head.checkpoint.size
    )
    with pytest.raises(LedgerError):
        verify_tlog_proof(parse_tlog_proof(made.data), leaf + b" ", policy)


def test_the_command_line_makes_and_verifies(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.tlog-proof"
    made = CliRunner().invoke(prove_command, ["--at", utc(30.0), "--state", str(state), "-o", str(out), "--json"])
    assert made.exit_code == 0, made.output
    document = json.loads(made.stdout)
    assert document["file"] == str(out)
    assert document["warnings"] == [ALONE]
    assert document["statement"]["utc_minus_served_s"] == pytest.approx(3.03e-9)
    key = (state / "ledger/log.vkey").read_text().strip()
    said = CliRunner().invoke(verify_command, [str(out), "--key", key])
    assert said.exit_code == 0
    assert said.stdout.startswith(
        f"at {utc(30.0).rstrip('0Z').rstrip('.')}Z UTC − served = +3.03 ns ± 470 ns (bound), in sync"
    )
    assert "a simulated laboratory" in said.stdout
    read = CliRunner().invoke(verify_command, [str(out), "--json"])
    assert json.loads(read.stdout)["statement"] == document["statement"]


def test_exit_codes(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.tlog-proof"
    ask = ["prove", "--state", str(state), "-o", str(out), "--at"]
    assert root.run([*ask, utc(-10.0)]) == 3
    assert root.run([*ask, utc(5000.0)]) == 3
    assert root.run([*ask, "noon"]) == 1
    assert root.run(["prove", "--state", str(tmp_path), "--at", utc(0.0)]) == 2
    assert root.run(["prove", "--state", str(tmp_path), "--url", "http://127.0.0.1:9", "--at", utc(0.0)]) == 1
    assert root.run(["prove", "--url", "http://127.0.0.1:9", "--at", utc(0.0)]) == 2
    assert not out.exists()
    assert root.run([*ask, utc(30.0)]) == 0
    assert root.run(["verify", str(out)]) == 0
    bad = tmp_path / "policy"
    bad.write_text("quorum nobody\n")
    assert root.run(["verify", str(out), "--policy", str(bad)]) == 1
    assert root.run(["verify", str(state), "--policy", str(bad)]) == 1
    out.write_bytes(out.read_bytes()[:-9] + b"AAAAAAA=\n")
    assert root.run(["verify", str(out)]) == 4


def test_a_policy_of_another_log_is_refused(state: Path) -> None:
    made = make_proof(FolderSource(state), utc(30.0), LEAPS)
    other = make_signer("other.example/log", bytes(32)).verifier.vkey
    with pytest.raises(LedgerError):
        verify_proof(made.data, parse_policy(f"log {other}\nquorum none\n"))
    with pytest.raises(LedgerError):
        verify_proof(made.data, vkey=other)
    assert issubclass(PolicyError, LedgerError)
    assert GENESIS < T0


def test_an_erased_payload_is_said_to_be_missing(tmp_path: Path) -> None:
    """The readings under the scale are gone: the statement stands, and says that they are not here."""
    build_life(tmp_path)
    honest = make_proof(FolderSource(tmp_path), utc(30.0), LEAPS).verified.statement
    with Store(tmp_path) as store:
        store.erase(honest["readings"]["index"])
        store.integrate()
    said = make_proof(FolderSource(tmp_path), utc(30.0), LEAPS).verified.statement
    assert said["readings"]["missing"] is True
    assert {name: said[name] for name in said if name != "readings"} == {
        name: honest[name] for name in honest if name != "readings"
    }
    with Store(tmp_path) as store:
        store.erase(honest["served"]["index"])
        store.integrate()
    with pytest.raises(NothingServedError, match="was erased"):
        make_proof(FolderSource(tmp_path), utc(30.0), LEAPS)


def test_an_approval_has_its_place_already(state: Path) -> None:
    """Any entry may be carried in the role of an approval: it is proven like the others, and named in the statement."""
    from dataclasses import replace

    from timeball.ledger.checkpoint import open_checkpoint
    from timeball.ledger.note import parse_vkey
    from timeball.station.proving.extra import Extra, write_extra
    from timeball.station.proving.gather import View
    from timeball.station.proving.moment import read_moment
    from timeball.station.proving.statement import make_statement

    made = make_proof(FolderSource(state), utc(30.0), LEAPS)
    key = (state / "ledger/log.vkey").read_text().strip()
    view = View(FolderSource(state), open_checkpoint(made.verified.proof.checkpoint, parse_vkey(key)))
    extra = made.verified.extra
    approval = view.item("approval", 2)
    items = {one.role: one for one in extra.entries}
    statement = make_statement(read_moment(extra.moment, extra.leap_seconds), items, [approval])
    whole = Extra(extra.format, extra.log, extra.moment, extra.leap_seconds, (*extra.entries, approval), (), statement)
    said = verify_proof(replace(made.verified.proof, extra=write_extra(whole)).encode(), vkey=key).statement
    assert [one["index"] for one in said["approvals"]] == [2]


def test_whether_the_heads_were_cosigned_is_told_where_there_is_a_policy(tmp_path: Path) -> None:
    build_small(tmp_path)
    said = {"state": "missing", "size": 7, "since": str(T0), "why": "no quorum"}
    with Store(tmp_path) as store:
        life = Life(store)
        config = next(item for item in entries_of(tmp_path) if item.type == "config").payload
        life.say(-5.0, "witness", "witnessing", said)
        life.serve(0.0)
        store.integrate()
        assert make_proof(FolderSource(tmp_path), utc(5.0), LEAPS).verified.statement["witnessing"] is None
        config["config"]["ledger"]["policy"] = "policy"
        life.say(60.0, "config", "config", config)
        life.serve(61.0)
        store.integrate()
    brief = make_proof(FolderSource(tmp_path), utc(65.0), LEAPS).verified.statement["witnessing"]
    assert {name: brief[name] for name in said} == said
