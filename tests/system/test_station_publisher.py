"""A station and three witnesses, two of which must cosign: one may go, two may not, and time is served all along."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stations import QUICK, Station, kill, running, wait_for
from witnesses import Witness, witnessing, write_policy

from timeball.ledger import canonical
from timeball.ledger.note import parse_vkey
from timeball.ledger.policy import Policy, parse_policy
from timeball.ledger.quorum import CosignedCheckpoint
from timeball.station import paths
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entries, newest_entry
from timeball.station.reporting.status import StatusReader

pytestmark = pytest.mark.system


class Watched:
    """A running station with its policy and its witnesses."""

    def __init__(self, station: Station, witnesses: list[Witness], policy: Policy) -> None:
        self.station, self.witnesses, self.policy = station, witnesses, policy
        self.vkey = (paths.ledger_dir(station.state) / "log.vkey").read_text().strip()
        self.reader = LedgerReader(station.state)

    def cosigned(self) -> CosignedCheckpoint | None:
        try:
            note = paths.cosigned_checkpoint(self.station.state).read_bytes()
        except FileNotFoundError:
            return None
        return self.policy.check(note, [parse_vkey(self.vkey)])

    def size(self) -> int:
        found = self.cosigned()
        return 0 if found is None else found.checkpoint.size

    def wait_cosigned_by(self, *names: str) -> None:
        """Wait for a head above all that stands in the ledger now that these witnesses have cosigned, and no other."""
        size = self.reader.size()
        wanted = set(names)

        def is_there() -> bool:
            found = self.cosigned()
            return found is not None and found.checkpoint.size > size and found.times.keys() == wanted

        wait_for(is_there, f"no head cosigned by {names}")

    def said(self) -> list[dict[str, Any]]:
        """Every state recorded, the oldest first."""
        entries = newest_entries(self.reader, "witnessing", "witness")
        return [canonical.decode(entry.payload or b"") for entry in entries][::-1]

    def status(self) -> dict[str, Any]:
        return StatusReader(self.station.state).status()

    def newest_state(self) -> str:
        entry = newest_entry(self.reader, "witnessing", "witness")
        return "" if entry is None else canonical.decode(entry.payload or b"")["state"]

    def wait_state(self, state: str) -> dict[str, Any]:
        wait_for(lambda: self.newest_state() == state, f"not recorded: {state}")
        return self.said()[-1]


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    names = [("w1", "ed25519"), ("w2", "ml-dsa-44"), ("w3", "ed25519")]
    witnesses = [Witness(folder, f"witness.example.org/{name}", kind) for name, kind in names]
    policy = folder / "policy"
    write_policy(policy, witnesses, 2)
    ledger = f'[ledger]\npolicy = "{policy}"\npublish_every_s = 0.5\ncosign_within_s = 3.0\n'
    with witnessing(*witnesses), running(folder, f"{QUICK}\n{ledger}") as station:
        yield Watched(station, witnesses, parse_policy(policy.read_bytes()))


def test_quorum_met_missing_and_met_again(tmp_path: Path) -> None:
    with watched(tmp_path) as it:
        first = it.wait_state("missing")  # nobody witnesses yet, and the station serves all the same
        assert (first["size"], it.station.in_sync()) == (0, True)
        assert "no quorum (2 of w1, w2, w3)" in first["why"]
        for witness in it.witnesses:
            witness.start([it.vkey])
        it.wait_state("cosigned")
        it.wait_cosigned_by("w1", "w2", "w3")

        it.witnesses[0].stop(signal.SIGKILL)
        it.wait_cosigned_by("w2", "w3")
        it.witnesses[1].stop(signal.SIGKILL)
        missing = it.wait_state("missing")
        assert missing["size"] == it.size()
        assert int(missing["since"]) == next(iter(it.reader.envelopes(missing["size"])))[1].time_ns
        assert "w1: no answer" in missing["why"]
        assert "w2: no answer" in missing["why"]
        assert it.station.in_sync(), "a missing quorum withdrew time"
        status = it.station.status()
        assert any("no quorum" in alarm for alarm in status["alarms"]), status["alarms"]
        assert status["leases"]["timekeeper"]["valid"]
        assert status["witnessing"]["state"] == "missing"

        it.witnesses[0].start([it.vkey])
        assert it.wait_state("cosigned")["size"] > missing["size"]
        it.wait_cosigned_by("w1", "w3")
        assert [row["state"] for row in it.said()] == ["missing", "cosigned", "missing", "cosigned"]

        kill(it.station.processes()["publisher"])
        it.wait_cosigned_by("w1", "w3")
        publisher = it.station.processes()["publisher"]
        it.station.stop(signal.SIGKILL)  # the supervisor alone
        it.station.start()
        it.wait_cosigned_by("w1", "w3")
        wait_for(lambda: it.station.processes()["supervisor"] == it.station.popen.pid, "not supervised again")
        assert it.station.processes()["publisher"] == publisher, "the publisher was not adopted"
        wait_for(lambda: not it.status()["alarms"], "an alarm is left")
        rows = {row["name"]: row for row in it.status()["witnessing"]["witnesses"]}
        assert rows["w1"]["size"] > missing["size"]
        assert rows["w2"]["why"]
        assert len(it.said()) == 4, "a restart is no change of state"
        assert it.station.in_sync()
    verified = it.station.verify()
    assert verified.returncode == 0, verified.stderr
    replayed = it.station.replay()
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(paths.processes_file(it.station.state).read_text())


def test_a_policy_that_cannot_be_met_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text("witness w1 nonsense http://127.0.0.1:1\nquorum w1\n")
    station = Station(tmp_path, f'{QUICK}\n[ledger]\npolicy = "{policy}"\n')
    done = station.timeball("run", "--config", str(station.config), "--state", str(station.state))
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: ledger.policy: {policy}: policy, line 1: ")
    assert not station.state.exists()
