"""The audit as a part of a witness: the addresses of its statements, and a thread for each log that it follows.

GET /auditor.vkey                              the key that statements are signed with
GET /audit/<hex of SHA-256 of the origin>      the newest statement
GET /audit/<…>/contradictions                  names of all that ever told of a contradiction, one a line
GET /audit/<…>/contradictions/<name>           one of these
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from timeball.ledger.note import Signer
from timeball.ledger.policy import Policy
from timeball.ledger.quorum import NO_QUORUM
from timeball.station.auditing.auditor import Auditor
from timeball.station.publishing.attested import Trust
from timeball.station.publishing.source import Source
from timeball.station.witnessing.client import origin_hash
from timeball.station.witnessing.daemon import Part

FOLDER = "audit"
EVERY_S = 2.0
_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


def audit_part(state: Path, policy: Policy, signer: Signer, token: str | None = None, every_s: float = EVERY_S) -> Part:
    """Audit every log of `policy` that has a URL, below `state`/audit; raises ValueError when none has.

    Heads count without a quorum: an audit must not wait for witnesses. Cosignatures that are there bound the times.
    """
    auditors: dict[str, Auditor] = {}
    for each in policy.logs:
        if each.url is None:
            continue
        hashed = origin_hash(each.verifier.name)
        own = replace(policy, logs=(each,), quorum=NO_QUORUM)
        auditors[hashed] = Auditor(Source(each.url, token), state / FOLDER / hashed, Trust(None, own), signer)
    if not auditors:
        raise ValueError("no log of the policy has a URL to follow it at")

    def work(stop: threading.Event) -> None:
        threads = [
            threading.Thread(target=auditor.run, args=(stop, every_s), daemon=True) for auditor in auditors.values()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return Part(audit_routes(auditors, signer), work)


def audit_routes(auditors: Mapping[str, Auditor], signer: Signer) -> list[BaseRoute]:
    """The addresses of the statements of `auditors`, by hash of the origin."""

    def key(_request: Request) -> Response:
        return _text(signer.verifier.vkey.encode() + b"\n")

    def newest(request: Request) -> Response:
        auditor = auditors.get(request.path_params["hashed"])
        return _text(None if auditor is None else auditor.newest())

    def names(request: Request) -> Response:
        auditor = auditors.get(request.path_params["hashed"])
        return _text(None if auditor is None else "".join(f"{name}\n" for name in auditor.contradictions()).encode())

    def one(request: Request) -> Response:
        auditor = auditors.get(request.path_params["hashed"])
        return _text(None if auditor is None else auditor.contradiction(request.path_params["name"]))

    return [
        Route("/auditor.vkey", key),
        Route("/audit/{hashed:str}", newest),
        Route("/audit/{hashed:str}/contradictions", names),
        Route("/audit/{hashed:str}/contradictions/{name:str}", one),
    ]


def _text(data: bytes | None) -> Response:
    if data is None:
        return PlainTextResponse("nothing is known of this here\n", 404, _HEADERS)
    return Response(data, headers=_HEADERS, media_type="text/plain")
