"""Reports of chronyd 4.3 as they came over its socket, beside what its own chronyc printed within the same second.

A chronyd with a SOCK reference clock fed +12.5 µs, which it moved itself by (-x), and an NTP server that shares the
host's clock: so the reference clock stands at 0 and the server 11.7 µs behind. The reports whose numbers go on between
two commands are compared as far as they do not.
"""

from __future__ import annotations

import pytest

from timeball.protocols.chrony import more, reports
from timeball.protocols.chrony.candm import Fields, Reply
from timeball.protocols.chrony.errors import LayoutError
from timeball.protocols.chrony.printed import parse_csv

TRACKING = (
    "5554436b000000000000000000000000000000000000000000010000000000006b0405d5247c9013e2d1b717b17314a4e089b71edaabed3cd1"
    "4142d9dcfbf6cfc889705fdafeeda90080227c"
)
CLOCK = "5554436b00000000000000000000000000010000fffe000000000002000000ff00000000b370dd64b15be68fd0fd6730"
SERVER = "7f00000100000000000000000000000000010000fffe000100020000000000ff00000000e2c50c64e2c50c64dca9d4f7"
CLOCK_STATS = (
    "5554436b0000000000000000000000000000000000000000000000080000000300000002c889705fd14142d9dce3d670a5623e25d0fd694d"
)
SERVER_STATS = (
    "7f0000017f000001000000000000000000000000000100000000000c0000000800000002d6e38d1eff7bac4200e18f67e2c437b7dcd72054"
)
NTP_DATA = (
    "7f000001000000000000000000000000000100007f000001000000000000000000000000000100002edd00040401fee700000000000000007f"
    "7f0101000000006b0405d21637f1fee33af39cdea1ef06d2fcbe25e89359a00000000043ff4b4b0000000d0000000d0000000d0000000cffff"
    "ffffffffffffffffffff"
)
AUTH_DATA = "000000000000000000000000ffffffff0000000000000000"
COUNTS = "0000000000000000000000080000000000000000000000000000000000000000000000000000000000000000"

PRINTED = {
    "ntpdata": (
        "127.0.0.1,7F000001,11997,127.0.0.1,7F000001,Normal,4,Server,1,-2,0,-25,0.000000030,0.000000,0.000000,7F7F0101,,"
        "1795425746.372765182,-0.000011745,0.000002413,0.000000059,0.000070262,0.00,111,111,1111,Yes,No,Kernel,Kernel,"
        "13,13,13,12"
    ),
    "authdata": "127.0.0.1,-,0,0,0,4294967295,0,0,0,0",
    "serverstats": "0,0,19,0,0,0,0,0,0,0,0",
}


def reply(layout: int, words: str) -> Reply:
    return Reply(layout, bytes.fromhex(words))


def test_tracking() -> None:
    told = reports.parse_tracking(reply(5, TRACKING))
    # 5554436B,UTCk,1,1795425749.612143123,0.000012500,-0.000000000,0.000004104,0.000,-0.000,0.000,0.000000001,...
    assert (told.refid, told.address, told.stratum, told.leap) == ("UTCk", "", 1, 0)
    assert told.reference_ns == 1795425749_612143123
    assert f"{-told.system_minus_ntp_s:.9f}" == "0.000012500"
    assert f"{told.rms_offset_s:.9f}" == "0.000004104"
    assert f"{told.root_delay_s:.9f}" == "0.000000001"
    assert round(told.update_interval_s, 1) == 0.3


def test_sources() -> None:
    clock, server = reports.parse_source(reply(3, CLOCK)), reports.parse_source(reply(3, SERVER))
    # #,*,UTCk,0,-2,377,0,-0.000000000,-0.000000000,0.000000030 and ^,x,127.0.0.1,1,-2,377,0,0.000011745,...,0.000001265
    assert (clock.mode, clock.state, clock.name, clock.stratum) == ("reference clock", "selected", "UTCk", 0)
    assert (clock.poll, clock.reach, clock.last_sample_s, clock.key) == (-2, 0o377, 0, b"")
    assert f"{clock.error_s:.9f}" == "0.000000030"
    assert (server.mode, server.state, server.name, server.stratum) == ("server", "falseticker", "127.0.0.1", 1)
    assert (f"{server.measured_s:.9f}", f"{server.adjusted_s:.9f}") == ("0.000011745", "0.000011745")
    assert f"{server.error_s:.9f}" == "0.000001265"
    assert server.key == bytes.fromhex(SERVER)[:20]


def test_source_stats() -> None:
    clock = reports.parse_source_stats(reply(6, CLOCK_STATS))
    server = reports.parse_source_stats(reply(6, SERVER_STATS))
    assert (clock.name, clock.samples, clock.runs, clock.span_s) == ("UTCk", 8, 3, 2)
    # 127.0.0.1,12,8,2,-0.129,0.441,0.000011692,0.000000212
    assert (server.name, server.samples, server.runs, server.span_s) == ("127.0.0.1", 12, 8, 2)
    assert (f"{server.residual_frequency * 1e6:.3f}", f"{server.skew * 1e6:.3f}") == ("-0.129", "0.441")
    assert f"{server.deviation_s:.9f}" == "0.000000212"
    assert server.offset_s == pytest.approx(0.000011692, abs=1e-8)  # it goes on with the residual frequency


def test_activity_and_count() -> None:
    told = reports.parse_activity(reply(12, "0000000100000000000000000000000000000000"))
    assert told == reports.Activity(1, 0, 0, 0, 0)
    assert reports.parse_source_count(reply(2, "00000002")) == 2


def test_ntp_data_of_an_interleaved_source() -> None:
    told = more.parse_ntp_data(reply(16, NTP_DATA))
    (printed,) = parse_csv("ntpdata", PRINTED["ntpdata"])
    for name, value in more.as_document(told).items():
        if isinstance(value, float):
            assert f"{value:.9f}" == f"{printed[name]:.9f}", name
        elif isinstance(value, bool | int) and name != "leap":
            assert value == printed[name], name
    assert (told.address, told.tx_stamped_by, told.rx_stamped_by) == ("127.0.0.1", "kernel", "kernel")
    assert (printed["interleaved"], printed["authenticated"]) == (True, False)


def test_ntp_data_of_an_older_chronyd_that_does_not_count_good_replies() -> None:
    older = bytes.fromhex(NTP_DATA)[:-16] + b"\xff" * 16
    assert more.parse_ntp_data(Reply(16, older)).good is None


def test_auth_data() -> None:
    assert more.parse_auth_data(reply(20, AUTH_DATA)) == more.AuthData("none", 0, 0, 0, None, 0, 0, 0, 0)
    # localhost,NTS,1,15,256,11,0,0,8,100 as chronyc prints it; here packed by candm.h
    nts = more.parse_auth_data(reply(20, "0002000f00000001010000000000000b0008006400000000"))
    assert nts == more.AuthData("NTS", 1, 15, 256, 11, 0, 0, 8, 100)
    (printed,) = parse_csv("authdata", "localhost,NTS,1,15,256,11,0,0,8,100")
    assert {name: printed[name] for name in more.as_document(nts)} == more.as_document(nts)


def test_server_stats_of_each_layout() -> None:
    assert more.parse_server_stats(reply(24, COUNTS))["command_hits"] == 8
    (printed,) = parse_csv("serverstats", PRINTED["serverstats"])
    assert printed == dict.fromkeys(printed, 0) | {"command_hits": 19}
    assert printed.keys() == more.parse_server_stats(reply(24, COUNTS)).keys()
    wide = b"".join(n.to_bytes(8) for n in range(21))  # chrony 4.4 and later: 64 bits, four in reserve
    told = more.parse_server_stats(Reply(25, wide))
    assert (told["ntp_hits"], told["hardware_tx_stamps"], len(told)) == (0, 16, 17)
    with pytest.raises(LayoutError, match="layout 99"):
        more.parse_server_stats(Reply(99, wide))


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("00000000", 0.0),
        ("e2d1b717", 1.249999968422344e-05),  # fed as 12.5e-6: 25 bits of coefficient
        ("e32e48e9", -1.249999968422344e-05),
        ("02800000", 0.5),
        ("7fffffff", -(2.0**-25) * 2.0**63),
        ("7effffff", (2**24 - 1) * 2.0 ** (63 - 25)),
        ("81000000", -(2.0**24) * 2.0 ** (-64 - 25)),
    ],
)
def test_floating_point_of_the_protocol(word: str, value: float) -> None:
    assert Fields(bytes.fromhex(word)).number() == pytest.approx(value, rel=1e-12)


def test_times_of_32_bits() -> None:
    assert Fields(bytes.fromhex("7fffffff0000000a00000005")).instant_ns() == 10_000_000_005
    assert Fields(bytes.fromhex("000000010000000a00000005")).instant_ns() == (2**32 + 10) * 10**9 + 5
