"""What `timeball query` prints of one server: the verdict in words, figures with their bounds, and the same as JSON.

Sign: server minus this host's clock. The bound is half the way there and back: no better can be known of one server.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from timeball.cli.output import ExitCode, format_seconds

if TYPE_CHECKING:
    from timeball.protocols.ntp.packet import Packet
    from timeball.station.watching.questioning import Against, Answers

LEAPS = (
    "no leap second announced",
    "a leap second will be inserted today",
    "a leap second will be removed today",
    "not in sync",
)
AEADS = {15: "AES-SIV-CMAC-256", 30: "AES-128-GCM-SIV"}


def code_of(answers: Answers, limit_s: float | None) -> ExitCode:
    """Out of limits when the offset is, cannot reach when there is no time of this server."""
    best = answers.best
    if best is None:
        return ExitCode.CANNOT_REACH
    return ExitCode.OUT_OF_LIMITS if limit_s is not None and abs(best.offset_s) > limit_s else ExitCode.FINE


def verdict(answers: Answers, limit_s: float | None) -> str:
    """One sentence."""
    best = answers.best
    if best is None:
        return f"no time: {answers.why or 'nothing that came could be used'}"
    differs = f"{signed(best.offset_s)} from this host's clock (± {format_seconds(best.measurement.bound_s(), 3)})"
    if limit_s is None:
        return differs
    if abs(best.offset_s) > limit_s:
        return f"out of limits: {differs}, allowed are {format_seconds(limit_s, 3)}"
    return f"within {format_seconds(limit_s, 3)}: {differs}"


def sentences(answers: Answers, limit_s: float | None) -> Iterator[str]:
    """The whole report for people."""
    name = answers.server if not answers.address else f"{answers.server} ({answers.address})"
    yield f"{name}: {verdict(answers, limit_s)}"
    best = answers.best
    if best is not None:
        figures = f"{format_seconds(best.measurement.delay_s, 3)}, u {format_seconds(answers.u_s, 3)} (k = 1)"
        yield f"  delay    {figures}, {_how(answers)}"
    if answers.packet is not None:
        yield from _server(answers.packet)
    yield from (f"  smear    {words}" for words in smear_words(answers))
    yield from (f"  NTS      {words}" for words in nts_words(answers))
    for words in dict.fromkeys(answers.discarded):
        yield f"  ignored  {words} ({answers.discarded.count(words)} times)"


def _server(packet: Packet) -> Iterator[str]:
    """What the server says of itself."""
    octets = packet.refid.to_bytes(4)
    # of a primary source four letters, else the address of the server it follows, or a digest of that
    letters = octets.rstrip(b"\0").decode("ascii", "replace") if packet.stratum < 2 and octets[0] < 127 else ""
    refid = letters if letters.isprintable() and letters else ".".join(str(octet) for octet in octets)
    yield f"  server   stratum {packet.stratum}, refid {refid}, version {packet.version}, {LEAPS[packet.leap]}"
    delay, dispersion = (format_seconds(value / 2**16, 3) for value in (packet.root_delay, packet.root_dispersion))
    yield (
        f"  claims   {format_seconds(_distance_s(packet), 3)} from UTC at most: root delay {delay}, root dispersion "
        f"{dispersion}; precision {format_seconds(2.0**packet.precision, 3)}"
    )


def smear_words(answers: Answers) -> list[str]:
    """What hints at a smeared leap second; nothing when nothing does, which proves nothing."""
    ahead_s = answers.smeared_s
    if ahead_s is not None:
        return [f"the server smears a leap second and is {signed(ahead_s)} ahead of UTC by its own word (refid 254)"]
    return []


def nts_words(answers: Answers) -> list[str]:
    """The session in words; nothing without NTS."""
    nts = answers.nts
    if nts is None or answers.keys is None:
        return []
    aead = f"{AEADS.get(nts.session.aead, 'AEAD')} ({nts.session.aead})"
    return [
        f"{aead}, {nts.cookies} cookies of {nts.cookie_bytes} bytes left; the key exchange names "
        f"{answers.keys.host} port {answers.keys.port}"
    ]


def as_json(answers: Answers, limit_s: float | None) -> dict[str, Any]:
    """The report as a document; SI units."""
    best, packet = answers.best, answers.packet
    return {
        "server": answers.server,
        "address": answers.address or None,
        "verdict": verdict(answers, limit_s),
        "exit_code": int(code_of(answers, limit_s)),
        "offset_s": None if best is None else best.offset_s,
        "bound_s": None if best is None else best.measurement.bound_s(),
        "u_s": None if best is None else answers.u_s,
        "delay_s": None if best is None else best.measurement.delay_s,
        "interleaved": best is not None and best.measurement.interleaved,
        "limit_s": limit_s,
        "asked": answers.asked,
        "replies": answers.kernel_stamps[0],
        "kernel_transmit_stamps": answers.kernel_stamps[1],
        "kernel_receive_stamps": answers.kernel_stamps[2],
        "packet": None if packet is None else _packet_json(packet),
        "smeared_ahead_s": answers.smeared_s,
        "nts": _nts_json(answers),
        "kiss": answers.kiss or None,
        "why": answers.why or None,
        "discarded": answers.discarded,
        "measurements": [_measurement_json(one) for one in answers.measured],
    }


def signed(value_s: float) -> str:
    """A time with its sign."""
    return f"{'−' if value_s < 0 else '+'}{format_seconds(abs(value_s), 4)}" if math.isfinite(value_s) else "?"


def _how(answers: Answers) -> str:
    """How the figures were come by."""
    best = answers.best
    mode = "interleaved" if best is not None and best.measurement.interleaved else "basic mode"
    replies, sent, received = answers.kernel_stamps
    stamps = "kernel stamps" if sent == received == replies else f"kernel stamps on {min(sent, received)} of {replies}"
    return f"best of {len(answers.measured)}, {mode}, {stamps}"


def _distance_s(packet: Packet) -> float:
    return packet.root_delay / 2**17 + packet.root_dispersion / 2**16


def _packet_json(packet: Packet) -> dict[str, Any]:
    return {
        "leap": packet.leap,
        "version": packet.version,
        "stratum": packet.stratum,
        "poll": packet.poll,
        "precision_s": 2.0**packet.precision,
        "root_delay_s": packet.root_delay / 2**16,
        "root_dispersion_s": packet.root_dispersion / 2**16,
        "root_distance_s": _distance_s(packet),
        "refid": f"{packet.refid:08x}",
    }


def _nts_json(answers: Answers) -> dict[str, Any] | None:
    nts = answers.nts
    if nts is None or answers.keys is None:
        return None
    return {
        "aead": nts.session.aead,
        "cookies": nts.cookies,
        "cookie_bytes": nts.cookie_bytes,
        "ntp_server": answers.keys.host,
        "ntp_port": answers.keys.port,
    }


def _measurement_json(one: Against) -> dict[str, Any]:
    return {
        "at_s": one.at_s,
        "offset_s": one.offset_s,
        "delay_s": one.measurement.delay_s,
        "bound_s": one.measurement.bound_s(),
        "interleaved": one.measurement.interleaved,
    }
