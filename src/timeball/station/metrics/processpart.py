"""Metrics of a station's processes: whether they run, how often they were started again, what they take."""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.metrics.metric import Sample, counter, gauge
from timeball.station.reporting.view import View

UP = gauge("timeball_process_up", "1 while the process runs", "process")
UPTIME = gauge("timeball_process_uptime_seconds", "For how long it has run", "process")
RESTARTS = counter("timeball_process_restarts_total", "How often the supervisor has started it again", "process")
MEMORY = gauge("timeball_process_resident_memory_bytes", "Memory that it holds", "process")
CPU = counter("timeball_process_cpu_seconds_total", "Processor time that it has used", "process")
DESCRIPTORS = gauge("timeball_process_open_fds", "Files and sockets that it has open", "process")
THREADS = gauge("timeball_process_threads", "Threads that it has", "process")

METRICS = (UP, UPTIME, RESTARTS, MEMORY, CPU, DESCRIPTORS, THREADS)


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part."""
    for row in view.status["processes"]:
        name = row["name"]
        facts = view.facts[name]
        yield from UP.at(facts is not None, name)
        yield from RESTARTS.at(row["restarts"], name)
        yield from UPTIME.at(row["up_s"], name)
        if facts is not None:
            yield from MEMORY.at(facts.resident_bytes, name)
            yield from CPU.at(facts.cpu_s, name)
            yield from DESCRIPTORS.at(facts.descriptors, name)
            yield from THREADS.at(facts.threads, name)
