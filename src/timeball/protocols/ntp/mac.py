"""Symmetric keys of NTP: AES-CMAC behind the packet (RFC 8573 for 128 bits; 256 as chrony and ntpsec have it).

The MAC is a 32-bit key id and 16 bytes over everything before it. MD5 and SHA1 are refused: RFC 8573 section 2 takes
the first out of use, and a key of the second is told from it by its name alone. No key is derived, kept or compared
but here; AES comes from `cryptography`.

What fails raises; nothing gives a bool.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from timeball.protocols.ntp.packet import NTPError

KEY_BYTES = {"AES128": 16, "AES256": 32}
ID_BYTES, TAG_BYTES = 4, 16
MAC_BYTES = ID_BYTES + TAG_BYTES
LARGEST_ID = 2**32 - 1
COMMENTS = ("#", "%", ";", "!")
_ID = re.compile("[0-9]{1,10}")


class KeyFileError(NTPError):
    """A line of the file of keys that is none."""


class UnknownKey(NTPError):
    """The key id of a packet is not in the file, or its digest is of another algorithm's length."""


class WrongMAC(NTPError):
    """The packet was not made by who holds this key, or was changed since."""


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    """One key: its id on the wire, AES128 or AES256, and 16 or 32 secret bytes, which no text shows."""

    id: int
    kind: str
    key: bytes = field(repr=False)


def parse_keys(text: str) -> dict[int, SymmetricKey]:
    """The keys of a file in chrony's syntax by their ids: lines `id AES128 HEX:...`, `AES256`, or `ASCII:...`.

    Raises KeyFileError, naming the line and never the key.
    """
    keys: dict[int, SymmetricKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith(COMMENTS):
            continue
        key = _key_of(words, f"line {number}")
        if key.id in keys:
            raise KeyFileError("key file", f"line {number}", f"key {key.id} stands in an earlier line")
        keys[key.id] = key
    return keys


def _key_of(words: list[str], line: str) -> SymmetricKey:
    if len(words) != 3:
        raise KeyFileError("key file", line, "id, AES128 or AES256, and the key; a line without a type would be MD5")
    if not _ID.fullmatch(words[0]) or not 1 <= int(words[0]) <= LARGEST_ID:
        raise KeyFileError("key file", line, f"an id is a number from 1 to {LARGEST_ID}")
    kind = words[1].upper()
    if kind not in KEY_BYTES:
        raise KeyFileError("key file", line, f"{_shown(kind)} is not used, AES128 and AES256 are (RFC 8573)")
    key = _secret(words[2], line)
    if len(key) != KEY_BYTES[kind]:
        raise KeyFileError("key file", line, f"a key of {kind} has {KEY_BYTES[kind]} bytes, not {len(key)}")
    return SymmetricKey(int(words[0]), kind, key)


def _shown(kind: str) -> str:
    """A type's name if it looks like one: a key that slipped into its place is not printed."""
    return kind if re.fullmatch("[A-Z]{2,5}[0-9]{0,3}(-[0-9]{3})?", kind) else "this type"


def _secret(word: str, line: str) -> bytes:
    if word.startswith("HEX:"):
        try:
            return binascii.unhexlify(word.removeprefix("HEX:"))
        except ValueError:
            raise KeyFileError("key file", line, "HEX: is not followed by pairs of hex digits") from None
    if not word.isascii():
        raise KeyFileError("key file", line, "a key is written as HEX: or in ASCII")
    return word.removeprefix("ASCII:").encode("ascii")


def tag_of(key: SymmetricKey, data: bytes) -> bytes:
    """The 16 bytes of AES-CMAC over the data (RFC 4493)."""
    cmac = CMAC(AES(key.key))
    cmac.update(data)
    return cmac.finalize()


def seal_mac(key: SymmetricKey, packet: bytes) -> bytes:
    """The packet (header and fields) with its MAC behind it: 20 bytes more."""
    return packet + key.id.to_bytes(ID_BYTES) + tag_of(key, packet)


def verify_mac(keys: Mapping[int, SymmetricKey], packet: bytes, mac: bytes) -> SymmetricKey:
    """The key that made `mac` (key id and digest) over `packet`; compared in constant time.

    Raises UnknownKey and WrongMAC.
    """
    number = int.from_bytes(mac[:ID_BYTES])
    key = keys.get(number)
    if key is None or len(mac) != MAC_BYTES:
        raise UnknownKey("MAC", f"of key {number}, {len(mac)} bytes", "no key of the file makes such a one")
    cmac = CMAC(AES(key.key))
    cmac.update(packet)
    try:
        cmac.verify(mac[ID_BYTES:])
    except InvalidSignature:
        raise WrongMAC("MAC", f"of key {number}", "not of this packet") from None
    return key
