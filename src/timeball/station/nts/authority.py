"""Certificates made here: an authority of one's own, and server certificates under it (P-256, X.509 v3).

For a station that was given no certificate, and for the cluster's key channel. A public server shows one that the
clients' systems trust; this is for those who can give `ca.pem` to their clients.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from timeball.station.nts.certificate import load_chain, load_key

AUTHORITY_DAYS = 20 * 365
CERTIFICATE_DAYS = 90
BACKDATED = timedelta(days=1)
"""A client whose clock is a little behind must take a certificate of today."""
LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def make_authority(name: str, now: datetime, days: int = AUTHORITY_DAYS) -> Issued:
    """An authority that may sign servers and nothing below it; `name` is its common name."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = _usage(key_cert_sign=True, crl_sign=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    built = (
        _builder(name, name, now, days, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
    )
    return _issued(built.sign(key, SHA256()), key)


def issue_certificate(authority: Issued, names: Sequence[str], now: datetime, days: int = CERTIFICATE_DAYS) -> Issued:
    """A certificate for a server under these names and addresses, the first its common name; it may also ask others.

    Raises ValueError for a name that no certificate can carry.
    """
    parent, parent_key = load_chain(authority.certificate)[0], load_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = parent.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    built = (
        _builder(names[0], str(issuer), now, days, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(both, critical=False)
        .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                parent.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
    )
    assert isinstance(parent_key, ec.EllipticCurvePrivateKey)
    return _issued(built.sign(parent_key, SHA256()), key)


def general_name(name: str) -> x509.GeneralName:
    """A DNS name or an address as certificates carry them."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def names_of(certificate: x509.Certificate) -> set[str]:
    """The names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses)}


def _builder(
    name: str, issuer: str, now: datetime, days: int, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:LONGEST_COMMON_NAME])])


def _usage(**used: bool) -> x509.KeyUsage:
    words = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{word: used.get(word, False) for word in words})


def _issued(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Issued(certificate.public_bytes(Encoding.PEM), secret)
