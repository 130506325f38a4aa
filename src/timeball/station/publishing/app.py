"""The addresses of a served ledger (C2SP tlog-tiles v0.1.0), and payloads to those who may read them.

Anybody may serve the same folder with any web server: what is served proves itself. This server adds the headers, 404
for what no head covers yet, and the payloads. Each request for payloads is logged: who, what, and what was withheld.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from timeball.ledger.errors import LedgerError, TileError
from timeball.ledger.tiles import index_path, parse_index_path, parse_tile_path
from timeball.station.configuration.settings import Reader
from timeball.station.keeping.errors import ColdStorageError
from timeball.station.publishing.access import Access, Caller, TokenRefused, withhold
from timeball.station.publishing.files import KEY, NEWEST, LedgerFiles, Served

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
# a head is worth little after a few seconds; tiles never change; payloads may be erased, and depend on who asks
OF_HEADS = "public, max-age=1"
OF_TILES = "public, max-age=31536000, immutable"
OF_PAYLOADS = "private, no-cache"

log = logging.getLogger("publishing")


def create_app(state: Path, readers: Iterable[Reader] = ()) -> Starlette:
    """The application that serves the ledger of the state folder `state`."""
    return Starlette(routes=ledger_routes(LedgerFiles(state), Access(readers)), exception_handlers={OSError: _busy})


def ledger_routes(files: LedgerFiles, access: Access) -> list[BaseRoute]:
    """The addresses; endpoints are plain functions, so that reading a disk never holds up another request."""
    pages = _Pages(files, access)
    return [
        Route("/checkpoint", pages.checkpoint),
        Route("/checkpoint.head", pages.newest),
        Route("/log.vkey", pages.key),
        Route("/tile/{path:path}", pages.tile),
        Route("/payloads/{path:path}", pages.payloads),
    ]


class _Pages:
    """The endpoints."""

    def __init__(self, files: LedgerFiles, access: Access) -> None:
        self._files = files
        self._access = access

    def checkpoint(self, request: Request) -> Response:
        return _answer(request, self._files.head(), TEXT, OF_HEADS)

    def newest(self, request: Request) -> Response:
        return _answer(request, self._files.log_file(NEWEST), TEXT, OF_HEADS)

    def key(self, request: Request) -> Response:
        return _answer(request, self._files.log_file(KEY), TEXT, OF_HEADS)

    def tile(self, request: Request) -> Response:
        try:
            path = parse_tile_path("tile/" + request.path_params["path"])
        except TileError:
            return _missing()
        return _answer(request, self._files.tile(path), BYTES, OF_TILES)

    def payloads(self, request: Request) -> Response:
        who = request.client.host if request.client else "?"
        try:
            number = parse_index_path(request.path_params["path"])
            caller = self._access.caller(request.headers.get("authorization"))
            found = self._files.payloads(number)
        except TokenRefused as error:
            log.warning("payloads refused to %s: %s", who, error)
            return PlainTextResponse(f"{error}\n", 401, {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"})
        except ColdStorageError as error:
            log.error("payloads/%s: %s", index_path(number), error)
            return PlainTextResponse("cold storage cannot be read; ask again\n", 503, {"Cache-Control": "no-store"})
        except LedgerError:
            found = None
        if found is None:
            return _missing()
        return self._give(request, who, caller, number, *found)

    def _give(
        self, request: Request, who: str, caller: Caller, number: int, leaves: list[bytes], found: Served
    ) -> Response:
        try:
            data, withheld = withhold(leaves, found.data, caller)
        except LedgerError as error:
            log.error("payloads/%s are damaged: %s", index_path(number), error)
            return PlainTextResponse("this bundle is damaged\n", 500)
        words = f", withheld: {', '.join(withheld)}" if withheld else ""
        log.info("payloads/%s read by %s (%s)%s", index_path(number), caller.name, who, words)
        answer = _answer(request, Served(data, found.modified_s), BYTES, OF_PAYLOADS)
        answer.headers["Vary"] = "Authorization"
        return answer


def _answer(request: Request, served: Served | None, kind: str, caching: str) -> Response:
    if served is None:
        return _missing()
    headers = {
        "ETag": f'"{hashlib.sha256(served.data).hexdigest()[:32]}"',
        "Last-Modified": formatdate(served.modified_s, usegmt=True),
        "Cache-Control": caching,
        "X-Content-Type-Options": "nosniff",
    }
    if _matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(served.data, headers={**headers, "Content-Type": kind})


def _matches(asked: str, etag: str) -> bool:
    """RFC 9110, 13.1.2: any of a list, compared weakly, or `*`."""
    return any(tag.strip().removeprefix("W/") in ("*", etag) for tag in asked.split(",")) if asked else False


def _busy(request: Request, error: Exception) -> Response:
    log.error("%s: %s", request.url.path, error)
    return PlainTextResponse("this cannot be read now; ask again\n", 503, {"Cache-Control": "no-store"})


def _missing() -> Response:
    return PlainTextResponse("no head covers this\n", 404, {"Cache-Control": "no-cache"})
