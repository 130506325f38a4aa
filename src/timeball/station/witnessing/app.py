"""The addresses of a witness (C2SP tlog-witness v1.0.0): add-checkpoint, and the newest cosigned head of each log.

Bodies are bounded in size and in the time they may take; whatever else arrives is refused in words. It decides nothing:
`heads` judges. `create_app` takes any routes, so that a witness may answer more than this.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from timeball.ledger.errors import Refusal
from timeball.ledger.witnessing import parse_add_checkpoint
from timeball.station.witnessing.heads import Heads

MAX_BODY_BYTES = 64 * 1024
BODY_WITHIN_S = 5.0
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}

log = logging.getLogger("witness")


def witness_routes(heads: Heads) -> list[BaseRoute]:
    """The addresses of the protocol over `heads`."""
    pages = _Pages(heads)
    return [
        Route("/add-checkpoint", pages.add_checkpoint, methods=["POST"]),
        Route("/{hashed:str}/checkpoint", pages.checkpoint, methods=["GET"]),
    ]


def create_app(routes: Iterable[BaseRoute]) -> Starlette:
    """An application that answers these routes, and 404 or 405 in words to all else."""
    return Starlette(routes=list(routes))


async def read_body(request: Request, limit: int = MAX_BODY_BYTES, within_s: float = BODY_WITHIN_S) -> bytes:
    """Read a request's body; raises HTTPException: 413 for one that is too long, 408 for one that does not end."""
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or int(told) > limit:
        raise HTTPException(413, f"a body has at most {limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for piece in request.stream():
                body += piece
                if len(body) > limit:
                    raise HTTPException(413, f"a body has at most {limit} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {within_s:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body broke off") from None
    return bytes(body)


class _Pages:
    """The endpoints, over the heads of one witness."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads

    async def add_checkpoint(self, request: Request) -> Response:
        body = await read_body(request)
        # judging and syncing take their time; nobody else shall wait for it
        return await run_in_threadpool(self._add, body)

    async def checkpoint(self, request: Request) -> Response:
        head = self._heads.by_hash(request.path_params["hashed"])
        if head is None:
            return _words(404, "this witness has cosigned no checkpoint of that log")
        return Response(head.note, media_type="text/plain", headers=_HEADERS)

    def _add(self, body: bytes) -> Response:
        try:
            lines = self._heads.add(parse_add_checkpoint(body))
        except Refusal as refusal:
            if refusal.fork:
                log.error("FORK: %s", refusal.body.strip())
            headers = {**_HEADERS, "content-type": refusal.content_type}
            return Response(refusal.body.encode(), refusal.status, headers)
        except OSError as error:
            log.error("not cosigned: the head could not be stored: %s", error)
            return _words(503, "the head could not be stored, so it was not cosigned; ask again")
        return Response("".join(lines), media_type="text/plain", headers=_HEADERS)


def _words(status: int, words: str) -> Response:
    return PlainTextResponse(words + "\n", status, _HEADERS)
