"""Clients that nobody here wrote ask our server over plain NTP: chronyd, ntpdig, ntplib, ntpstats, node's sntp."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ntplib
import pytest
from serving import answers, chrony_client, free_port, one_shot, served, until

from clients import NODE_MODULES, installed, needs_root, program

pytestmark = pytest.mark.system

NEAR_S = 0.05
"""What a client on a busy machine may be off by; its clock is the one that is served."""
ASK_WITH_NODE = """
const sntp = require(process.argv[1]);
const server = { host: '127.0.0.1', port: Number(process.argv[2]), timeout: 5000 };
sntp.time(server).then((time) => console.log(JSON.stringify(time)));
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    number = free_port()
    settings = {"ntp": {"listen": [f"127.0.0.1:{number}"]}}
    with served(tmp_path_factory.mktemp("ntp"), settings, "server") as station:
        station.until(lambda: answers(number))
        yield number


def test_chronyd_asks_once(port: int, tmp_path: Path) -> None:
    needs_root()
    options = [f"pidfile {tmp_path}/pid", "cmdport 0", "port 0", "bindcmdaddress /"]
    command = [program("chronyd"), "-Q", "-u", "root", "-t", "20", f"server 127.0.0.1 port {port} iburst", *options]
    said = one_shot(command, 40).stderr
    found = re.search(r"System clock wrong by (\S+) seconds", said)
    assert found, said
    assert abs(float(found[1])) < NEAR_S


def test_chronyd_follows_in_interleaved_mode(port: int, tmp_path: Path) -> None:
    with chrony_client(tmp_path / "chrony", f"127.0.0.1 port {port} xleave") as client:
        until(lambda: client.field("ntpdata", "Interleaved") == "Yes" and client.valid() >= 8, 30, client.said)
        assert client.field("ntpdata", "TX timestamping") == "Kernel"
        assert client.field("ntpdata", "Leap status") == "Normal"
        assert abs(float(client.field("ntpdata", "Offset").split()[0])) < NEAR_S
        until(client.selected, 30, client.said)


def test_chronyd_follows_in_basic_mode(port: int, tmp_path: Path) -> None:
    with chrony_client(tmp_path / "chrony", f"127.0.0.1 port {port}") as client:
        until(lambda: client.valid() >= 4, 30, client.said)
        assert client.field("ntpdata", "Interleaved") == "No"


def test_ntplib(port: int) -> None:
    told = ntplib.NTPClient().request("127.0.0.1", version=4, port=port, timeout=5)
    assert told.leap == 0
    assert abs(told.offset) < NEAR_S
    assert 0 <= told.delay < 1


def test_sntp_of_npm(port: int) -> None:
    module = installed(NODE_MODULES) / "@hapi" / "sntp"
    told = json.loads(one_shot([program("node"), "-e", ASK_WITH_NODE, str(module), str(port)]).stdout)
    assert told["isValid"]
    assert abs(told["t"]) < NEAR_S * 1e3


# Clients that ask port 123 alone, each in a network of the test's own


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What to run a command under, so that it finds our server on port 123 of its loopback."""
    needs_root()
    hold = subprocess.Popen(
        [
            "unshare",
            "--net",
            "sh",
            "-c",
            "ip link set lo up && echo up && exec sleep 600",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert hold.stdout is not None
        if hold.stdout.readline() != b"up\n":
            pytest.skip("no network namespaces here")
        enter = ["nsenter", f"--net=/proc/{hold.pid}/ns/net"]
        state = tmp_path_factory.mktemp("inside")
        with served(state, {"ntp": {"listen": ["127.0.0.1:123"]}}, "server", before=enter) as station:
            station.until(lambda: "answering" in station.log("server").read_text())
            yield enter
    finally:
        hold.kill()
        hold.wait()


def test_ntpdig(inside: list[str]) -> None:
    told = json.loads(one_shot([*inside, program("ntpdig"), "-j", "-p", "2", "127.0.0.1"]).stdout)
    assert abs(told["offset"]) < NEAR_S
    assert told["stratum"] == 10


@pytest.mark.parametrize("mode", [(), ("--interleaved",)], ids=["basic", "interleaved"])
def test_ntpstats(inside: list[str], mode: tuple[str, ...]) -> None:
    said = one_shot([*inside, str(Path(sys.executable).parent / "ntpstats"), "query", *mode, "127.0.0.1"]).stdout
    assert "127.0.0.1" in said
