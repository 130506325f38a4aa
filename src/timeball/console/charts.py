"""The chart script, served from the package that ships it: nothing vendored, no other host asked.

The address carries the package's version, so a browser may keep it for a year and still gets the new one after an
upgrade.
"""

from __future__ import annotations

import gzip
import re
from functools import cache
from importlib import metadata, resources

from starlette.requests import Request
from starlette.responses import Response

PATH = "/plotly.min.js"


@cache
def chart_address() -> str:
    """Give the address of the chart script, with the version of the package."""
    return f"{PATH}?v={metadata.version('plotly')}"


@cache
def _script() -> bytes:
    return resources.files("plotly").joinpath("package_data/plotly.min.js").read_bytes()


@cache
def _script_gzip() -> bytes:
    return gzip.compress(_script(), compresslevel=6, mtime=0)


@cache
def chart_style_marks() -> tuple[str, ...]:
    """Give the element ids that the script looks for before it puts a style sheet of its own into the page.

    It carries one, for maps, which we do not draw; a page that already has an element of that id is left alone, so the
    page has one and its policy need not allow inline styles. The ids are digests that change with the package, hence
    read from it.
    """
    return tuple(sorted({found.decode() for found in re.findall(rb'getElementById\("([0-9a-f]{64})"\)', _script())}))


def serve_chart_script(request: Request) -> Response:
    """Answer with the script, compressed where the browser takes it (4.8 MB plain, 1.4 MB gzip). Runs in a thread."""
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(_script_gzip(), media_type="text/javascript", headers=headers)
    return Response(_script(), media_type="text/javascript", headers=headers)
