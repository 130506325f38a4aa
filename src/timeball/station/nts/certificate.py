"""A certificate with its chain and key as the TLS server takes it: read, checked, in memory.

Nothing here asks who signed it: that is for the clients. What is checked is what would make every handshake fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

LARGEST_PEM = 1 << 20
PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey


class CertificateError(Exception):
    """A certificate or key that cannot be used; one sentence."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM of the chain, the server's own certificate first, and of its key; from when to when it is valid (UTC)."""

    chain: bytes
    key: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime

    def valid_at(self, now: datetime) -> bool:
        """Whether it is valid at an aware instant."""
        return self.not_before <= now <= self.not_after


def read_certificate(certificate: Path, key: Path) -> Certificate:
    """Read both files. Raises CertificateError."""
    return parse_certificate(_read(certificate), _read(key), f"{certificate} with {key}")


def parse_certificate(chain: bytes, key: bytes, name: str = "the certificate") -> Certificate:
    """Take a chain and a key in PEM; the key must be the first certificate's. Raises CertificateError naming `name`."""
    try:
        certificates, private = load_chain(chain), load_key(key)
        alone = b"".join(each.public_bytes(Encoding.PEM) for each in certificates)  # a file may hold the key too
        same = _public(certificates[0].public_key()) == _public(private.public_key())
        ends = certificates[0].not_valid_before_utc, certificates[0].not_valid_after_utc
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{name}: {_first_line(error)}") from None
    if not same:
        raise CertificateError(f"{name}: the key is not the certificate's")
    return Certificate(alone, key, *ends)


def load_chain(chain: bytes) -> Sequence[x509.Certificate]:
    """The certificates of a PEM file. Raises ValueError without one."""
    return x509.load_pem_x509_certificates(chain)


def load_key(key: bytes) -> PrivateKey:
    """The private key of a PEM file, which has no passphrase. Raises ValueError, TypeError, UnsupportedAlgorithm."""
    private = load_pem_private_key(key, None)
    if not isinstance(private, PrivateKey):
        raise ValueError("the key is none of ECDSA, Ed25519 and RSA")
    return private


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_PEM)
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].partition("See https")[0].strip() or type(error).__name__
