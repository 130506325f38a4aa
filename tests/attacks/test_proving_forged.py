"""Forged proofs of served time: what anybody who makes or carries the file can do to it, and what convicts it."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from proofs import LEAPS, OBSERVER, T0, Life, S, build_life, utc

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import LedgerError
from timeball.ledger.note import make_signer
from timeball.ledger.policy import parse_policy
from timeball.ledger.proof import parse_tlog_proof
from timeball.station.proving.errors import StatementError
from timeball.station.proving.extra import parse_extra
from timeball.station.proving.making import make_proof
from timeball.station.proving.moment import read_moment
from timeball.station.proving.source import FolderSource
from timeball.station.proving.statement import make_statement
from timeball.station.proving.verifying import verify_proof
from timeball.station.recording.store import Store

SEED = 20261122
STRANGER = make_signer("timeball.test/stranger", bytes(32))
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_life(tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="module")
def key(state: Path) -> str:
    return (state / "ledger/log.vkey").read_text().strip()


@pytest.fixture(scope="module")
def genuine(state: Path) -> bytes:
    return make_proof(FolderSource(state), utc(30.0), LEAPS).data


def forge(data: bytes, change: Change, restate: bool = True) -> bytes:
    """The file with its extra data changed, and by default the statement that then follows from it."""
    proof = parse_tlog_proof(data)
    extra = canonical.decode(proof.extra or b"")
    change(extra)
    if restate:
        read = parse_extra(canonical.encode(extra))
        items = {item.role: item for item in read.entries if item.role != "approval"}
        approvals = [item for item in read.entries if item.role == "approval"]
        extra["statement"] = make_statement(read_moment(read.moment, read.leap_seconds), items, approvals)
    return replace(proof, extra=canonical.encode(extra)).encode()


def item(extra: dict[str, Any], role: str) -> dict[str, Any]:
    return next(one for one in extra["entries"] if one["role"] == role)


def without(*roles: str) -> Change:
    def change(extra: dict[str, Any]) -> None:
        extra["entries"] = [one for one in extra["entries"] if one["role"] not in roles]

    return change


def test_the_genuine_file_stands_and_forging_nothing_changes_nothing(genuine: bytes, key: str) -> None:
    assert verify_proof(genuine, vkey=key).statement["claim"] == "in sync"
    assert forge(genuine, lambda _extra: None) == genuine


def nameless(data: bytes) -> bytes:
    """The file without the name of the leap second table, which docs/formats/served-time.md calls a name for people."""

    def change(extra: dict[str, Any]) -> None:
        extra["leap_seconds"]["source"] = ""

    return forge(data, change, restate=False)


def test_one_flipped_bit(genuine: bytes, key: str) -> None:
    """Every byte outside the extra data, and 700 places inside it; only the leap table's name is for people alone."""
    print(f"seed: {SEED}")
    dice = random.Random(SEED)
    first = genuine.index(b"\n") + 1
    last = genuine.index(b"\n", first)
    outside = [*range(first), *range(last, len(genuine))]
    for place in [*outside, *(dice.randrange(first, last) for _ in range(700))]:
        bad = bytearray(genuine)
        bad[place] ^= 1 << dice.randrange(8)
        try:
            verify_proof(bytes(bad), vkey=key)
        except LedgerError:
            continue
        if nameless(bytes(bad)) != nameless(genuine):
            pytest.fail(f"byte {place} does not matter: {bytes(bad[place - 8 : place + 8])!r}")


def test_bytes_that_do_not_matter_are_those_of_cosigners_that_nobody_asked(state: Path, key: str) -> None:
    """With the log's key alone, a cosignature is a line of an unknown key; with the policy, every bit of it counts."""
    note = (state / "ledger/checkpoint").read_bytes()
    witness = make_cosigner("witness.example", bytes([7] * 32))
    line = cosign(note.decode().split("\n\n")[0] + "\n", witness, 1_800_000_000)
    data = make_proof(FolderSource(state), utc(30.0), LEAPS, kept=add_cosignatures(note, [line])).data
    policy = parse_policy(f"log {key}\nwitness w {witness.verifier.vkey}\nquorum w\n")
    verify_proof(data, policy)
    begin = data.rindex("— witness.example".encode())
    assert data[begin:].decode() == line
    for place in range(begin, len(data)):
        bad = bytearray(data)
        bad[place] ^= 1
        with pytest.raises(LedgerError):
            verify_proof(bytes(bad), policy)
    bad = bytearray(data)
    bad[len(data) - 30] = ord("A") if bad[len(data) - 30] != ord("A") else ord("B")
    verify_proof(bytes(bad), vkey=key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("utc_minus_served_s", "0.0"),
        ("bound_s", "1e-09"),
        ("u_s", "nan"),
        ("claim", "unknown"),
        ("simulated", False),
        ("station", "PTB"),
        ("tai_minus_utc_s", 36),
        ("approvals", [{"index": 1, "by": "minister", "type": "approval"}]),
        ("leases_closed", False),
        ("enclosed", 1),
    ],
)
def test_a_statement_that_does_not_follow(genuine: bytes, key: str, name: str, value: Any) -> None:
    def change(extra: dict[str, Any]) -> None:
        assert extra["statement"][name] != value or type(extra["statement"][name]) is not type(value)
        extra["statement"][name] = value

    with pytest.raises(StatementError) as caught:
        verify_proof(forge(genuine, change, restate=False), vkey=key)
    assert caught.value.place == f"statement.{name}"


def test_a_member_of_the_statement_too_many_or_too_few(genuine: bytes, key: str) -> None:
    for change in (lambda x: x["statement"].pop("why"), lambda x: x["statement"].update(also="approved")):
        with pytest.raises(StatementError, match="statement"):
            verify_proof(forge(genuine, change, restate=False), vkey=key)


PAYLOADS = [
    ("served", "utck_minus_utc_s", "0.0"),
    ("served", "bound_s", "1e-09"),
    ("served-next", "against", "nothing"),
    ("lease-observer", "why", "trust me"),
    ("config", "software", "timeball 9"),
    ("steer", "why", "the minister wished it"),
    ("observer-key", "name", "somebody"),
]


@pytest.mark.parametrize(("role", "name", "value"), PAYLOADS)
def test_a_payload_with_the_statement_to_match(genuine: bytes, key: str, role: str, name: str, value: str) -> None:
    def change(extra: dict[str, Any]) -> None:
        item(extra, role)["payload"][name] = value

    with pytest.raises(StatementError, match="do not match the digest") as caught:
        verify_proof(forge(genuine, change), vkey=key)
    assert caught.value.place.startswith(role)


def test_a_salt_an_index_a_path_and_an_envelope(genuine: bytes, key: str) -> None:
    def salt(extra: dict[str, Any]) -> None:
        item(extra, "scale")["salt"] = base64.b64encode(bytes(32)).decode()

    def index(extra: dict[str, Any]) -> None:
        item(extra, "lease-observer")["index"] -= 1

    def path(extra: dict[str, Any]) -> None:
        item(extra, "config")["path"] = item(extra, "scale")["path"]

    def shorter(extra: dict[str, Any]) -> None:
        item(extra, "config")["path"].pop()

    def envelope(extra: dict[str, Any]) -> None:
        item(extra, "lease-timekeeper")["entry"]["time"] = str(T0 - 3 * S)

    def main(extra: dict[str, Any]) -> None:
        item(extra, "served")["index"] += 1

    for change in (salt, index, path, shorter, envelope, main):
        with pytest.raises(StatementError):
            verify_proof(forge(genuine, change), vkey=key)


def test_an_entry_in_a_role_that_is_not_its_own(genuine: bytes, key: str) -> None:
    def swap(extra: dict[str, Any]) -> None:
        item(extra, "lease-timekeeper")["role"] = "approval"
        item(extra, "lease-observer")["role"] = "lease-timekeeper"

    def twice(extra: dict[str, Any]) -> None:
        extra["entries"].append({**item(extra, "scale")})

    def unknown(extra: dict[str, Any]) -> None:
        item(extra, "scale")["role"] = "scales"

    for change, words in ((swap, "in this role"), (twice, "two entries in one role"), (unknown, "does not know")):
        with pytest.raises(StatementError, match=words):
            verify_proof(forge(genuine, change), vkey=key)


def take(state: Path, seconds: float, role: str) -> dict[str, Any]:
    """An entry with its path, out of an honest proof about another moment."""
    proof = parse_tlog_proof(make_proof(FolderSource(state), utc(seconds), LEAPS).data)
    return item(canonical.decode(proof.extra or b""), role)


def test_a_statement_of_a_better_minute_is_not_the_next(state: Path, genuine: bytes, key: str) -> None:
    def change(extra: dict[str, Any]) -> None:
        extra["entries"] = [
            take(state, 90.0, "served-next") if one["role"] == "served-next" else one for one in extra["entries"]
        ]

    with pytest.raises(StatementError, match="not the next entry of its stream"):
        verify_proof(forge(genuine, change), vkey=key)


def test_a_lease_from_before_it_was_withheld(state: Path, key: str) -> None:
    """An older lease in force, the one that withheld it kept back: the observer's own verdicts still say it."""
    data = make_proof(FolderSource(state), utc(170.0), LEAPS).data
    older = take(state, 30.0, "lease-observer")

    def change(extra: dict[str, Any]) -> None:
        without("lease-observer-next")(extra)
        extra["entries"] = [older if one["role"] == "lease-observer" else one for one in extra["entries"]]

    forged = verify_proof(forge(data, change), vkey=key).statement
    assert forged["claim"] != "in sync"
    assert not forged["leases_closed"]


def test_what_is_left_out_never_makes_a_claim_better(state: Path, key: str) -> None:
    """Any entry kept back from a file about any moment: refused, or a claim no better than the honest one."""
    worth = {"in sync": 1, "unknown": 0, "not in sync": 0}
    for second in (30.0, 149.0, 170.0, 1040.0, 1100.0):
        data = make_proof(FolderSource(state), utc(second), LEAPS).data
        honest = verify_proof(data, vkey=key).statement["claim"]
        present = [one.role for one in parse_extra(parse_tlog_proof(data).extra or b"").entries]
        for role in present:
            try:
                said = verify_proof(forge(data, without(role)), vkey=key).statement
            except LedgerError:
                continue
            assert worth[said["claim"]] <= worth[honest], (second, role)


def test_readings_that_the_collector_did_not_sign(state: Path, genuine: bytes, key: str) -> None:
    """A batch signed by a stranger, in a role of the collector's: the key that the log names decides."""

    def change(extra: dict[str, Any]) -> None:
        one = item(extra, "readings")
        one["payload"] = sign_batch(one["payload"]["batch"], STRANGER)

    with pytest.raises(StatementError, match="readings"):
        verify_proof(forge(genuine, change), vkey=key)


def test_a_verdict_in_the_log_that_a_stranger_signed(tmp_path: Path) -> None:
    """Somebody with the recorder's socket writes a verdict: no proof comes to rest on it."""
    build_life(tmp_path)
    with Store(tmp_path) as store:
        life = Life(store)
        batch = {"kind": "verdict", "code": 0, "verdict": "nothing found", "epochs": [str(T0 + 1125 * S)]}
        life.say(1140.0, "observer", "verdict", sign_batch(batch, STRANGER))
        life.serve(1180.0, boot="boot-2")
        store.integrate()
    said = make_proof(FolderSource(tmp_path), utc(1135.0), LEAPS).verified.statement
    assert said["verdict_next"] is None
    assert said["verdict"]["key"] == OBSERVER.verifier.vkey


def test_the_log_key_of_somebody_else(genuine: bytes, key: str) -> None:
    """The same entries in a log of the forger's own: the file agrees with itself, and with no key that was kept."""
    with pytest.raises(LedgerError):
        verify_proof(genuine, vkey=STRANGER.verifier.vkey)

    def change(extra: dict[str, Any]) -> None:
        extra["log"] = STRANGER.verifier.vkey

    with pytest.raises(StatementError, match="names the log key"):
        verify_proof(forge(genuine, change), vkey=key)
    with pytest.raises(LedgerError):
        verify_proof(forge(genuine, change))


def test_a_leap_table_of_the_forgers_own(genuine: bytes, key: str) -> None:
    """Another TAI − UTC would move the moment by a second: what the station counted by is in the entries."""

    def change(extra: dict[str, Any]) -> None:
        extra["leap_seconds"]["lines"][-1][1] -= 1

    with pytest.raises(StatementError, match=r"counted TAI − UTC = 37 s|does not lie between"):
        forge(genuine, change)
    bare = canonical.decode(parse_tlog_proof(genuine).extra or b"")
    with pytest.raises(StatementError):
        verify_proof(forge(genuine, change, restate=False), vkey=key)
    assert bare["leap_seconds"]["lines"][-1][1] == 37
