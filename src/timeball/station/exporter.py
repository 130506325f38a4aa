"""The exporter of metrics for Prometheus: `python -m timeball.station.exporter --state DIR`.

Started only when `metrics.listen` is set. It answers GET /metrics from files alone: the clock page, the counters of
the other processes, the ledger and the supervisor's list; it asks no process, holds no key and writes nothing. It has
no login: keep it on a loopback address, or behind something that has. Started by root it becomes `ntp.user` and keeps
of root's rights that of reading: the ledger is its owner's alone.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from timeball.station.metrics.collector import StationCollector
from timeball.station.serving.dropping import become, may_read_all
from timeball.station.supervision.process import CannotStartError, Process, run_process
from timeball.station.web import listen_on, make_server

CONNECTION_S = 30.0
HOME = "Timeball: metrics for Prometheus are at /metrics\n"


def make_app(registry: CollectorRegistry) -> Starlette:
    """An application with two addresses: / and /metrics."""

    def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=kind)

    def home(_request: Request) -> Response:
        return PlainTextResponse(HOME)

    # plain functions: starlette calls them in a thread, so that a slow disk holds up nobody who connects
    return Starlette(routes=[Route("/metrics", metrics), Route("/", home)])


def give_up_rights(process: Process) -> Path:
    """Become `ntp.user`, who may read and nothing else; the path of the state folder from then on.

    Where root itself has no right to read everything there is none to keep, and it stays root. Raises CannotStartError.
    """
    user = process.config.ntp.user
    if not user:
        return process.state
    if os.geteuid() == 0 and not may_read_all():
        process.log.warning("stays root: without CAP_DAC_READ_SEARCH %s could not read the ledger", user)
        return process.state
    return become(user, process.state, reads_all=True)


def work(process: Process) -> None:
    """Answer until the process is told to stop."""
    address = process.config.metrics.listen
    if not address:
        raise CannotStartError("metrics.listen is empty: there is nothing to serve")
    try:
        listener = listen_on(address)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStartError(
            f"cannot serve metrics on {address}: {words}; change metrics.listen or free it"
        ) from error
    registry = CollectorRegistry()
    registry.register(StationCollector(give_up_rights(process)))
    server = make_server(make_app(registry), CONNECTION_S)
    process.log.info("metrics at http://%s/metrics", address)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while thread.is_alive() and not process.sleep(1.0):
        pass
    if not process.stop.is_set():
        raise RuntimeError("the server of the metrics has ended by itself")
    server.should_exit = True
    thread.join(5.0)


if __name__ == "__main__":
    sys.exit(run_process("exporter", work))
