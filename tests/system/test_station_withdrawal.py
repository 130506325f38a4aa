"""One server that speaks all it can, near a leap second: announced on one address and smeared on the other, and once a
lease has ended the next reply of every protocol claims nothing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nts_packets import Client, new_key
from pageserver import S, Server, Station, ask, free_port

from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp import version5
from timeball.protocols.ntp.mac import SymmetricKey, seal_mac, verify_mac
from timeball.protocols.ntp.smear import refid_ahead_s
from timeball.protocols.nts.client import open_reply
from timeball.protocols.nts.keyring import KeyRing
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns
from timeball.station.nts.keyfile import KeySet, Moment, StoredKey, keys_file, write_keys

pytestmark = pytest.mark.system

PLAIN = b"\x23" + bytes(47)
VERSION5 = b"\x2b" + bytes(47) + version5.build_field(version5.Field.DRAFT, version5.DRAFT)
MAC_KEY = SymmetricKey(7, "AES128", bytes(range(16)))
NTS_KEY = new_key(1)
ENDED = [(-1.0, 60.0), (60.0, -1.0)]


@dataclasses.dataclass
class Asked:
    """A running server, its clock page, and its two ports: one counts UTC, the other smears."""

    station: Station
    port: int
    smeared: int
    nts: Client

    def plain(self, port: int, request: bytes = PLAIN) -> ntp.Packet:
        reply = ask(port, request)
        assert reply is not None
        return ntp.parse_packet(reply)

    def over_nts(self) -> ntp.Packet:
        """What an authentic reply says."""
        reply = ask(self.port, self.nts.request(2))
        assert reply is not None
        return ntp.parse_packet(open_reply(self.nts.session, self.nts.unique_id, reply).packet)

    def signed(self) -> ntp.Packet:
        """What a reply with a good MAC says."""
        reply = ask(self.port, seal_mac(MAC_KEY, PLAIN))
        assert reply is not None
        verify_mac({7: MAC_KEY}, reply[:48], reply[48:])
        return ntp.parse_packet(reply)

    def version5(self) -> version5.Header:
        reply = ask(self.port, VERSION5)
        assert reply is not None
        return version5.parse_message(reply).header


@pytest.fixture(params=["compiled", "arrays"])
def asked(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Asked]:
    station, port, smeared = Station(tmp_path), free_port(), free_port()
    # a minute before the leap second, which stands in the middle of its smear
    leap = {"leap_tai_ns": station.page.tai_ns + 60 * S, "leap_sign": 1}
    station.page = dataclasses.replace(station.page, **leap)
    station.lease(600, 600)
    keys = tmp_path / "ntp.keys"
    keys.write_text(f"7 AES128 HEX:{MAC_KEY.key.hex()}\n")
    now = Moment(time.time(), boottime_ns() / 1e9, str(boot_id().words[0]))
    write_keys(keys_file(tmp_path), KeySet(current=StoredKey(NTS_KEY.id, NTS_KEY.key.hex()), used=now))
    settings = {"smeared": [f"127.0.0.1:{smeared}"], "smear": "linear", "keys": str(keys), "version5": True}
    server = Server(tmp_path, [f"127.0.0.1:{port}"], loop=request.param, **settings)
    try:
        server.wait_until_up()
        yield Asked(station, port, smeared, Client(KeyRing(NTS_KEY)))
    finally:
        server.stop()


def test_a_leap_second_is_announced_or_smeared_and_withdrawn_time_claims_nothing(asked: Asked) -> None:
    announced, smeared = asked.plain(asked.port), asked.plain(asked.smeared)
    assert (announced.leap, announced.refid) == (1, asked.station.page.refid)
    assert (smeared.leap, smeared.stratum) == (0, announced.stratum), "nobody inserts what is smeared"
    ahead_s = (smeared.transmit - announced.transmit) / 2**32
    told_s = refid_ahead_s(smeared.refid)
    assert told_s == pytest.approx(-0.4993, abs=0.0005)
    assert ahead_s == pytest.approx(told_s, abs=0.2)
    for packet in (asked.over_nts(), asked.signed()):
        assert (packet.leap, packet.stratum) == (1, announced.stratum)
    assert asked.version5().flags & version5.Flags.SYNCHRONIZED
    for leases in ENDED:
        asked.station.lease(600, 600)
        origin = asked.plain(asked.port, named(asked.plain(asked.port).receive)).receive
        asked.station.lease(*leases)
        told = [asked.plain(asked.port), asked.plain(asked.smeared), asked.over_nts(), asked.signed()]
        told.append(asked.plain(asked.port, named(origin)))
        assert told[-1].origin == 777, "this one is in interleaved mode"
        assert {(packet.leap, packet.stratum, packet.refid) for packet in told} == {(3, 0, ntp.KISS_INIT)}
        header = asked.version5()
        assert not header.flags & version5.Flags.SYNCHRONIZED
        assert header.stratum == 0


def named(origin: int) -> bytes:
    """A request that names this origin, and so may be answered in interleaved mode."""
    return ntp.build_packet(ntp.Packet(0, 4, 3, 0, 0, 32, 0, 0, 0, 0, origin, 777, 778))
