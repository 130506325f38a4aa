"""The console's addresses: the page, three JSON answers, the static files and the chart script.

It only reads. Every answer goes through `guard`, every reading through `answers`. It does not decide anything: lamps
of clocks and verdicts come from the reader, and the page shows them.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from timeball.console import charts
from timeball.console.answers import Answers, Reader
from timeball.console.guard import Guard, HostRule

HERE = Path(__file__).parent

STATUS_KEEP_S = 0.5
HISTORY_KEEP_S = 5.0
DEVIATIONS_KEEP_S = 20.0
MAX_INDEX = 2**53  # JSON integers end there

# A page must know how old the kept answer is that it draws a clock from.
AGE_HEADER = "timeball-age-s"


def _json(body: bytes, status_code: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status_code=status_code, media_type="application/json", headers=headers)


def _refusal(status_code: int, words: str) -> Response:
    return _json(msgspec.json.encode({"error": words}), status_code)


class _Pages:
    """The endpoints, over one reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._answers = Answers()
        self._last_failure = ""
        templates = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True)
        self._page = templates.get_template("page.html").render(
            chart_address=charts.chart_address(), chart_style_marks=charts.chart_style_marks()
        )

    async def page(self, _request: Request) -> Response:
        return HTMLResponse(self._page)

    async def status(self, _request: Request) -> Response:
        return await self._answer("status", STATUS_KEEP_S, self._reader.status)

    async def history(self, request: Request) -> Response:
        text = request.query_params.get("since", "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= MAX_INDEX):
            return _refusal(400, "since must be a ledger index, a whole number from 0")
        since = int(text)
        return await self._answer(f"history {since}", HISTORY_KEEP_S, partial(self._reader.history, since))

    async def deviations(self, _request: Request) -> Response:
        return await self._answer("deviations", DEVIATIONS_KEEP_S, self._reader.deviations)

    async def _answer(self, key: str, keep_s: float, read: Callable[[], dict[str, Any]]) -> Response:
        try:
            answer = await self._answers.get(key, keep_s, read)
        except Exception as failure:
            # Whatever goes wrong in reading, the page must hear it and turn grey, not wait.
            return self._failed(failure)
        self._last_failure = ""
        return _json(answer.body, headers={AGE_HEADER: f"{self._answers.age_s(answer):.3f}"})

    def _failed(self, failure: Exception) -> Response:
        words = str(failure) or type(failure).__name__
        if words != self._last_failure:
            self._last_failure = words
            print(f"console: cannot read the station: {words}", file=sys.stderr, flush=True)  # noqa: T201
        return _refusal(503, words)

    def close(self) -> None:
        self._answers.close()


class _Static(StaticFiles):
    """Our own CSS and JavaScript; a browser asks each time whether its copy is still the current one."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def create_app(reader: Reader, names: Iterable[str] = ()) -> Starlette:
    """Build the console over a reader.

    Parameters
    ----------
    reader
        Anything with the three methods of `answers.Reader`; they are called in one worker thread, never concurrently.
    names
        Host names and addresses, besides localhost and loopback, under which it may be reached.
    """
    pages = _Pages(reader)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        pages.close()

    return Starlette(
        routes=[
            Route("/", pages.page),
            Route("/api/status", pages.status),
            Route("/api/history", pages.history),
            Route("/api/deviations", pages.deviations),
            Route(charts.PATH, charts.serve_chart_script),
            Mount("/static", _Static(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard, rule=HostRule(names))],
        lifespan=lifespan,
    )
