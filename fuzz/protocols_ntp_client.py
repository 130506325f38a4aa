"""Fuzz target: any bytes as a reply to a client's association, plain, keyed and over NTS. Nothing may escape it.

The first byte chooses how the client asks; where a reply has a header, the request's nonce is put into it, as a server
or somebody on the way would.
"""

from __future__ import annotations

from timeball.protocols.ntp.client import Association, Manner, State
from timeball.protocols.ntp.clientauth import Authentication, MACAuthentication, NoAuthentication
from timeball.protocols.ntp.clientevents import Measured
from timeball.protocols.ntp.clientnts import NTSAuthentication
from timeball.protocols.ntp.mac import SymmetricKey
from timeball.protocols.ntp.measurement import Stamps
from timeball.protocols.ntp.packet import NS
from timeball.protocols.nts.cookies import Session

KEY = SymmetricKey(1, "AES128", bytes(16))
ORIGIN = slice(24, 32)


class Drawn:
    """Random bytes that are the same each time."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        """So many bytes."""
        self._count += 1
        return ((self._count * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16) * 2)[:size]


def seeds() -> list[bytes]:
    """Replies of each kind to each kind of client."""
    header = b"\x24\x01\x04\xe7" + bytes(12) + bytes(range(1, 33))
    nts = header + b"\x01\x04\x00\x24" + bytes(32) + b"\x04\x04\x00\x28\x00\x10\x00\x10" + bytes(32)
    return [bytes([kind]) + reply for kind in range(6) for reply in (header, header + bytes(20), nts)]


def target(data: bytes) -> None:
    """Ask twice, and take the bytes for the reply to each."""
    if not data:
        return
    association = Association(Manner(interleaved=bool(data[0] & 1), burst=3), Drawn(), _authentication(data[0]))
    now, came = 0, 0
    for _ in range(2):
        request = association.to_send(now)
        if request is None:
            break
        reply = bytearray(data[1:])
        if len(reply) >= 48:
            reply[ORIGIN] = request[40:48]
        association.receive(bytes(reply), Stamps(now, now + 1000), now + 1000)
        came += 1
        now += 3 * NS
    assert sum(association.counts.values()) == came
    while (event := association.next_event()) is not None:
        if isinstance(event, Measured):
            assert association.state is not State.GONE
            assert event.measurement.bound_s() >= 0.0


def _authentication(kind: int) -> Authentication:
    if kind % 3 == 0:
        return NoAuthentication()
    if kind % 3 == 1:
        return MACAuthentication(KEY)
    return NTSAuthentication(Session(15, bytes(32), bytes(32)), [bytes(100)] * 8, Drawn())
