"""Our client asks our own server: interleaved, by symmetric key, over NTS with both algorithms."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authority import Authority
from chronyserver import KEYS
from serving import COMPILING_S, HostClock, answers, free_port, served, until

from timeball.protocols.ntp import clientnts
from timeball.protocols.ntp.client import Manner
from timeball.protocols.ntp.clientauth import Authentication, MACAuthentication
from timeball.protocols.ntp.clientevents import Event, KeysNeeded, Measured, PollEnded, Unsynchronised
from timeball.protocols.ntp.mac import parse_keys
from timeball.protocols.ntp.measurement import Measurement
from timeball.protocols.nts.cookies import Session
from timeball.station.configuration.following import NTPInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.hosttime.realtime import realtime_tai_ns
from timeball.station.instruments import ntskeys
from timeball.station.instruments.cookiejar import CookieJar
from timeball.station.instruments.ntpasking import Asker
from timeball.station.instruments.ntpsource import NTPSource
from timeball.station.instruments.ntskeys import exchange_for

pytestmark = pytest.mark.system

LEAPS = load_leap_table()
MS = 1_000_000
BURST = Manner(burst=3, spacing_ns=20 * MS, timeout_ns=2000 * MS)


@dataclasses.dataclass
class Ours:
    """Our server and its key exchange, over a page that is the host's own time."""

    port: int
    exchange: int
    authority: Authority
    clock: HostClock


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    folder = tmp_path_factory.mktemp("ours")
    authority, port, exchange = Authority(folder), free_port(), free_port()
    keys = folder / "keys"
    keys.write_text(KEYS)
    keys.chmod(0o600)
    nts = {"listen": [f"127.0.0.1:{exchange}"], "certificate": str(authority.certificate), "key": str(authority.key)}
    settings = {"ntp": {"listen": [f"127.0.0.1:{port}"], "keys": str(keys)}, "nts": nts}
    with served(folder / "state", settings, "keyexchange", "server") as station:

        def up() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", exchange)) == 0 and answers(port)

        until(up, COMPILING_S, station.say)
        yield Ours(port, exchange, authority, station.clock)


def burst(port: int, manner: Manner, authentication: Authentication | None = None) -> list[Event]:
    """The events of one burst."""
    asker = Asker("127.0.0.1", port, manner, authentication)
    events: list[Event] = []
    deadline = time.monotonic() + 20
    while not any(isinstance(event, PollEnded | KeysNeeded) for event in events):
        assert time.monotonic() < deadline, events
        events += asker.step(hostclocks.raw_ns() + 100 * MS)
    asker.close()
    return events


def right(events: list[Event]) -> list[Measurement]:
    """The measurements, each of which holds the true offset, zero, within its bound."""
    found = [event.measurement for event in events if isinstance(event, Measured)]
    for one in found:
        off_s = (one.offset2 - 2 * hostclocks.bracket().realtime_minus_raw_ns) / 2e9
        # the page was made from REALTIME a while ago, which may have been slewed against RAW since
        assert abs(off_s) <= one.bound_s() + 2.0**one.packet.precision + 0.02
    return found


@pytest.mark.parametrize("interleaved", [False, True])
def test_ntp(ours: Ours, interleaved: bool) -> None:
    found = right(burst(ours.port, dataclasses.replace(BURST, interleaved=interleaved)))
    assert len(found) == 3 + interleaved
    assert found[-1].interleaved == interleaved


@pytest.mark.parametrize("number", [7, 9])
def test_symmetric_keys(ours: Ours, number: int) -> None:
    authentication = MACAuthentication(parse_keys(KEYS)[number])
    assert len(right(burst(ours.port, BURST, authentication))) == 3


@pytest.mark.parametrize("aead", [15, 30])
@pytest.mark.parametrize("interleaved", [False, True])
def test_nts(ours: Ours, interleaved: bool, aead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntskeys, "AEADS", (aead,))
    keys = exchange_for("localhost", ours.exchange, str(ours.authority.ca))
    assert (keys.port, keys.authentication.session.aead) == (ours.port, aead)
    manner = dataclasses.replace(BURST, interleaved=interleaved)
    found = right(burst(keys.port, manner, keys.authentication))
    assert len(found) == 3 + interleaved
    assert found[-1].interleaved == interleaved
    assert keys.authentication.cookies == 8


def test_a_restart_needs_no_key_exchange_and_sends_no_cookie_twice(
    ours: Ours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run never closes, and goes on beside those after it: all together send each cookie once."""
    exchanges, sent = list[str](), list[bytes]()
    real_exchange, real_build = ntskeys.exchange_for, clientnts.build_request

    def exchange(host: str, port: int, ca: str, timeout_s: float = 5.0) -> ntskeys.Keys:
        exchanges.append(host)
        return real_exchange(host, port, ca, timeout_s)

    def build(session: Session, cookie: bytes, *rest: Any) -> bytes:
        sent.append(cookie)
        return real_build(session, cookie, *rest)

    monkeypatch.setattr(ntskeys, "exchange_for", exchange)
    monkeypatch.setattr(clientnts, "build_request", build)
    settings = NTPInstrument(
        server=f"localhost:{ours.exchange}", clock="N1", nts=True, ca=str(ours.authority.ca), poll_s=0.25, burst=1
    )
    raw_ns, tai_ns = realtime_tai_ns(LEAPS)

    def run(polls: int) -> NTPSource:
        jar = CookieJar(tmp_path, settings)
        one = NTPSource(settings, LEAPS, tai_ns - raw_ns, lambda raw: raw + tai_ns - raw_ns, jar)
        ask(one, polls)
        return one

    def ask(one: NTPSource, polls: int) -> None:
        found, deadline = 0, time.monotonic() + 30
        while found < polls:
            assert time.monotonic() < deadline, one.why
            found += len(one.read(hostclocks.raw_ns() + 100 * MS))

    first = run(2)
    second = run(2)
    assert exchanges == ["localhost"]
    assert second.faults.take() == []
    ask(first, 3)
    third = run(2)
    assert exchanges == ["localhost"]
    assert len(sent) == len(set(sent)) >= 9
    for one in (first, second, third):
        one.close()


def test_withdrawn_time_is_authentically_withdrawn(ours: Ours) -> None:
    keys = exchange_for("localhost", ours.exchange, str(ours.authority.ca))
    ours.clock.withdraw()
    try:
        events = burst(keys.port, Manner(timeout_ns=2000 * MS), keys.authentication)
        (told,) = [event for event in events if isinstance(event, Unsynchronised)]
        assert told.packet.leap == 3
        assert not right(events)
    finally:
        ours.clock.renew()
