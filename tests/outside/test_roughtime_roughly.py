"""roughly (a Roughtime implementation from PyPI) and ours: each as the other's client, over bytes and over UDP.

It is installed into a folder of its own (tests/clients), without what it needs, which is here.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from handpages import HandPages
from tests.fakes.roughtime_servers import NOW_S, FakeServer, noise

from clients import ROUGHLY, installed
from timeball.protocols.roughtime import client, delegation, measuring, reports, versions
from timeball.station.page.pagefile import PageReader
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.paths import config_file

pytestmark = pytest.mark.system

Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def roughly() -> Load:
    """Loads modules of roughly."""
    folder = str(installed(ROUGHLY))
    sys.path.insert(0, folder)
    try:
        importlib.import_module("roughly.client")
    finally:
        sys.path.remove(folder)
    return lambda name: importlib.import_module(f"roughly.{name}")


@pytest.mark.parametrize("offered", [(1,), (0x8000000C,), None])
@pytest.mark.parametrize("count", [1, 5])
def test_it_verifies_our_replies(roughly: Load, offered: tuple[int, ...] | None, count: int) -> None:
    theirs, fake = roughly("client"), FakeServer("a")
    requests = [theirs.build_request(versions=offered, public_key=fake.public_key).dump() for _ in range(count)]
    for request, reply in zip(requests, fake.answers(requests), strict=True):
        found = theirs.VerifiableResponse.from_packet(raw=reply, request=request)
        assert found.verify(fake.public_key)
        assert found.version == (offered[0] if offered else 1)
        assert (found.signed_response.midpoint, found.signed_response.radius) == (NOW_S, 1)


def test_it_refuses_the_reply_of_another_server_of_ours(roughly: Load) -> None:
    theirs, request = roughly("client"), client.build_request(noise("n"), (1,))
    found = theirs.VerifiableResponse.from_packet(raw=FakeServer("b").answer(request), request=request)
    with pytest.raises(roughly("errors").VerificationError):
        found.verify(FakeServer("a").public_key)


def test_it_confirms_our_report(roughly: Load) -> None:
    servers = [FakeServer("a").at(NOW_S + 3600), FakeServer("b"), FakeServer("c")]
    chain = measuring.Measurement([fake.public_key for fake in servers], [noise(f"{i}") for i in range(6)])
    while (step := chain.next_request()) is not None:
        chain.receive(servers[step.server].answer(step.request))
    rows = json.loads(reports.write_report(chain.exchanges))["responses"]
    rows[0]["rand"] = ""  # it wants the word there, and makes nothing of it
    assert roughly("ecosystem").confirm_malfeasance(rows)


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_we_verify_its_replies(roughly: Load, version: int) -> None:
    theirs = roughly("server")
    made = theirs.Server.create(private_key=noise("their long-term"), grease=False)
    key = delegation.public_key_of(noise("their long-term"))
    requests = [client.build_request(noise(f"{i}"), (version,), key) for i in range(5)]
    for request, reply in zip(requests, theirs.handle_batch(made, requests), strict=True):
        verified = client.verify_reply(request, reply, key)
        assert verified.version == version
        assert abs(verified.midpoint_s - time.time()) < 30


def test_it_asks_our_running_server(roughly: Load, tmp_path: Path) -> None:
    pages = HandPages(tmp_path)
    pages.lease(600, 600)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config_file(tmp_path).write_text(json.dumps({"roughtime": {"listen": [f"127.0.0.1:{port}"], "loop": "plain"}}))
    command = [sys.executable, "-m", "timeball.station.roughtime", "--state", str(tmp_path)]
    with subprocess.Popen(command) as process:
        try:
            reader, deadline = PageReader(roughtime_page(tmp_path), RoughtimePage), time.monotonic() + 60
            while reader.read() is None:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            text = (tmp_path / "keys" / "roughtime.key").read_text("ascii")
            key = delegation.public_key_of(delegation.parse_long_term_key(text))
            found = asyncio.run(asyncio.wait_for(roughly("client").send_request("127.0.0.1", port, key), 20))
            assert found.version == 1
            assert abs(found.signed_response.midpoint - time.time()) < 5
        finally:
            process.terminate()
            pages.close()
