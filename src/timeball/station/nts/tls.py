"""TLS 1.3 as NTS asks for it (RFC 8915 section 3), over pyOpenSSL: the stdlib's ssl has no exporter.

Contexts for both sides; connections run over memory, so that whoever holds the socket decides how long anything takes.
No renegotiation, no session that could be taken up again, no earlier version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from OpenSSL import SSL

from timeball.protocols.nts.exchange import ALPN, C2S, EXPORTER_LABEL, S2C, exporter_context
from timeball.station.nts.certificate import Certificate, load_chain, load_key

# SHA-256 first: processors have instructions for it, and a handshake hashes a lot (a tenth of its time).
SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
PIECE = 16384 + 256 + 5
"""The longest TLS record."""
OUTPUT_BYTES = 8192
"""A flight is shorter, so that one look is mostly enough."""
SSLError = SSL.Error


class NoALPN(Exception):
    """The client offered protocols, and ntske/1 was not among them."""


def server_context(certificate: Certificate) -> SSL.Context:
    """A context for the server's side. Raises SSL.Error for what OpenSSL does not take, such as a key too weak."""
    context = _context(SSL.TLS_SERVER_METHOD)
    first, *rest = load_chain(certificate.chain)
    context.use_certificate(first)
    for each in rest:
        context.add_extra_chain_cert(each)
    context.use_privatekey(load_key(certificate.key))
    context.check_privatekey()
    context.set_alpn_select_callback(_select_alpn)
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    return context


def client_context(ca: Path | None = None, at: datetime | None = None) -> SSL.Context:
    """A context for the client's side: trusts `ca` (PEM) alone, or the system's authorities; `at` (UTC) is the time
    by which certificates are judged, the host's without it. Raises SSL.Error, OSError for a file that is none.
    """
    context = _context(SSL.TLS_CLIENT_METHOD)
    context.set_alpn_protos([ALPN])
    context.set_verify(SSL.VERIFY_PEER)
    if ca is None:
        context.set_default_verify_paths()
    else:
        context.load_verify_locations(str(ca))
    if at is not None:
        store = context.get_cert_store()
        assert store is not None
        store.set_time(at)
    return context


def export_keys(connection: SSL.Connection, aead: int, key_bytes: int) -> tuple[bytes, bytes]:
    """The keys C2S and S2C of a session (RFC 8915 section 5.1)."""
    c2s, s2c = (
        connection.export_keying_material(EXPORTER_LABEL, key_bytes, exporter_context(aead, direction))
        for direction in (C2S, S2C)
    )
    return c2s, s2c


def take_output(connection: SSL.Connection) -> bytes:
    """What the connection wants sent, which may be nothing."""
    output = b""
    while True:
        try:
            piece = connection.bio_read(OUTPUT_BYTES)
        except SSL.WantReadError:
            return output
        output += piece
        if len(piece) < OUTPUT_BYTES:
            return output


def ssl_words(error: SSL.Error) -> str:
    """What OpenSSL says of an error, in its own words."""
    found = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(item[2]) for item in found) or str(error) or type(error).__name__


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(SUITES)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    return context


def _select_alpn(_connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    if ALPN not in offered:
        raise NoALPN  # pyOpenSSL sends the alert no_application_protocol and raises this from the handshake
    return ALPN


__all__ = ["NoALPN", "SSLError", "client_context", "export_keys", "server_context", "ssl_words", "take_output"]
