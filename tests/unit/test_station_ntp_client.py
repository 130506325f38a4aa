"""Other servers inside the station: what hangs on the host, bounds in batches, rules of the settings, kernel stamps."""

from __future__ import annotations

import dataclasses
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.ledger.errors import BatchError
from timeball.protocols.ntp.measurement import Measurement
from timeball.protocols.ntp.packet import Packet, build_packet, parse_packet
from timeball.station.configuration.config import ConfigError, parse_config
from timeball.station.configuration.following import NTPInstrument
from timeball.station.fold.batches import parse_batch, read_plain
from timeball.station.fold.parameters import clocks_of
from timeball.station.fold.rules import config_payload, rules_from_payload, rules_of
from timeball.station.fold.tables import table_of
from timeball.station.hosttime import hostclocks, kernelstamps
from timeball.station.hosttime.hostclocks import Bracket
from timeball.station.hosttime.kernelstamps import StampedSocket
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.hosttime.realtime import realtime_tai_ns
from timeball.station.instruments.base import Sample
from timeball.station.instruments.collecting import Gridder, batch_of, held
from timeball.station.instruments.ntpasking import split_address
from timeball.station.instruments.ntpsource import NTPSource

S = 10**9
HUNG = {("N1", "HOST"), ("N2", "HOST"), ("HOST", "OUT")}
SERVERS = """
[[instrument]]
kind = "simulated"
[[instrument]]
kind = "host"
[[instrument]]
kind = "ntp"
server = "time.example:123"
clock = "N1"
"""


def of(a: str, b: str, epoch: int = S, bound_fs: int | None = None) -> Sample:
    return Sample(epoch, a, b, 7, 3, bound_fs)


# Readings that hang on the host's counter


def test_servers_are_held_by_the_counter_the_output_and_the_clocks() -> None:
    whole = [of("C1", "C2"), of("OUT", "C1"), of("HOST", "OUT"), of("N1", "HOST"), of("N2", "HOST")]
    assert set(held(whole, HUNG)) == set(whole)


@pytest.mark.parametrize("missing", [("HOST", "OUT"), ("OUT", "C1")])
def test_many_servers_alone_are_not_taken_for_the_laboratory(missing: tuple[str, str]) -> None:
    """The ensemble keeps the largest connected part of an epoch: it must be the clocks."""
    whole = [of("C1", "C2"), of("OUT", "C1"), of("HOST", "OUT"), of("N1", "HOST"), of("N2", "HOST")]
    some = [one for one in whole if (one.a, one.b) != missing]
    kept = held(some, HUNG)
    assert {(one.a, one.b) for one in kept} <= {("C1", "C2"), ("OUT", "C1")}
    table = table_of(batch_of(kept, "comparison"))
    assert not np.isnan(table.x[0, [table.clocks.index(name) for name in ("C1", "C2")]]).any()


def test_what_would_happen_otherwise() -> None:
    """Seven servers and a counter outnumber two clocks: these would be no part of the epoch."""
    alone = [of("C1", "C2"), of("HOST", "OUT"), *(of(f"N{number}", "HOST") for number in range(7))]
    table = table_of(batch_of(alone, "comparison"))
    assert np.isnan(table.x[0, table.clocks.index("C1")])


def test_each_epoch_is_judged_alone() -> None:
    first = [of("OUT", "C1"), of("HOST", "OUT"), of("N1", "HOST")]
    second = [of("OUT", "C1", 2 * S), of("N1", "HOST", 2 * S)]
    assert held([*first, *second], HUNG) == [*first, second[0]]


# Bounds


def test_a_bound_stands_in_the_batch_once_a_pair_and_comes_back() -> None:
    batch = batch_of([of("C1", "C2"), of("N1", "HOST", S, 5), of("N1", "HOST", 2 * S, 9)], "comparison")
    assert batch["pairs"] == [["C1", "C2"], ["N1", "HOST"]]
    assert batch["bound_fs"] == [None, "9"]
    data = canonical.encode(batch)
    assert read_plain(data) == parse_batch(batch)
    assert "bound_fs" not in batch_of([of("C1", "C2")], "comparison")
    with pytest.raises(BatchError, match="one bound_fs a pair"):
        parse_batch({**batch, "bound_fs": ["1"]})


@given(st.none() | st.integers(0, 10**15), st.none() | st.integers(0, 10**15))
def test_between_two_readings_the_wider_bound_holds(before: int | None, after: int | None) -> None:
    gridder = Gridder(10 * S)
    gridder.add([of("N1", "HOST", 9 * S, before), of("N1", "HOST", 11 * S, after)], 2**63)
    (sample,) = gridder.take()
    known = [bound for bound in (before, after) if bound is not None]
    assert sample.bound_fs == (max(known) if known else None)


# Rules and settings


def test_a_server_is_a_clock_without_weight_unless_it_is_named() -> None:
    implied = parse_config(SERVERS)
    rules = rules_of(implied)
    assert "N1" in rules.measured
    assert "N1" in rules.at1.zero_weight
    assert rules_from_payload(config_payload(implied)).measured == rules.measured
    clocks = '[[clock]]\nname = "N1"\nkind = "ocxo"\n[[clock]]\nname = "A"\nkind = "ocxo"\n'
    named = parse_config(SERVERS + clocks + '[ensemble]\ncap = 0.6\n[output]\nsource = "A"\n')
    assert "N1" not in rules_of(named).at1.zero_weight
    assert [clock.name for clock in clocks_of(named)] == ["N1", "A"]
    assert "N1" not in rules_of(parse_config("")).measured


@pytest.mark.parametrize(
    ("change", "key", "why"),
    [
        ('host = "H"', "host", "not the clock of an"),
        ('clock = "HOST"', "clock", "is the name of the output, of UTC, the host or another server"),
        ('server = "time.example:0"', "server", "no port between"),
        ('ca = "/x.pem"', "ca", "write nts = true"),
        ("poll_s = 61", "poll_s", "must not exceed ensemble.interval_s"),
    ],
)
def test_settings_of_a_server_that_cannot_be(change: str, key: str, why: str) -> None:
    name = change.split(" ", maxsplit=1)[0]
    lines = [line for line in SERVERS.splitlines() if not line.startswith(name)]
    with pytest.raises(ConfigError, match=why) as refused:
        parse_config("\n".join([*lines, change]))
    assert key in str(refused.value)


def test_two_servers_of_one_name_and_a_station_without_a_host_counter() -> None:
    second = '[[instrument]]\nkind = "ntp"\nserver = "other.example:123"\nclock = "N1"\n'
    with pytest.raises(ConfigError, match="another server"):
        parse_config(SERVERS + second)
    with pytest.raises(ConfigError, match="not the clock of an"):
        parse_config(second)


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        ('["a.example:1", "b.example:1"]', "at least three"),
        ('["a.example:1", "b.example:1", "a.example:1"]', "two voices"),
        ('["a.example:1", "b.example:1", "c.example:0"]', "no port"),
    ],
)
def test_pools_that_cannot_be(servers: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse_config(f"[khronos]\nservers = {servers}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("time.example", ("time.example", 123)),
        ("time.example:99", ("time.example", 99)),
        ("192.0.2.1:11123", ("192.0.2.1", 11123)),
        ("[2001:db8::1]:99", ("2001:db8::1", 99)),
        ("[2001:db8::1]", ("2001:db8::1", 123)),
        ("2001:db8::1", ("2001:db8::1", 123)),
    ],
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert split_address(text, 123) == found


@pytest.mark.parametrize("text", ["", ":1", "a:0", "a:65536", "a:b", "a:-1", "a:１"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="is no host:port"):
        split_address(text)


# Stamps of the kernel


@pytest.fixture
def pair() -> Iterator[tuple[StampedSocket, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        client = StampedSocket(socket.AF_INET, server.getsockname())
        yield client, server
        client.close()


def soon() -> int:
    return hostclocks.raw_ns() + 5 * S


def test_both_stamps_are_the_kernels_and_lie_where_they_must(pair: tuple[StampedSocket, socket.socket]) -> None:
    """The kernel begins to stamp arrivals a moment after it is first asked to; until then RAW is read."""
    client, server = pair
    by_kernel = False
    for _ in range(50):
        before = hostclocks.raw_ns()
        client.send(b"asked")
        data, where = server.recvfrom(10)
        between = hostclocks.raw_ns()
        server.sendto(data + b" again", where)
        came = client.receive(soon())
        assert came is not None
        assert came.data == b"asked again"
        slack = came.width_ns + 2000
        assert before - slack <= came.sent_raw_ns <= between + slack
        assert between - slack <= came.received_raw_ns <= hostclocks.raw_ns() + slack
        by_kernel = came.kernel_sent and came.kernel_received
        if by_kernel:
            break
    assert by_kernel


def test_a_host_clock_that_is_stepped_meanwhile_loses_the_kernels_stamps(
    pair: tuple[StampedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stepped by a year between question and answer: RAW is taken, and the delay is right."""
    client, server = pair
    before = hostclocks.raw_ns()
    client.send(b"asked")
    server.sendto(b"answered", server.recvfrom(10)[1])
    real = hostclocks.realtime_ns
    monkeypatch.setattr(hostclocks, "realtime_ns", lambda: real() + 365 * 86_400 * S)
    came = client.receive(soon())
    assert came is not None
    assert (came.kernel_sent, came.kernel_received) == (False, False)
    assert before <= came.sent_raw_ns <= came.received_raw_ns <= hostclocks.raw_ns()


@pytest.mark.parametrize("far_ns", [-S, S])
def test_a_stamp_that_cannot_be_is_replaced(
    pair: tuple[StampedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch, far_ns: int
) -> None:
    client, server = pair
    client.send(b"asked")
    server.sendto(b"answered", server.recvfrom(10)[1])
    real = kernelstamps._stamp
    monkeypatch.setattr(kernelstamps, "_stamp", lambda control: (found := real(control)) and found + far_ns)
    came = client.receive(soon())
    assert came is not None
    assert (came.kernel_sent, came.kernel_received) == (False, False)


def test_control_messages_that_hold_no_stamp() -> None:
    level, kind = socket.SOL_SOCKET, kernelstamps.SO_TIMESTAMPING
    whole = struct.pack("@qq", 5, 7)
    assert kernelstamps._stamp([(level, kind, whole + bytes(32))]) == 5 * S + 7
    for messages in ([], [(level, kind, whole[:8])], [(level, kind, bytes(48))], [(level, kind + 1, whole)]):
        assert kernelstamps._stamp(messages) is None


def test_slewing_is_no_step() -> None:
    first = Bracket(0, 10**18, 40)
    assert not kernelstamps._moved(first, Bracket(S, 10**18 + S + 500_000, S + 40))
    assert kernelstamps._moved(first, Bracket(S, 10**18 + S + 1_100_000, S + 40))
    assert kernelstamps._moved(first, Bracket(1000, 10**18 + 6000, 1040))


def test_nobody_at_the_other_end_is_told_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        where = probe.getsockname()
    client = StampedSocket(socket.AF_INET, where)
    client.send(b"asked")
    with pytest.raises(OSError, match="refused"):
        client.receive(soon())
    client.close()


# A source and what it makes of a server that behaves badly

LEAPS = load_leap_table()
LEAP_2017_NS = 1_483_228_837 * S
HOUR = 3600 * S


def source(address: str = "127.0.0.1:1", **settings: object) -> NTPSource:
    told = NTPInstrument(server=address, clock="N1", poll_s=0.25, burst=1, interleaved=False, **settings)  # type: ignore[arg-type]
    raw_ns, tai_ns = realtime_tai_ns(LEAPS)
    return NTPSource(told, LEAPS, tai_ns - raw_ns, lambda raw: raw + tai_ns - raw_ns)


@contextmanager
def answering(**fields: int) -> Iterator[tuple[str, list[bytes]]]:
    """A UDP server that answers with these fields and counts what comes; gives its address."""
    came: list[bytes] = []
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(0.05)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                data, where = sock.recvfrom(2000)
                came.append(data)
                now = utc_stamp(hostclocks.realtime_ns())
                plain = Packet(0, 4, 4, 1, 0, -25, 0, 1, 0, now, parse_packet(data).transmit, now, now + 1)
                sock.sendto(build_packet(dataclasses.replace(plain, **fields)), where)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{sock.getsockname()[1]}", came
    finally:
        stop.set()
        thread.join()
        sock.close()


def utc_stamp(utc_ns: int) -> int:
    return ((utc_ns + 2_208_988_800 * S) << 32) // S


def read_for(one: NTPSource, seconds: float, until: str = "never") -> list[Sample]:
    """What it reads within some time, no longer than until `why` holds these words."""
    found: list[Sample] = []
    end = hostclocks.raw_ns() + round(seconds * S)
    while hostclocks.raw_ns() < end and until not in one.why:
        found += one.read(min(end, hostclocks.raw_ns() + S // 20))
    return found


def test_a_good_server_is_read_and_a_smearing_one_is_not() -> None:
    with answering() as (address, _):
        one = source(address)
        assert read_for(one, 0.3)
        assert one.why == ""
        one.close()
    with answering(refid=0xFE000001) as (address, _):
        one = source(address)
        assert read_for(one, 5.0, "smears a leap second") == []
        one.close()
        assert "smears a leap second" in one.faults.take()[-1]


def test_a_server_that_says_deny_is_not_asked_again_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(stratum=0, refid=int.from_bytes(b"DENY")) as (address, came):
        one = source(address)
        assert read_for(one, 5.0, "refuses us (DENY)") == []
        assert read_for(one, 0.6) == []
        assert len(came) == 1
        real = hostclocks.raw_ns
        monkeypatch.setattr(hostclocks, "raw_ns", lambda: real() + HOUR)
        one.read(hostclocks.raw_ns() + S // 20)
        one.read(hostclocks.raw_ns() + S // 20)
        assert len(came) == 2
        one.close()


def test_a_server_that_says_rate_is_asked_half_as_often() -> None:
    with answering(stratum=0, refid=int.from_bytes(b"RATE")) as (address, came):
        one = source(address)
        assert read_for(one, 5.0, "now every 0.5 s") == []
        assert read_for(one, 5.0, "now every 1 s") == []
        assert len(came) == 2
        one.close()


@pytest.mark.parametrize("away_ns", [-S, 0, S])
def test_at_a_leap_second_nothing_is_read(away_ns: int) -> None:
    one = source()
    one._epoch_of = lambda _raw: LEAP_2017_NS + away_ns
    assert one._sample(measurement(), 1e-6) is None
    assert "at a leap second" in one.why


def test_a_reading_is_server_minus_host_to_the_half_nanosecond() -> None:
    one = source(asymmetry_s=4e-6)
    one._anchor_ns, one._epoch_of = 1000, lambda _raw: LEAP_2017_NS + HOUR
    sample = one._sample(measurement(), 2e-6)
    assert sample is not None
    # server's TAI at the middle − (RAW at the middle + anchor)
    server = LEAP_2017_NS + HOUR + (50 + 53) / 2
    assert sample.x_fs == (2 * (LEAP_2017_NS + HOUR) + 50 + 53 - (0 + 10_001) - 2 * 1000) * 500_000
    assert sample.x_fs / 1e6 == pytest.approx(server - 5000.5 - 1000)
    assert (sample.u_fs, sample.bound_fs) == (2_000_000_000, 2_000_000_000)
    assert (sample.a, sample.b, sample.epoch) == ("N1", "HOST", LEAP_2017_NS + HOUR)


def measurement() -> Measurement:
    """An exchange an hour after the leap second of 2017, as UTC counts."""
    utc = LEAP_2017_NS + HOUR - 37 * S
    return Measurement(0, utc + 50, utc + 53, 10_001, 0, False, Packet(0, 4, 4, 1, 0, -25, 0, 0, 0, 0, 0, 0, 0))
