"""Our client asks a chronyd: basic, interleaved, with a symmetric key, over NTS; as an instrument, and by hand."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chronyserver import ChronyServer, chrony_server
from click.testing import CliRunner
from serving import free_port

from timeball.cli.root import root as timeball
from timeball.protocols.ntp.client import Manner, State
from timeball.protocols.ntp.clientauth import MACAuthentication
from timeball.protocols.ntp.clientevents import Discarded, Event, KeysNeeded, Measured, Missed, PollEnded, Reason
from timeball.protocols.ntp.clientnts import NTSAuthentication
from timeball.protocols.ntp.mac import SymmetricKey, parse_keys
from timeball.protocols.ntp.measurement import Measurement
from timeball.station.configuration.config import parse_config
from timeball.station.configuration.following import NTPInstrument
from timeball.station.hosttime import hostclocks, timeofday
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.hosttime.realtime import realtime_tai_ns
from timeball.station.instruments.base import InstrumentUnavailableError, Sample
from timeball.station.instruments.ntpasking import Asker
from timeball.station.instruments.ntpsource import NTPSource
from timeball.station.instruments.ntskeys import KeysUnavailable, exchange_for

pytestmark = pytest.mark.system

LEAPS = load_leap_table()
MS = 1_000_000
BURST = Manner(burst=3, spacing_ns=20 * MS, timeout_ns=2000 * MS)
CROWDED_S = 0.05
"""How far off a reading may be on a busy machine; the bound of each is held exactly."""


@pytest.fixture(scope="module")
def chronyd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChronyServer]:
    with chrony_server(tmp_path_factory.mktemp("chrony") / "server") as server:
        yield server


def burst(asker: Asker) -> list[Event]:
    """The events of one burst, its end included."""
    events: list[Event] = []
    deadline = time.monotonic() + 20
    while not any(isinstance(event, PollEnded | KeysNeeded) for event in events):
        assert time.monotonic() < deadline, events
        events += asker.step(hostclocks.raw_ns() + 100 * MS)
    return events


def measured(events: list[Event]) -> list[Measurement]:
    return [event.measurement for event in events if isinstance(event, Measured)]


def offset_s(measurement: Measurement) -> float:
    """Against this host's clock, which is the server's own: the true offset is zero."""
    return (measurement.offset2 - 2 * hostclocks.bracket().realtime_minus_raw_ns) / 2e9


def test_basic_mode_is_right_within_its_bound(chronyd: ChronyServer) -> None:
    asker = Asker("127.0.0.1", chronyd.port, BURST)
    found = measured(burst(asker))
    asker.close()
    assert len(found) == 3
    for one in found:
        # chronyd states its own stamps to 2^precision, here 2⁻²⁵ s or so
        assert abs(offset_s(one)) <= one.bound_s() + 2.0**one.packet.precision + 1e-7
        assert one.bound_s() < CROWDED_S
        assert not one.interleaved


def test_stamps_are_the_kernels_on_both_ends(chronyd: ChronyServer) -> None:
    """The kernel begins to stamp arrivals a moment after it is first asked to."""
    asker = Asker("127.0.0.1", chronyd.port, Manner(poll_ns=20 * MS))
    deadline = time.monotonic() + 20
    while min(asker.kernel_stamps[1:]) < 3:
        assert time.monotonic() < deadline, asker.kernel_stamps
        asker.step(hostclocks.raw_ns() + 100 * MS)
    asker.close()


def test_interleaved_mode_is_chronyds_too(chronyd: ChronyServer) -> None:
    asker = Asker("127.0.0.1", chronyd.port, dataclasses.replace(BURST, interleaved=True))
    found = measured(burst(asker))
    asker.close()
    # chronyd keeps its stamps once it has seen a client ask for them, so its second reply is still basic
    assert [one.interleaved for one in found] == [False, False, True, True]
    for one in found:
        assert abs(offset_s(one)) <= one.bound_s() + 2.0**one.packet.precision + 1e-7
    assert asker.association.counts == {Reason.MEASURED: 4}


@pytest.mark.parametrize("number", [7, 9])
def test_symmetric_keys_are_chronyds(chronyd: ChronyServer, number: int) -> None:
    key = parse_keys(chronyd.keys.read_text())[number]
    asker = Asker("127.0.0.1", chronyd.port, BURST, MACAuthentication(key))
    assert len(measured(burst(asker))) == 3
    asker.close()


def test_a_key_that_chronyd_does_not_have_gives_no_time(chronyd: ChronyServer) -> None:
    key = SymmetricKey(7, "AES128", bytes(16))
    asker = Asker("127.0.0.1", chronyd.port, Manner(timeout_ns=100 * MS), MACAuthentication(key))
    assert not measured(burst(asker))
    asker.close()


@pytest.mark.parametrize("interleaved", [False, True])
def test_nts_keeps_eight_cookies(chronyd: ChronyServer, interleaved: bool) -> None:
    keys = exchange_for("localhost", chronyd.exchange, str(chronyd.authority.ca))
    assert (keys.port, keys.authentication.cookies) == (chronyd.port, 8)
    manner = dataclasses.replace(BURST, interleaved=interleaved)
    asker = Asker("127.0.0.1", keys.port, manner, keys.authentication)
    found = measured(burst(asker))
    asker.close()
    assert len(found) == 3 + interleaved
    assert found[-1].interleaved == interleaved
    assert keys.authentication.cookies == 8
    assert keys.authentication.cookie_bytes == 100


def test_placeholders_refill_what_was_lost(chronyd: ChronyServer) -> None:
    keys = exchange_for("localhost", chronyd.exchange, str(chronyd.authority.ca))
    for _ in range(5):
        keys.authentication.seal(bytes(48))  # five requests that nobody answered
    assert keys.authentication.cookies == 3
    asker = Asker("127.0.0.1", keys.port, Manner(), keys.authentication)
    assert len(measured(burst(asker))) == 1
    asker.close()
    assert keys.authentication.cookies == 8


def test_a_nak_asks_for_keys_and_never_for_less(chronyd: ChronyServer) -> None:
    """Cookies that chronyd cannot open: it says so, and the association stops asking until it has others."""
    keys = exchange_for("localhost", chronyd.exchange, str(chronyd.authority.ca))
    session = keys.authentication.session
    foreign = NTSAuthentication(session, [bytes(100)], secrets.token_bytes)
    asker = Asker("127.0.0.1", keys.port, Manner(timeout_ns=200 * MS), foreign)
    events = burst(asker)
    assert [event.reason for event in events if isinstance(event, Discarded)] == [Reason.NAK]
    assert isinstance(events[-1], KeysNeeded)
    assert asker.association.state is State.KEYLESS
    assert asker.association.to_send(hostclocks.raw_ns() + 10**12) is None
    asker.association.rekey(keys.authentication, hostclocks.raw_ns())
    assert len(measured(burst(asker))) == 1
    asker.close()


def test_an_authority_that_is_not_trusted_gives_no_keys(chronyd: ChronyServer) -> None:
    with pytest.raises(KeysUnavailable, match="no keys"):
        exchange_for("localhost", chronyd.exchange, "")


# As an instrument


class Laboratory:
    """The host's counter with an anchor, as a host instrument would have it; the host's clock is the output."""

    def __init__(self) -> None:
        raw_ns, tai_ns = realtime_tai_ns(LEAPS)
        self.anchor_ns = tai_ns - raw_ns

    def source(self, ahead_ns: int = 0, **settings: object) -> NTPSource:
        """A source whose station is ahead of the host's clock."""
        instrument = NTPInstrument(clock="SERVER", **settings)  # type: ignore[arg-type]
        anchor = self.anchor_ns + ahead_ns
        return NTPSource(instrument, LEAPS, anchor, lambda raw_ns: raw_ns + anchor)


def read_until(source: NTPSource, enough: Callable[[list[Sample]], bool], patience_s: float = 15.0) -> list[Sample]:
    """Read a source as the collector does."""
    found: list[Sample] = []
    deadline = time.monotonic() + patience_s
    source.open()
    while not enough(found):
        assert time.monotonic() < deadline, (source.why, source.faults.latest)
        found += source.read(hostclocks.raw_ns() + 100 * MS)
    source.close()
    return found


@pytest.mark.parametrize("nts", [False, True])
def test_a_server_gives_readings_with_noise_and_a_bound(chronyd: ChronyServer, nts: bool) -> None:
    port, ca = (chronyd.exchange, str(chronyd.authority.ca)) if nts else (chronyd.port, "")
    source = Laboratory().source(server=f"localhost:{port}", nts=nts, ca=ca, poll_s=0.25, burst=2)
    found = read_until(source, lambda samples: len(samples) >= 2)
    assert source.why == ""
    for sample in found:
        assert (sample.a, sample.b) == ("SERVER", "HOST")
        assert sample.u_fs is not None
        assert sample.u_fs > 0
        assert sample.bound_fs is not None
        assert 0 < sample.bound_fs < CROWDED_S * 1e15
        # REALTIME may be slewed against RAW between anchor and reading: 500 ppm of these seconds
        assert abs(sample.x_fs) <= sample.bound_fs + 6 * sample.u_fs + 2e-2 * 1e15
    assert found[0].epoch < found[1].epoch


def test_a_source_exchanges_keys_anew_when_its_cookies_are_not_known(chronyd: ChronyServer) -> None:
    """As after a server that lost its keys: a NAK, an exchange, and readings go on; never without NTS."""
    ca = str(chronyd.authority.ca)
    source = Laboratory().source(server=f"localhost:{chronyd.exchange}", nts=True, ca=ca, poll_s=0.25, burst=1)
    read_until(source, bool)
    asker = source._asker
    assert asker is not None
    held = asker.association.authentication
    assert isinstance(held, NTSAuthentication)
    asker.association.authentication = NTSAuthentication(held.session, [bytes(100)], secrets.token_bytes)
    assert read_until(source, lambda samples: len(samples) >= 2)
    assert any("keys are exchanged anew" in fault for fault in source.faults.latest)
    assert asker.association.authentication.verifies
    assert asker.association.counts[Reason.NAK] == 1


def test_a_stated_asymmetry_narrows_the_bound(chronyd: ChronyServer) -> None:
    source = Laboratory().source(server=f"localhost:{chronyd.port}", poll_s=0.25, burst=1, asymmetry_s=1e-9)
    sample = read_until(source, bool)[0]
    assert sample.bound_fs is not None
    assert sample.bound_fs <= 0.5e-9 * 1e15 + 50e-6 * 1e15


def test_a_server_that_tells_another_second_is_false(chronyd: ChronyServer) -> None:
    source = Laboratory().source(7_000_000_000, server=f"localhost:{chronyd.port}", poll_s=0.25, burst=1)
    with pytest.raises(AssertionError, match=r"false: it tells a time -7\.\d+ s from the station's"):
        read_until(source, bool, 1.0)


def test_a_silent_server_and_one_with_a_wrong_certificate_say_why(chronyd: ChronyServer) -> None:
    nobody = free_port()
    source = Laboratory().source(server=f"127.0.0.1:{nobody}", poll_s=0.25, burst=1, interleaved=False)
    with pytest.raises(AssertionError, match="no reading: no answer: Connection refused"):
        read_until(source, bool, 1.0)
    source = Laboratory().source(server=f"localhost:{chronyd.exchange}", nts=True, poll_s=0.25)
    with pytest.raises(AssertionError, match="no keys"):
        read_until(source, bool, 1.0)
    with pytest.raises(InstrumentUnavailableError, match="there is no file"):
        Laboratory().source(server="localhost:1", nts=True, ca="/nowhere.pem").open()


def test_nts_tells_the_time_of_day(chronyd: ChronyServer, tmp_path: Path) -> None:
    address = f"localhost:{chronyd.exchange}"
    config = parse_config(
        f'[time_of_day]\nsources = ["realtime", "nts:{address}"]\n'
        '[[instrument]]\nkind = "simulated"\n[[instrument]]\nkind = "host"\n'
        f'[[instrument]]\nkind = "ntp"\nserver = "{address}"\nclock = "N1"\nnts = true\nca = "{chronyd.authority.ca}"\n'
    )
    source = timeofday.sources_of(config, tmp_path)[1]
    told, (raw_ns, tai_ns) = source.ask(LEAPS), realtime_tai_ns(LEAPS)
    assert abs(told.at(raw_ns) - tai_ns) <= told.u_s * 1e9 < 0.2e9
    plain = parse_config(f'[time_of_day]\nsources = ["realtime", "nts:{address}"]')
    with pytest.raises(timeofday.SourceSilent, match="no keys"):
        timeofday.sources_of(plain, tmp_path)[1].ask(LEAPS)


# By hand


def query(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(timeball, ["query", "--interval", "0.02", *arguments], standalone_mode=False)
    assert done.exception is None, done.exception
    return int(done.return_value), done.stdout


def test_query_says_the_verdict_first(chronyd: ChronyServer, tmp_path: Path) -> None:
    code, text = query("--interleaved", "--limit", "0.05", "--plot", f"{tmp_path}/p.svg", f"127.0.0.1:{chronyd.port}")
    assert code == 0
    assert f"127.0.0.1:{chronyd.port} (127.0.0.1 port {chronyd.port}): within 50 ms: " in text.splitlines()[0]
    assert "best of 5, interleaved, " in text
    assert "stratum 1, refid 127.127.1.1, version 4, no leap second announced" in text
    assert "server − this host" in (tmp_path / "p.svg").read_text() or (tmp_path / "p.svg").stat().st_size > 1000


def test_query_over_nts_tells_algorithm_and_cookies(chronyd: ChronyServer) -> None:
    ca = str(chronyd.authority.ca)
    code, text = query("--nts", "--ca", ca, "--count", "2", f"localhost:{chronyd.exchange}")
    assert code == 0
    assert "AES-SIV-CMAC-256 (15), 8 cookies of 100 bytes left" in text
    code, text = query("--nts", "--ca", ca, "--count", "2", "--json", f"localhost:{chronyd.exchange}")
    document = json.loads(text)
    assert (document["nts"]["aead"], document["nts"]["ntp_port"]) == (15, chronyd.port)
    assert document["exit_code"] == code == 0
    assert abs(document["offset_s"]) <= document["bound_s"] + 1e-6
    assert len(document["measurements"]) == 2


def test_query_exit_codes_of_several(chronyd: ChronyServer) -> None:
    here, nobody = f"127.0.0.1:{chronyd.port}", f"127.0.0.1:{free_port()}"
    code, text = query("--timeout", "0.1", "--count", "1", here, nobody)
    assert code == 2
    assert f"{nobody} (127.0.0.1 port {nobody[10:]}): no time: does not answer: Connection refused" in text
    code, text = query("--count", "1", "--limit", "1e-12", here)
    assert code == 3
    assert "out of limits" in text.splitlines()[0]


def test_query_with_a_symmetric_key(chronyd: ChronyServer) -> None:
    code, _ = query("--count", "1", "--keys", str(chronyd.keys), "--key", "9", f"127.0.0.1:{chronyd.port}")
    assert code == 0
    with pytest.raises(AssertionError, match="there is no key 8"):
        query("--keys", str(chronyd.keys), "--key", "8", "127.0.0.1")


def test_a_silent_server_is_missed_and_asked_on() -> None:
    asker = Asker("127.0.0.1", free_port(), Manner(burst=2, spacing_ns=10 * MS, timeout_ns=50 * MS))
    events = burst(asker)
    asker.close()
    assert [event.in_a_row for event in events if isinstance(event, Missed)] == [1, 2]
    assert asker.trouble == "Connection refused"
