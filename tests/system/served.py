"""Ledgers served over HTTP on loopback, for tests: the real server process, a static one, and one that tampers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Alter = Callable[[str, bytes], bytes | None]


@contextmanager
def timeball_serves(state: Path, *options: str, log: Path | None = None) -> Iterator[str]:
    """`timeball ledger serve` as a process; gives its URL. Its standard error goes to `log`."""
    command = [sys.executable, "-m", "timeball", "ledger", "serve", "--state", str(state), "--listen", "127.0.0.1:0"]
    with open(log or os.devnull, "wb") as errors:
        process = subprocess.Popen([*command, "--json", *options], stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


class _Files(SimpleHTTPRequestHandler):
    """Any static web server: no header of its own, nothing known of ledgers; with `alter` it lies."""

    alter: Alter | None = None

    def do_GET(self) -> None:
        if self.alter is None:
            super().do_GET()
            return
        try:
            data = self.alter(self.path.lstrip("/"), Path(self.translate_path(self.path)).read_bytes())
        except OSError:
            data = None
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def files_served(folder: Path, alter: Alter | None = None) -> Iterator[str]:
    """A static web server over `folder`; gives its URL. `alter` is given each path and its bytes."""
    handler = type("Handler", (_Files,), {"alter": staticmethod(alter) if alter else None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def published(state: Path, folder: Path) -> Path:
    """The files of a ledger laid out as `timeball ledger serve` serves them, for a static server."""
    shutil.copytree(state / "ledger", folder)
    shutil.copytree(state / "payloads", folder / "payloads")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
