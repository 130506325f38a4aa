"""What a soak tells beside its verdict: how it goes while it runs, each process's figures, and why it ended badly.

Series have one value a sample, NaN where there was none; hours since the first sample. Nothing here judges.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.soak_judging import WARM_UP, slope
from bench.soak_subjects import Subject
from timeball.station.reporting.hostfacts import ProcessFacts


@dataclass
class Seen:
    """One process as it was last seen: at what hour, and what the kernel and the supervisor said of it then."""

    hour: float
    pid: int
    resident_bytes: int
    cpu_s: float
    threads: int
    restarts: int = 0
    changes: int = 0
    """How often its number changed while somebody looked; a supervisor that knows counts its restarts by itself."""

    def see(self, hour: float, pid: int, facts: ProcessFacts, restarts: int) -> None:
        """Take in what it is now."""
        self.changes += pid != self.pid
        self.hour, self.pid, self.restarts = hour, pid, max(restarts, self.changes)
        self.resident_bytes, self.cpu_s, self.threads = facts.resident_bytes, facts.cpu_s, facts.threads


def settled(hours: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The known points after the warm-up."""
    known = [(hour, value) for hour, value in zip(hours, values, strict=False) if math.isfinite(value)]
    kept = known[int(WARM_UP * len(known)) :]
    return [hour for hour, _ in kept], [value for _, value in kept]


def process_figures(
    hours: Sequence[float], memory: Mapping[str, Sequence[float]], seen: Mapping[str, Seen]
) -> dict[str, dict[str, Any]]:
    """Of each process: first and last memory after the warm-up (B), its slope (B/h), and how it was last seen."""
    found = {}
    for name, values in sorted(memory.items()):
        at, kept = settled(hours, values)
        ends = {"first_bytes": kept[0], "last_bytes": kept[-1]} if kept else {"first_bytes": None, "last_bytes": None}
        found[name] = {**ends, "slope_bytes_per_hour": slope(at, kept), "last_seen": asdict(seen[name])}
    return found


def offset_figures(hours: Sequence[float], offset: Sequence[float]) -> dict[str, Any]:
    """Served time minus the page (s) after the warm-up: median, the largest by size, and the drift in s a day."""
    at, kept = settled(hours, offset)
    largest = max(kept, key=abs, default=None)
    drift = 24 * slope(at, kept)
    return {"median_s": median(kept) if kept else None, "largest_s": largest, "drift_s_per_day": drift}


def process_lines(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The figures of the processes for people, one a line."""
    lines = [f"{'process':12} {'memory/MB':>17} {'slope/(MB/h)':>13} {'restarts':>9} {'CPU/s':>8}  last seen"]
    for name, row in figures.items():
        first, last = ((math.nan if row[key] is None else row[key] / 1e6) for key in ("first_bytes", "last_bytes"))
        last_seen = row["last_seen"]
        lines.append(
            f"{name:12} {first:7.1f} → {last:7.1f} {row['slope_bytes_per_hour'] / 1e6:+13.2f}"
            f" {last_seen['restarts']:9d} {last_seen['cpu_s']:8.1f}  process {last_seen['pid']}"
            f" at {last_seen['hour']:.3f} h, {last_seen['threads']} threads"
        )
    return lines


def offset_line(figures: Mapping[str, Any]) -> str:
    """The figures of served time for people."""
    if figures["median_s"] is None:
        return "served - page: no sample"
    return (
        f"served - page: median {figures['median_s'] * 1e6:+.2f} µs, at most {figures['largest_s'] * 1e6:+.2f} µs,"
        f" drift {figures['drift_s_per_day'] * 1e6:+.1f} µs a day"
    )


def keep_logs(subject: Subject, folder: Path) -> Path:
    """Copy every log beside the report, before the station's folder is thrown away."""
    kept = folder / "logs"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in subject.logs():
        shutil.copyfile(log, kept / log.name)
    return kept
