"""Time-stamp tokens (RFC 3161) of an outside authority over the checkpoint of a proof.

The token covers SHA-256 of the checkpoint's bytes, cosignatures included, as they stand in the proof. Requests are
built and signatures verified with rfc3161-client (the extra `timestamps`); without it, a token's digest and time are
still read. It opens no connection (`tsaclient`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from timeball.station.proving.der import SHA256, DERError, TokenInfo, parse_response
from timeball.station.proving.errors import TimestampError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


class TimestampsMissingError(ImportError):
    """The extra `timestamps` is not installed."""


def make_request(checkpoint: bytes) -> tuple[bytes, int]:
    """A time-stamp request (DER) over `checkpoint`, and its nonce; asks for the authority's certificate."""
    client = _client()
    builder = client.TimestampRequestBuilder().data(checkpoint).hash_algorithm(client.HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    return request.as_bytes(), request.nonce


def read_token(response: bytes, checkpoint: bytes, place: str, nonce: int | None = None) -> TokenInfo:
    """What a response says, when it stamps this checkpoint; raises `TimestampError`. Its signature is not verified.

    nonce: the one of the request, when it is known; years later it is not.
    """
    try:
        info = parse_response(response)
    except DERError as error:
        raise TimestampError(place, f"this is no time-stamp response: {error}") from error
    if info.algorithm != SHA256:
        raise TimestampError(place, f"it stamps a digest of another kind than SHA-256 (OID {info.algorithm.hex()})")
    if info.digest != hashlib.sha256(checkpoint).digest():
        raise TimestampError(place, f"it stamps {info.digest.hex()}, which is not this checkpoint")
    if nonce is not None and info.nonce != nonce:
        raise TimestampError(place, f"it answers another request: nonce {info.nonce}, expected {nonce}")
    return info


def read_tokens(responses: list[bytes], checkpoint: bytes) -> list[TokenInfo]:
    """What the responses in a proof say, their signatures not verified; raises `TimestampError`."""
    return [read_token(response, checkpoint, f"timestamps[{place}]") for place, response in enumerate(responses)]


def verify_token(
    response: bytes, checkpoint: bytes, certificates: list[Certificate], place: str, nonce: int | None = None
) -> TokenInfo:
    """The same, its signature verified up to one of `certificates`; raises `TimestampError`.

    certificates: the authority's own certificate, or its roots (and intermediates).
    """
    info = read_token(response, checkpoint, place, nonce)
    client = _client()
    try:
        decoded = client.decode_timestamp_response(response)
        builder = client.VerifierBuilder()
        for certificate in certificates:
            builder = builder.add_root_certificate(certificate)
        builder.build().verify_message(decoded, checkpoint)
    except (ValueError, client.VerificationError) as error:
        raise TimestampError(place, f"the authority's signature does not verify: {error}") from error
    return info


def load_certificates(data: bytes, place: str) -> list[Certificate]:
    """Certificates of a PEM file; raises `TimestampError`."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(data)
    except ValueError as error:
        raise TimestampError(place, f"no PEM certificates: {error}") from error


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError as error:
        raise TimestampsMissingError(
            "time-stamp tokens need the extra `timestamps`: pip install 'timeball[timestamps]'"
        ) from error
    return rfc3161_client
