"""The server without sockets, put on one, before clients that nobody here wrote: ntpstats and chronyd."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ntpstats import sntp

from clients import needs_root, program
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp import version5
from timeball.protocols.ntp.mac import parse_keys
from timeball.protocols.ntp.reasons import Reason
from timeball.protocols.ntp.server import Answer, Settings, respond
from timeball.protocols.ntp.smear import DEFAULT_LENGTH_NS, Shape
from timeball.protocols.ntp.view import TAI, Smear, View

TAI_MINUS_UTC_S = 37
KEYS = "5 AES128 HEX:000102030405060708090a0b0c0d0e0f\n6 AES256 HEX:" + "a5" * 32 + "\n"
AHEAD_S = 0.125


def tai_now() -> TAI:
    """The host's UTC, made into TAI and set ahead, so that a client must have read the stamps to find it."""
    return TAI(time.time_ns() + int((TAI_MINUS_UTC_S + AHEAD_S) * 1e9))


@dataclass
class Host:
    """A socket with the server behind it, and what its datagrams counted as."""

    settings: Settings
    smear: Smear | None = None
    in_sync: bool = True
    kept: dict[int, int] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port = int(self.socket.getsockname()[1])
        self.ended = False

    def transmit_of(self, receive: int) -> int | None:
        return self.kept.pop(receive, None)

    def view(self, receive: TAI) -> View:
        return View(
            True,
            self.in_sync,
            receive,
            tai_now(),
            receive,
            TAI_MINUS_UTC_S,
            0,
            0,
            1,
            0x54424C4C,
            -20,
            0.0,
            1e-4,
            self.smear,
        )

    def answer(self, data: bytes) -> Answer:
        answer = respond(data, self.view(tai_now()), self.settings, self)
        if answer.reply is not None and answer.reason in (Reason.BASIC, Reason.INTERLEAVED, Reason.MAC):
            self.kept[ntp.parse_packet(answer.reply).receive] = self.stamp_now()
        self.reasons.append(answer.reason)
        return answer

    def stamp_now(self) -> int:
        now = tai_now()
        return ntp.ntp_timestamp(now.ns, now.frac_fs, TAI_MINUS_UTC_S)

    def serve(self) -> None:
        while not self.ended:
            try:
                data, client = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            answer = self.answer(data)
            if answer.reply is not None:
                self.socket.sendto(answer.reply, client)


@contextmanager
def hosted(settings: Settings, smear: Smear | None = None, *, in_sync: bool = True) -> Iterator[Host]:
    host = Host(settings, smear, in_sync)
    thread = threading.Thread(target=host.serve)
    thread.start()
    try:
        yield host
    finally:
        host.ended = True
        thread.join()
        host.socket.close()


FIVE = Settings({}, version5=True)


def test_ntpstats_reads_version_5_of_the_same_draft() -> None:
    assert sntp.NTPV5_DRAFT.encode() == version5.DRAFT
    with hosted(FIVE) as host:
        result = sntp.query_v5("127.0.0.1", port=host.port)
        assert (result.version, result.timescale, result.flags, result.draft) == (5, "utc", 1, sntp.NTPV5_DRAFT)
        assert result.offset == pytest.approx(AHEAD_S, abs=0.05)
        assert result.root_dispersion == pytest.approx(1e-4, abs=2**-27)
        assert sntp.supports_v5("127.0.0.1", port=host.port)
    with hosted(FIVE, Smear(Shape.COSINE, DEFAULT_LENGTH_NS)) as host:
        assert sntp.query_v5("127.0.0.1", port=host.port).timescale == "leap-smeared-utc"


def test_ntpstats_takes_an_unsynchronised_reply_for_no_time() -> None:
    with hosted(FIVE, in_sync=False) as host:
        with pytest.raises(sntp.NTPError):
            sntp.query_v5("127.0.0.1", port=host.port)
        with pytest.raises(sntp.KissOfDeath, match="INIT"):
            sntp.query("127.0.0.1", port=host.port)
        assert host.reasons == [Reason.VERSION5, Reason.BASIC]


def test_ntpstats_finds_no_version_5_where_it_is_off() -> None:
    with hosted(Settings({})) as host:
        assert not sntp.supports_v5("127.0.0.1", port=host.port)
        with pytest.raises(sntp.NTPError):
            sntp.query_v5("127.0.0.1", port=host.port, timeout=0.2)
        assert host.reasons == [Reason.BASIC, Reason.WRONG_VERSION]


def test_ntpstats_measures_in_interleaved_mode() -> None:
    with hosted(Settings({})) as host:
        result = sntp.query_interleaved("127.0.0.1", port=host.port, spacing=0.01)
        assert result.interleaved
        assert result.offset == pytest.approx(AHEAD_S, abs=0.05)
        assert host.reasons == [Reason.BASIC, Reason.INTERLEAVED]


@pytest.mark.parametrize(("number", "reason"), [(5, Reason.MAC), (6, Reason.MAC), (7, Reason.CRYPTO_NAK)])
def test_chronyd_believes_our_macs_and_no_other(tmp_path: Path, number: int, reason: Reason) -> None:
    chronyd = program("chronyd")
    needs_root()
    theirs = tmp_path / "keys"
    theirs.write_text(KEYS + "7 AES128 HEX:" + "77" * 16 + "\n")
    with hosted(Settings(parse_keys(KEYS))) as host:
        lines = [
            f"server 127.0.0.1 port {host.port} key {number} iburst maxsamples 1",
            f"keyfile {theirs}",
            f"pidfile {tmp_path / 'pid'}",
            "cmdport 0",
            "port 0",
            "bindcmdaddress /",
        ]
        command = [chronyd, "-Q", "-u", "root", "-t", "2", *lines]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert set(host.reasons) == {reason}
    assert ("System clock wrong by 0.12" in ended.stderr + ended.stdout) == (reason is Reason.MAC)
    assert (ended.returncode == 0) == (reason is Reason.MAC)
