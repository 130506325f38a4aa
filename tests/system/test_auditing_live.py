"""A live station, its ledger served, a witness that cosigns and audits it: no false alarm in anything it records."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest
from served import timeball_serves
from stations import QUICK, running, wait_for
from witnesses import Witness, witnessing, write_policy

from timeball.ledger.note import parse_vkey
from timeball.station.auditing.statement import AGREES, Statement, open_statement
from timeball.station.witnessing.client import origin_hash

pytestmark = pytest.mark.system


def test_an_honest_station_is_agreed_with_while_it_runs_and_after_a_restart(tmp_path: Path) -> None:
    witness = Witness(tmp_path, "witness.example.org/w1")
    policy, audited = tmp_path / "policy", tmp_path / "audited"
    write_policy(policy, [witness], 1)
    settings = QUICK + f'\n[ledger]\npolicy = "{policy}"\npublish_every_s = 1.0\n'
    with running(tmp_path, settings) as station, timeball_serves(station.state) as url, witnessing(witness):
        log = (station.state / "ledger/log.vkey").read_text().strip()
        audited.write_text(f"log {log} {url}\n" + policy.read_text())
        address = f"{witness.url}/audit/{origin_hash(log.split('+')[0])}"

        def statement(bounds: int, size: int) -> Statement | None:
            try:
                key = parse_vkey(urlopen(f"{witness.url}/auditor.vkey", timeout=5).read().decode())
                found = open_statement(urlopen(address, timeout=5).read(), key)
            except OSError:
                return None
            assert found.verdict == AGREES, found.text
            return found if found.bounds >= bounds and found.size >= size else None

        command = ["--state", str(witness.state), "--listen", f"127.0.0.1:{witness.port}", "--policy", str(audited)]
        size = 1
        for bounds in (2, 3):
            process = start(command)
            try:
                look = partial(statement, bounds, size)
                found = wait_for(look, "the auditor agrees with heads that were cosigned")
            finally:
                process.kill()
                process.wait()
            size = found.size + 1


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "timeball", "witness", *arguments, "--audit"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
