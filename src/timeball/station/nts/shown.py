"""The certificate that the key exchange shows: the operator's files, or one of the station's own making.

Files are read again when they have changed. What they hold then is tried whole; where it is no good (a key that does
not fit, half a file, one that is over already) the old one goes on, and the log and a count say so. The station's own
is made anew before it ends. Nothing is dropped by a change: it counts for connections that begin after it.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from datetime import datetime, timedelta
from pathlib import Path

from OpenSSL import SSL

from timeball.station.configuration.serving import NTS
from timeball.station.nts.authority import Issued, issue_certificate, make_authority, names_of
from timeball.station.nts.certificate import (
    Certificate,
    CertificateError,
    load_chain,
    read_certificate,
)
from timeball.station.nts.secretfile import write_secret
from timeball.station.nts.tls import server_context, ssl_words
from timeball.station.supervision.files import write_atomically

RENEW_LEFT = timedelta(days=30)
log = logging.getLogger("keyexchange")


def ca_file(state: Path) -> Path:
    """STATE/nts/ca.pem: what clients must trust when the station makes its own certificate."""
    return state / "nts" / "ca.pem"


def own_names(settings: NTS) -> list[str]:
    """The names the station's own certificate is for: what is named to clients, what is listened on, this host."""
    hosts = [settings.server, *(address.rpartition(":")[0].strip("[]") for address in settings.listen)]
    names = [host for host in (*hosts, socket.gethostname(), "localhost") if host and not _any_address(host)]
    return list(dict.fromkeys(names))


class OwnCertificate:
    """An authority and a certificate below STATE/nts, each file with its key and readable by its owner alone."""

    def __init__(self, state: Path, names: list[str]) -> None:
        self.authority_path = state / "nts" / "authority.pem"
        self.path = state / "nts" / "certificate.pem"
        self._public, self._names = ca_file(state), names

    def refresh(self, now: datetime) -> None:
        """Make what is missing, what ends soon, and what is for other names. Raises OSError."""
        authority, made = self._authority(now)
        try:
            found = read_certificate(self.path, self.path)
            same = names_of(load_chain(found.chain)[0]) == set(self._names)
            good = same and not made and found.valid_at(now) and now < found.not_after - RENEW_LEFT
        except CertificateError:
            good = False
        if not good:
            issued = issue_certificate(authority, self._names, now)
            write_secret(self.path, issued.certificate + issued.key)
            log.info("made a certificate for %s", ", ".join(self._names))

    def _authority(self, now: datetime) -> tuple[Issued, bool]:
        made = False
        try:
            found = read_certificate(self.authority_path, self.authority_path)
            authority = Issued(found.chain, found.key)
            good = found.valid_at(now) and now < found.not_after - 2 * RENEW_LEFT
        except CertificateError:
            good = False
        if not good:
            authority, made = make_authority("Timeball NTS", now), True
            write_secret(self.authority_path, authority.certificate + authority.key)
        if not self._public.exists() or self._public.read_bytes() != authority.certificate:
            write_atomically(self._public, authority.certificate, durable=True)
        return authority, made


class ShownCertificate:
    """What is shown now, and whether it has changed. `taken` after the first, `refused` are counted."""

    def __init__(self, settings: NTS, state: Path) -> None:
        self.current: Certificate | None = None
        self.taken = self.refused = 0
        self._own = None if settings.certificate else OwnCertificate(state, own_names(settings))
        own = state / "nts" / "certificate.pem"
        self._paths = (own, own) if self._own else (Path(settings.certificate), Path(settings.key))
        self._seen: tuple[object, ...] = ()

    def turn(self, now: datetime) -> bool:
        """Look again; true when another certificate is to be shown. Raises CertificateError while there is none."""
        if self._own is not None:
            try:
                self._own.refresh(now)
            except OSError as error:
                log.error("no new certificate could be written: %s", error)
        seen = tuple(_stamp(path) for path in self._paths)
        if seen == self._seen and self.current is not None:
            return False
        self._seen = seen
        try:
            found = self._read(now)
        except CertificateError as error:
            if self.current is None:
                raise
            self.refused += 1
            log.error("%s; the certificate shown until now goes on", error)
            return False
        changed = found != self.current
        self.taken += changed and self.current is not None
        self.current = found
        return changed

    def _read(self, now: datetime) -> Certificate:
        found = read_certificate(*self._paths)
        try:
            server_context(found)
        except SSL.Error as error:
            raise CertificateError(f"{self._paths[0]}: {ssl_words(error)}") from None
        if self.current is not None and not found.valid_at(now):
            raise CertificateError(f"{self._paths[0]}: valid from {found.not_before} to {found.not_after}, not now")
        return found


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _any_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


__all__ = ["OwnCertificate", "ShownCertificate", "ca_file", "own_names"]
