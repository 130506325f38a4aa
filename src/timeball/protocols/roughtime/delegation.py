"""Keys: the long-term one that stays offline, the online ones it delegates to, and the files both stand in.

A delegation names an online key and the times between which it may sign (RFC 10049, 5.2.6). It is signed once for each
version, because their contexts differ. The long-term key is one line of text; a file of delegations is JSON and holds
the online keys themselves: both are secrets, and who writes them to disk sees to that (mode 0600). Randomness and times
come in as arguments. Times are Unix seconds as Roughtime counts them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from timeball.protocols.roughtime.errors import ForgedDelegation, KeyFileError, MalformedMessage
from timeball.protocols.roughtime.merkle import truncated_hash
from timeball.protocols.roughtime.message import (
    DELE,
    MAXT,
    MINT,
    PUBK,
    SIG,
    SIGNATURE_BYTES,
    Message,
    integer_of,
    parse_message,
    value_of,
    write_message,
)
from timeball.protocols.roughtime.versions import delegation_context, parse_version, version_name

KEY_BYTES = 32
LONG_TERM_PREFIX = "ROUGHTIME+LONG+TERM+KEY+"
FILE_KIND = "timeball-roughtime-delegations"


@dataclass(frozen=True, slots=True)
class Delegated:
    """What a verified certificate says: who may sign, from `mint_s` to `maxt_s`, both included."""

    public_key: bytes
    mint_s: int
    maxt_s: int


@dataclass(frozen=True)
class OnlineKey:
    """A key that signs replies, with its certificate by version. `certificates` are values of CERT."""

    seed: bytes
    mint_s: int
    maxt_s: int
    certificates: Mapping[int, bytes]

    def __repr__(self) -> str:
        """Without the secret."""
        return f"OnlineKey({self.mint_s}..{self.maxt_s})"

    def holds_at(self, unix_s: int) -> bool:
        """Whether it may sign this time."""
        return self.mint_s <= unix_s <= self.maxt_s


def public_key_of(seed: bytes) -> bytes:
    """The 32 bytes of the Ed25519 public key of a 32-byte seed (RFC 8032, 5.1.5)."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def server_id(public_key: bytes) -> bytes:
    """The value of SRV: H(0xff ‖ long-term public key) (RFC 10049, 5.1.4)."""
    return truncated_hash(b"\xff" + public_key)


def delegate(long_term_seed: bytes, seed: bytes, mint_s: int, maxt_s: int, versions: Sequence[int]) -> OnlineKey:
    """Sign away the right to sign from `mint_s` to `maxt_s` to the key of `seed`. ValueError for times in no order."""
    if not 0 <= mint_s < maxt_s < 2**63:
        raise ValueError(f"a delegation from {mint_s} to {maxt_s} lasts no time")
    signer = Ed25519PrivateKey.from_private_bytes(long_term_seed)
    dele = write_message({PUBK: public_key_of(seed), MINT: _u64(mint_s), MAXT: _u64(maxt_s)})
    certificates = {
        version: write_message({SIG: signer.sign(delegation_context(version) + dele), DELE: dele})
        for version in versions
    }
    return OnlineKey(seed, mint_s, maxt_s, certificates)


def verify_certificate(certificate: bytes, public_key: bytes, context: bytes) -> Delegated:
    """What the value of CERT delegates, if `public_key` signed it under `context`.

    Raises MalformedMessage, ForgedDelegation.
    """
    message = parse_message(certificate)
    dele = value_of(message, DELE)
    try:
        signature = value_of(message, SIG, SIGNATURE_BYTES)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, context + dele)
    except (InvalidSignature, ValueError) as error:
        raise ForgedDelegation("the delegation was not signed by this long-term key for this version") from error
    return _delegated(parse_message(dele))


def _delegated(dele: Message) -> Delegated:
    return Delegated(value_of(dele, PUBK, KEY_BYTES), integer_of(dele, MINT, 8), integer_of(dele, MAXT, 8))


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


# Files


def write_long_term_key(seed: bytes) -> str:
    """One line of text that holds a long-term key: a secret."""
    return LONG_TERM_PREFIX + encode_base64(seed)


def parse_long_term_key(text: str) -> bytes:
    """The seed in a long-term key's line. Raises KeyFileError, which does not show the text."""
    line = text.strip()
    if not line.startswith(LONG_TERM_PREFIX):
        raise KeyFileError(f"this is no Roughtime long-term key: it does not begin with {LONG_TERM_PREFIX}")
    return _key_of(line.removeprefix(LONG_TERM_PREFIX), "the long-term key")


def write_delegations(public_key: bytes, keys: Sequence[OnlineKey]) -> str:
    """The JSON of a file of delegations: a secret."""
    rows = [
        {
            "onlineKey": encode_base64(key.seed),
            "mint_s": key.mint_s,
            "maxt_s": key.maxt_s,
            "certificates": {version_name(version): encode_base64(cert) for version, cert in key.certificates.items()},
        }
        for key in keys
    ]
    document = {"kind": FILE_KIND, "publicKey": encode_base64(public_key), "delegations": rows}
    return json.dumps(document, indent=1) + "\n"


def parse_delegations(text: str) -> tuple[bytes, tuple[OnlineKey, ...]]:
    """The long-term public key and the online keys of a file, each certificate verified. Raises KeyFileError."""
    try:
        document = json.loads(text)
        if document["kind"] != FILE_KIND:
            raise KeyFileError(f"this is no file of delegations: its kind is not {FILE_KIND}")
        public_key = _key_of(document["publicKey"], "publicKey")
        keys = tuple(_online_key(row, public_key) for row in document["delegations"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise KeyFileError("this is no file of delegations: it is not the JSON of one") from error
    if not keys:
        raise KeyFileError("the file holds no delegation")
    return public_key, keys


def _online_key(row: Mapping[str, Any], public_key: bytes) -> OnlineKey:
    seed = _key_of(row["onlineKey"], "onlineKey")
    certificates = {parse_version(name): decode_base64(text) for name, text in row["certificates"].items()}
    if not certificates:
        raise KeyFileError("a delegation has no certificate")
    for version, certificate in certificates.items():
        try:
            found = verify_certificate(certificate, public_key, delegation_context(version))
        except (MalformedMessage, ForgedDelegation) as error:
            raise KeyFileError(f"a certificate for version {version_name(version)} does not hold: {error}") from error
        if found != Delegated(public_key_of(seed), row["mint_s"], row["maxt_s"]):
            raise KeyFileError(f"a certificate for version {version_name(version)} is not of its key and times")
    return OnlineKey(seed, row["mint_s"], row["maxt_s"], certificates)


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding, on one line (RFC 4648, 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str) -> bytes:
    """The bytes of standard base64 with padding; ValueError, also for what is no text."""
    if not isinstance(text, str):
        raise ValueError("not base64: no text")
    return base64.b64decode(text, validate=True)


def _key_of(text: str, what: str) -> bytes:
    try:
        key = decode_base64(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{what} is not {KEY_BYTES} bytes in base64")
    return key
