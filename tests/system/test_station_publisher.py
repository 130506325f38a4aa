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

    def wait_cosigned(self, why: str) -> CosignedCheckpoint:
        """Wait for the quorum under all that stands in the ledger now."""
        size = self.reader.size()
        wait_for(lambda: self.size() >= size, why)
        found = self.cosigned()
        assert found is not None
        return found

    def said(self) -> list[dict[str, Any]]:
        return [
            canonical.decode(entry.payload or b"")
            for entry in self.reader.entries()
            if (entry.envelope.by, entry.envelope.type) == ("witness", "witnessing")
        ]

    def wait_state(self, state: str) -> dict[str, Any]:
        wait_for(lambda: self.said() and self.said()[-1]["state"] == state, f"not recorded: {state}")
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
        assert "w2" in it.wait_cosigned("no quorum").times or "w2" in it.wait_cosigned("no quorum").times

        it.witnesses[0].stop(signal.SIGKILL)
        assert it.wait_cosigned("one witness gone, and no quorum").times.keys() >= {"w2", "w3"}
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
        assert it.wait_cosigned("no quorum again").times.keys() >= {"w1", "w3"}
        assert [row["state"] for row in it.said()] == ["missing", "cosigned", "missing", "cosigned"]

        kill(it.station.processes()["publisher"])
        it.wait_cosigned("no quorum after the publisher was killed")
        wait_for(lambda: not it.station.status()["alarms"], "an alarm is left")
        rows = {row["name"]: row for row in it.station.status()["witnessing"]["witnesses"]}
        assert rows["w1"]["size"] > missing["size"]
        assert rows["w2"]["why"]
        assert len(it.said()) == 4, "a restart is no change of state"
        assert it.station.in_sync()
    verified = it.station.verify()
    assert verified.returncode == 0, verified.stderr
    assert json.loads(paths.processes_file(it.station.state).read_text())
