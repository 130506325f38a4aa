"""What every answer of the console goes through: the Host it speaks for, the methods it knows, the headers it sets.

DNS rebinding: a foreign page may point its own name at a loopback address and read the answers as its own origin. The
Host header then carries that foreign name, so only names that are ours are answered. It does not authenticate anybody:
who reaches the port may read.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing but our own origin, and no inline script, inline style or eval at all. The charts can live with that, with
# three precautions: their package writes its few rules into an element with the id `plotly.js-style-global` if the
# page has one, and ours is a linked, empty sheet, filled through the CSSOM (which style-src does not restrict); the
# style sheet it carries for maps is kept out by `charts.chart_style_marks`; and texts in charts use no sub- or
# superscript tags, because it writes those with style attributes (so the tick labels of the logarithmic axes are
# written by us). `data:` images are what it tests the renderer with.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), usb=()",
}


def host_name(header: str) -> str:
    """Give the name in a Host header, in lower case, without port and IPv6 brackets (RFC 9110 §7.2)."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


class HostRule:
    """Which Host names are ours: localhost, loopback addresses, and the configured names.

    A configured wildcard address (0.0.0.0, ::) means that any literal address may be ours: an attacker's name cannot
    look like one.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {"localhost"} | {name.lower() for name in names}
        self._any_address = any((address := _address(name)) and address.is_unspecified for name in self._names)

    def allows(self, header: str) -> bool:
        """Tell whether an answer may be given under this Host header."""
        name = host_name(header)
        address = _address(name)
        if address is not None and (self._any_address or address.is_loopback):
            return True
        return name in self._names


class Guard:
    """The outermost layer: refuses foreign hosts and everything but GET, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp, rule: HostRule) -> None:
        self._app = app
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._judge(scope)(scope, receive, send_with_headers)

    def _judge(self, scope: Scope) -> ASGIApp:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._rule.allows(hosts[0]):
            return PlainTextResponse("This console does not answer under that name.\n", status_code=421)
        if scope["method"] != "GET":
            return PlainTextResponse("This console only answers GET.\n", status_code=405, headers={"allow": "GET"})
        return self._app
