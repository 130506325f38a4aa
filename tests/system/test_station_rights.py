"""Started by root with `ntp.user`: Roughtime and the exporter give up what they do not need, and go on all the same."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import HostClock, Served, free_port, served

from timeball.cli import root
from timeball.protocols.roughtime import client, delegation
from timeball.protocols.roughtime.serverlist import Address
from timeball.station.paths import observer_page, processes_file, timekeeper_page
from timeball.station.timesigning.asking import ask
from timeball.station.timesigning.keys import long_term_key_file, read_secret

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]

USER = "nobody"
READS_ALL = 1 << 2


@pytest.fixture
def handed_over() -> Iterator[Path]:
    """A folder that everybody may pass, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def closed_umask() -> Iterator[None]:
    """As the unit in deploy/systemd has it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def rights(station: Served, name: str) -> tuple[set[str], set[str], int, bool]:
    """User and group numbers of a process, what it still may, and whether it can get more."""
    text = Path(f"/proc/{station.processes[name].pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    may = int(fields["CapPrm"], 16) | int(fields["CapEff"], 16) | int(fields["CapInh"], 16)
    return (
        set(fields["Uid"].split()),
        set(fields["Gid"].split() + fields["Groups"].split()),
        may,
        fields["NoNewPrivs"] == "0",
    )


def delegate(folder: Path, owner: str) -> bytes:
    """Put a file of fresh delegations in place, owned by `owner`; gives the long-term public key."""
    key, out, fresh = folder / "long-term.key", folder / "delegations.json", folder / "fresh.json"
    if not key.exists():
        assert root.run(["roughtime", "keygen", str(key)]) == 0
    assert root.run(["roughtime", "delegate", "--key", str(key), "--out", str(fresh), "--days", "2"]) == 0
    os.chown(fresh, pwd.getpwnam(owner).pw_uid, -1)
    fresh.replace(out)
    return delegation.public_key_of(delegation.parse_long_term_key(read_secret(key)))


def verified(port: int, key: bytes, protocol: str = "udp") -> client.Verified | None:
    """An answer that holds, or None when none comes."""
    request = client.build_request(secrets.token_bytes(32), (1,), key)
    try:
        return client.verify_reply(request, ask(Address(protocol, "127.0.0.1", port), request, 0.5), key)
    except OSError:
        return None


def roughtime(**settings: object) -> tuple[int, dict[str, object]]:
    """A free port and the settings of a server there."""
    port = free_port()
    return port, {"ntp": {"user": USER}, "roughtime": {"listen": [f"127.0.0.1:{port}"], **settings}}


def test_roughtime_gives_up_root_and_still_renews_its_keys(tmp_path: Path, handed_over: Path) -> None:
    key = delegate(handed_over, USER)
    port, settings = roughtime(delegation=str(handed_over / "delegations.json"))
    with served(tmp_path / "state", settings, "roughtime") as station:
        station.until(lambda: verified(port, key))
        other = str(pwd.getpwnam(USER).pw_uid)
        assert rights(station, "roughtime") == ({other}, {str(pwd.getpwnam(USER).pw_gid)}, 0, False)
        first = verified(port, key, "tcp")
        assert first is not None
        delegate(handed_over, USER)
        station.until(lambda: (now := verified(port, key)) and now.delegated != first.delegated, 30.0)
        # the page put in place anew, as by a timekeeper that was started again
        station.clock.withdraw()
        assert verified(port, key) is None
        for page in (timekeeper_page, observer_page):
            page(station.state).unlink()
        station.clock = HostClock(station.state)
        station.until(lambda: verified(port, key), 30.0)


def test_roughtime_signs_by_a_long_term_key_that_root_keeps(tmp_path: Path) -> None:
    port, settings = roughtime(loop="plain")
    with served(tmp_path / "state", settings, "roughtime") as station:
        path = long_term_key_file(station.state)
        station.until(path.exists)
        key = delegation.public_key_of(delegation.parse_long_term_key(read_secret(path)))
        station.until(lambda: verified(port, key))
        assert rights(station, "roughtime")[2] == 0
        assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (0, 0o600)


def test_delegations_that_could_not_be_renewed_are_told_at_the_start(tmp_path: Path, handed_over: Path) -> None:
    delegate(handed_over, "root")
    _, settings = roughtime(delegation=str(handed_over / "delegations.json"), loop="plain")
    with served(tmp_path / "state", settings, "roughtime") as station:
        assert station.processes["roughtime"].wait(60) == 2
        assert f"chown it to {USER}" in station.say()
        assert "Traceback" not in station.say()


def test_exporter_gives_up_root_and_reads_what_root_alone_may(tmp_path: Path) -> None:
    port = free_port()
    settings = {"ntp": {"user": USER}, "metrics": {"listen": f"127.0.0.1:{port}"}}

    def told() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    with served(tmp_path / "state", settings, "exporter") as station:
        station.until(told)
        uids, gids, may, more = rights(station, "exporter")
        assert ("0" in uids | gids, may, more) == (False, READS_ALL, False)
        row = {"name": "exporter", "pid": station.processes["exporter"].pid, "restarts": 7}
        processes_file(station.state).write_text(json.dumps([row]))
        assert processes_file(station.state).stat().st_mode & 0o077 == 0
        station.until(lambda: 'timeball_process_restarts_total{process="exporter"} 7.0' in told(), 30.0)
        assert 'timeball_process_up{process="exporter"} 1.0' in told()
        assert 'timeball_exporter_part_up{part="ledger"} 0' not in told()
