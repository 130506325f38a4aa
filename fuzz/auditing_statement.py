"""Fuzz target: any bytes as an audit's statement, a fetched payload bundle, and a path of the served ledger."""

from __future__ import annotations

import contextlib
from pathlib import Path

from starlette.requests import Request

from timeball.ledger import canonical
from timeball.ledger.entry import make_envelope, write_envelope
from timeball.ledger.errors import EvidenceError, LedgerError
from timeball.ledger.payload import WITHHELD, write_frame
from timeball.station.auditing.statement import StatementError, parse_statement
from timeball.station.publishing.access import Access
from timeball.station.publishing.app import _Pages
from timeball.station.publishing.attested import check_payloads
from timeball.station.publishing.files import LedgerFiles
from timeball.station.publishing.frames import merge_frames

SALT = bytes(16)
PAYLOAD = canonical.encode({"n": 1})
LEAF = write_envelope(make_envelope(by="x", seq=1, time_ns=5, type="note", version=1, salt=SALT, payload=PAYLOAD))
WHOLE = write_frame(SALT, PAYLOAD)
PAGES = _Pages(LedgerFiles(Path("/nonexistent")), Access())


def target(data: bytes) -> None:
    """Only its own errors escape; nothing but the entry's own payload is taken; no path leads out."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(StatementError):
        assert parse_statement(text).text == text
    with contextlib.suppress(EvidenceError):
        taken, _ = check_payloads(0, [LEAF], data)
        assert data.startswith(taken)
        assert taken in (WHOLE, WITHHELD) or not any(taken[5:])
    with contextlib.suppress(LedgerError):
        assert merge_frames([LEAF], data, WITHHELD) in (WHOLE, WITHHELD)
    scope = {"type": "http", "method": "GET", "path_params": {"path": text}}
    for headers in ([], [(b"authorization", data[:200]), (b"if-none-match", data[:200])]):
        for endpoint in (PAGES.tile, PAGES.payloads, PAGES.checkpoint):
            assert endpoint(Request({**scope, "headers": headers})).status_code in (401, 404)
