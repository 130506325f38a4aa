"""The restore drill of docs/guide/backup.md with real processes: record, back up, lose, refuse, complete, go on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from served import timeball_serves
from stations import wait_for
from witnesses import Witness, processes, witnessing, write_policy

from timeball.ledger import canonical
from timeball.ledger.note import parse_vkey
from timeball.ledger.policy import parse_policy
from timeball.station import paths
from timeball.station.configuration.settings import Config
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.recorder_client import Record, RecorderClient

pytestmark = pytest.mark.system


class Drill:
    """A state folder with a policy of three real witnesses, two of which are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.policy = folder, folder / "state", folder / "policy"
        self.backup, self.mirror = folder / "backup", folder / "mirror"
        self.witnesses = [Witness(folder, f"witness.example.org/{name}") for name in ("w1", "w2", "w3")]
        write_policy(self.policy, self.witnesses, 2)
        self.seq = 1

    def configure(self) -> None:
        settings = {"ledger": {"policy": str(self.policy), "publish_every_s": 0.5, "cosign_within_s": 5.0}}
        paths.config_file(self.state).parent.mkdir(parents=True, exist_ok=True)
        paths.config_file(self.state).write_bytes(msgspec.convert(settings, Config).to_json())

    def start_witnesses(self) -> None:
        vkey = (self.state / "ledger/log.vkey").read_text().strip()
        for witness in self.witnesses:
            witness.start([vkey])

    def record(self, count: int) -> None:
        with RecorderClient(self.state, "served") as client:
            records = [Record("served", 1, {"n": self.seq + n}, self.seq + n) for n in range(count)]
            client.append_many(records)
        self.seq += count

    def cosigned_size(self) -> int:
        try:
            note = paths.cosigned_checkpoint(self.state).read_bytes()
        except FileNotFoundError:
            return 0
        vkey = parse_vkey((self.state / "ledger/log.vkey").read_text())
        return parse_policy(self.policy.read_bytes()).check(note, [vkey]).checkpoint.size

    def wait_cosigned(self) -> int:
        """Wait until all that is recorded is cosigned; gives the size."""
        wait_for(lambda: self.cosigned_size() >= LedgerReader(self.state).size() >= self.seq - 1, "not cosigned")
        return self.cosigned_size()

    def timeball(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "timeball", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def fetch_mirror(self) -> None:
        with timeball_serves(self.state) as url:
            key = (self.state / "ledger/log.vkey").read_text().strip()
            done = self.timeball("ledger", "mirror", url, self.mirror, "--key", key)
            assert done.returncode == 0, done.stderr

    def start_recorder(self, state: Path) -> subprocess.CompletedProcess[str]:
        """Start a recorder that is expected to end by itself."""
        command = [sys.executable, "-m", "timeball.station.recorder", "--state", str(state)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def restores(state: Path) -> list[dict[str, Any]]:
    found = (entry for entry in LedgerReader(state).entries() if entry.envelope.type == "restore")
    return [canonical.decode(entry.payload or b"") for entry in found]


def test_the_drill(tmp_path: Path) -> None:
    drill = Drill(tmp_path)
    drill.configure()
    with witnessing(*drill.witnesses):
        with processes(drill.state, "recorder", "publisher"):
            wait_for((drill.state / "ledger/log.vkey").exists, "no log")
            drill.start_witnesses()
            drill.record(300)
            drill.wait_cosigned()
            done = drill.timeball("ledger", "backup", drill.backup, "--state", drill.state, "--keys")
            assert done.returncode == 0, done.stderr
            backed_up = LedgerReader(drill.backup).size()
            drill.record(400)
            newest = drill.wait_cosigned()
            drill.fetch_mirror()
        assert restores(drill.state) == []
        shutil.rmtree(drill.state)

        # a copy of the backup in the old place: the recorder itself refuses, signs nothing and writes nothing
        shutil.copytree(drill.backup, drill.state)
        drill.configure()
        head = (drill.state / "ledger/checkpoint").read_bytes()
        refused = drill.start_recorder(drill.state)
        assert refused.returncode == 4, refused.stderr
        assert f"only {backed_up} are here" in refused.stderr
        assert (drill.state / "ledger/checkpoint").read_bytes() == head
        shutil.rmtree(drill.state)

        # the command says the same before it copies anything
        refused = drill.timeball("ledger", "restore", drill.backup, drill.state, "--policy", drill.policy)
        assert refused.returncode == 4, refused.stdout + refused.stderr
        assert f"entries {backed_up} to " in refused.stderr
        assert "get them from a mirror" in refused.stderr
        assert not drill.state.exists()

        arguments = [drill.backup, drill.state, "--policy", drill.policy, "--from-mirror", drill.mirror]
        done = drill.timeball("ledger", "restore", *arguments)
        assert done.returncode == 0, done.stderr
        assert f"entries {backed_up} to " in done.stdout
        restored = LedgerReader(drill.state).size()
        assert restored >= newest

        drill.configure()
        with processes(drill.state, "recorder", "publisher"):
            with RecorderClient(drill.state, "served") as client:
                assert client.next_seq() == drill.seq
            drill.record(100)
            assert drill.wait_cosigned() > restored
        [said] = restores(drill.state)
        assert (said["from"], said["head_size"], said["unwitnessed"]) == (None, restored, False)
        assert set(said["witnesses"]) == {"w1", "w2", "w3"}
        verified = drill.timeball("verify", drill.state)
        assert verified.returncode == 0, verified.stderr


def test_two_recorders_of_one_key_do_not_both_go_on(tmp_path: Path) -> None:
    """A copy started beside the living original: it may start, but once either has gone on the other is convicted."""
    drill, second = Drill(tmp_path), tmp_path / "second"
    drill.configure()
    with witnessing(*drill.witnesses):
        with processes(drill.state, "recorder", "publisher"):
            wait_for((drill.state / "ledger/log.vkey").exists, "no log")
            drill.start_witnesses()
            drill.record(10)
            drill.wait_cosigned()
            shutil.copytree(drill.state, second, ignore=shutil.ignore_patterns("*.sock", "said"))
            drill.record(10)
            drill.wait_cosigned()
            refused = drill.start_recorder(second)
        assert refused.returncode == 4, refused.stderr
        assert "has seen a signed head of" in refused.stderr


def test_erasing_through_the_running_recorder(tmp_path: Path) -> None:
    drill = Drill(tmp_path)
    paths.config_file(drill.state).parent.mkdir(parents=True)
    paths.config_file(drill.state).write_bytes(Config().to_json())
    with processes(drill.state, "recorder"):
        wait_for((drill.state / "ledger/log.vkey").exists, "no log")
        drill.record(600)
        first = drill.timeball("ledger", "erase", 5, 300, "--state", drill.state, "--reason", "asked for")
        assert first.returncode == 0, first.stderr
        assert "2 payloads; entry 600 says so" in first.stdout
        done = drill.timeball("ledger", "archive", "--state", drill.state, "--to", tmp_path / "cold", "--keep-days", 0)
        assert done.returncode == 0, done.stderr
        assert "archived: 2 bundles" in done.stdout
        second = drill.timeball("ledger", "erase", 6, "--state", drill.state, "--reason", "asked for")
        assert second.returncode == 0, second.stderr
        nothing = drill.timeball("ledger", "erase", 7000, "--state", drill.state, "--reason", "asked for")
        assert nothing.returncode == 1
    offline = drill.timeball("ledger", "erase", 7, "--state", drill.state, "--reason", "asked for")
    assert offline.returncode == 0, offline.stderr
    entries = {entry.index: entry.payload for entry in LedgerReader(drill.state).entries()}
    assert [index for index, payload in entries.items() if payload is None] == [5, 6, 7, 300]
    verified = drill.timeball("verify", drill.state)
    assert verified.returncode == 0, verified.stderr
    assert "4 erased" in verified.stdout
