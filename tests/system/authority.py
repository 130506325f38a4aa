"""An authority for tests, and its certificates for localhost as an operator would install them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from timeball.station.nts.authority import issue_certificate, make_authority


class Authority:
    """Its certificate lies in `ca`; `issue` writes a fresh certificate and key over the files of the last one."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.certificate, self.key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
        self._authority = make_authority("time test CA", datetime.now(UTC))
        self.ca.write_bytes(self._authority.certificate)
        self.issue()

    def issue(self) -> None:
        """A certificate for localhost and 127.0.0.1, in place of the last one; `serial` is its number."""
        issued = issue_certificate(self._authority, ["localhost", "127.0.0.1"], datetime.now(UTC))
        self.serial = x509.load_pem_x509_certificate(issued.certificate).serial_number
        # beside, then renamed, as certbot and its like do
        for path, data in ((self.key, issued.key), (self.certificate, issued.certificate)):
            beside = path.with_suffix(".new")
            beside.write_bytes(data)
            beside.chmod(0o600)
            beside.replace(path)
