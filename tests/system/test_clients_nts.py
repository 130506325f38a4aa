"""Clients that nobody here wrote ask our servers over NTS: chronyd, ntpsec's ntpd, ntpstats.

One chronyd stays with us through all that happens to an operator: a new certificate, a new key of the cookies, servers
that are restarted, and servers that are killed.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import Authority
from cryptography import x509
from serving import ChronyClient, Served, answers, chrony_client, free_port, one_shot, served, until

from clients import NTPSEC, installed, needs_root
from timeball.station.nts.keyfile import keys_file, read_keys

pytestmark = pytest.mark.system

ROTATE_S = 8.0
PATIENCE_S = 60.0


class Operated:
    """Our two servers of NTS, and the authority of their certificates."""

    def __init__(self, station: Served, authority: Authority, port: int, exchange: int) -> None:
        self.station, self.authority, self.port, self.exchange = station, authority, port, exchange

    def up(self) -> bool:
        """Whether both answer."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.exchange)) == 0 and answers(self.port)


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    folder = tmp_path_factory.mktemp("operated")
    authority = Authority(folder)
    port, exchange = free_port(), free_port()
    nts = {"listen": [f"127.0.0.1:{exchange}"], "certificate": str(authority.certificate), "key": str(authority.key)}
    settings = {"ntp": {"listen": [f"127.0.0.1:{port}"]}, "nts": {**nts, "rotate_s": ROTATE_S, "kept": 6}}
    with served(folder / "state", settings, "keyexchange", "server") as station:
        operated = Operated(station, authority, port, exchange)
        station.until(operated.up)
        yield operated


def authdata(client: ChronyClient) -> list[str]:
    """Mode, key id, type, bits, last, attempts, NAKs, cookies, cookie length of chronyd's one server."""
    return client.ask("authdata").splitlines()[-1].split()[1:]


def goes_on(client: ChronyClient, replies: int = 4) -> None:
    """Wait until chronyd has taken some more authenticated replies, and still follows us."""
    before = client.valid()
    until(lambda: client.valid() >= before + replies and client.selected(), PATIENCE_S, client.said)
    assert client.field("ntpdata", "Authenticated") == "Yes", client.said()


def test_chronyd_stays_through_renewal_rotation_restart_and_kill(operated: Operated, tmp_path: Path) -> None:
    station = operated.station
    server = f"127.0.0.1 port {operated.port} nts ntsport {operated.exchange} xleave"
    with chrony_client(tmp_path / "chrony", server, f"ntstrustedcerts {operated.authority.ca}") as client:
        until(lambda: client.valid() >= 4 and client.selected(), PATIENCE_S, client.said)
        until(lambda: client.field("ntpdata", "Interleaved") == "Yes", PATIENCE_S, client.said)
        mode, _, kind, bits, _, attempts, naks, cookies, length = authdata(client)
        assert (mode, kind, bits, attempts, naks, cookies, length) == ("NTS", "15", "256", "0", "0", "8", "100")

        first = read_keys(keys_file(station.state)).current.id
        operated.authority.issue()  # a new certificate: nobody who has cookies notices
        until(lambda: read_keys(keys_file(station.state)).current.id != first, PATIENCE_S, station.say)
        goes_on(client)

        for name in ("server", "keyexchange"):
            station.processes[name].terminate()
            station.processes[name].wait(20)
            station.start(name)
            station.until(operated.up)
            goes_on(client)
        for name in ("server", "keyexchange"):
            station.kill(name)
            station.start(name)
            station.until(operated.up)
            goes_on(client)
        mode, *_, naks, cookies, _ = authdata(client)
        assert (mode, naks) == ("NTS", "0"), client.said()
        assert int(cookies) >= 7
        serial = certificate_serial(operated.exchange, operated.authority.ca)
        assert serial == operated.authority.serial


def certificate_serial(port: int, ca: Path) -> int:
    """The serial number of the certificate that the key exchange shows now."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["ntske/1"])
    with (
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        told = tls.getpeercert(binary_form=True)
    assert told is not None
    return x509.load_der_x509_certificate(told).serial_number


def test_a_certificate_of_another_authority_is_not_trusted(operated: Operated, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    server = f"127.0.0.1 port {operated.port} nts ntsport {operated.exchange} iburst"
    with chrony_client(tmp_path / "chrony", server, f"ntstrustedcerts {other.ca}") as client:
        until(lambda: "certificate is NOT trusted" in client.log.read_text(), PATIENCE_S, client.said)
        assert client.valid() == 0


def test_ntpd_of_ntpsec(operated: Operated, tmp_path: Path) -> None:
    needs_root()
    ntpd = installed(NTPSEC)
    conf = ["disable ntp kernel", "interface ignore wildcard", "interface listen 127.0.0.1"]
    conf += [f"server localhost:{operated.exchange} nts ca {operated.authority.ca} minpoll 0 maxpoll 3 iburst"]
    conf += [f"statsdir {tmp_path}/", "statistics peerstats", "filegen peerstats file peerstats type none enable"]
    (tmp_path / "conf").write_text("\n".join(conf) + "\n")
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([str(ntpd), "-n", "-c", str(tmp_path / "conf")], stdout=out, stderr=out)
    try:
        until((tmp_path / "peerstats").exists, PATIENCE_S, log.read_text)
        assert "Got 8 cookies, length 100, aead=15" in log.read_text()
        offset_s = float((tmp_path / "peerstats").read_text().splitlines()[0].split()[4])
        assert abs(offset_s) < 0.05
    finally:
        process.terminate()
        process.wait(20)


def test_ntpstats(tmp_path: Path) -> None:
    """It knows the ports of the standards alone: a network of the test's own."""
    needs_root()
    authority = Authority(tmp_path)
    hold = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"], stdout=subprocess.PIPE
    )
    try:
        assert hold.stdout is not None
        if hold.stdout.readline() != b"up\n":
            pytest.skip("no network namespaces here")
        enter = ["nsenter", f"--net=/proc/{hold.pid}/ns/net"]
        nts = {"listen": ["127.0.0.1:4460"], "certificate": str(authority.certificate), "key": str(authority.key)}
        settings = {"ntp": {"listen": ["127.0.0.1:123"]}, "nts": nts}
        with served(tmp_path / "state", settings, "keyexchange", "server", before=enter) as station:
            station.until(lambda: "answering" in station.log("server").read_text())
            station.until(lambda: keys_file(station.state).exists())
            ntpstats = str(Path(sys.executable).parent / "ntpstats")
            command = [*enter, ntpstats, "query", "--nts", "localhost"]
            assert "localhost" in one_shot(command, SSL_CERT_FILE=str(authority.ca)).stdout
    finally:
        hold.kill()
        hold.wait()
