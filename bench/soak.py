"""`python -m bench.soak [--hours H]`: serve for a day, and look whether anything grows or drifts.

A real station (or, with --only server, the NTP server alone) serves this machine: plain NTP at a steady rate from 64
addresses with nonsense in between, NTS and Roughtime now and then, each reply verified. Every few seconds the memory
and the descriptors of each process are read, and served time is compared with the clock page. How it goes is told while
it runs; the verdict is printed and written as JSON, with the series and a plot beside it. When something was not as it
should be, the end of every log is printed, and the logs are kept. Exit code 0 when everything is flat, 3 when not.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import Progress

from bench.soak_judging import Line, answered, descriptors, draw, memory, none_of, served, still_there
from bench.soak_load import NTPLoad, Offset
from bench.soak_report import Seen, keep_logs, offset_figures, offset_line, process_figures, process_lines
from bench.soak_subjects import Subject, server_alone, whole_station
from timeball.station.reporting.hostfacts import process_facts

LEAST_ANSWERED = 0.999
SYNC_PATIENCE_S = 180.0
TELLS = 20
"""How often it is told how it goes, and no more often than every `TELL_LEAST_S`."""
TELL_LEAST_S = 30.0
Series = dict[str, list[float]]


class Client(Protocol):
    """Asks once when it is told to, and counts."""

    counts: Counter[str]

    def ask(self) -> None:
        """One request."""


def clients_of(subject: Subject) -> dict[str, Client]:
    """A client for each protocol that the subject serves beside plain NTP."""
    if not (subject.nts or subject.roughtime):
        return {}
    from bench.soak_clients import NTSLoad, RoughtimeLoad
    from timeball.station.nts.shown import ca_file

    found: dict[str, Client] = {}
    if subject.nts:
        found["nts"] = NTSLoad("127.0.0.1", subject.nts, subject.ntp, ca_file(subject.state))
    if subject.roughtime:
        found["roughtime"] = RoughtimeLoad(subject.roughtime, subject.state)
    return found


class Soak:
    """One soak of one subject: the askers, and the series that grow sample by sample."""

    def __init__(self, subject: Subject, rate: float) -> None:
        self.subject = subject
        self.load = NTPLoad(subject.ntp, rate)
        self.others = clients_of(subject)
        self._offset = Offset(subject.state, subject.ntp)
        self.seen: dict[str, Seen] = {}
        self.hours: list[float] = []
        self.memory: Series = {}
        self.descriptors: Series = {}
        self.offset: list[float] = []
        self.ended = ""

    def wait_in_sync(self) -> None:
        """Wait until served time can be compared; RuntimeError when that takes too long."""
        deadline = time.monotonic() + SYNC_PATIENCE_S
        while self._offset.measure() is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the subject does not claim to be in sync: {self.subject.said()}")
            time.sleep(0.5)

    def sample(self, elapsed_s: float) -> None:
        """One row of every series."""
        for asker in self.others.values():
            asker.ask()
        hour = elapsed_s / 3600
        self.hours.append(hour)
        rows = {row["name"]: row for row in self.subject.rows()}
        for name in {*rows, *self.memory}:
            facts = process_facts(rows[name]["pid"]) if name in rows and rows[name]["pid"] else None
            if facts is not None:
                first = Seen(hour, rows[name]["pid"], facts.resident_bytes, facts.cpu_s, facts.threads)
                self.seen.setdefault(name, first).see(hour, rows[name]["pid"], facts, rows[name]["restarts"])
                self._put(self.memory, name, facts.resident_bytes)
                self._put(self.descriptors, name, float(facts.descriptors or math.nan))
            elif name in self.memory:
                self._put(self.memory, name, math.nan)
                self._put(self.descriptors, name, math.nan)
        found = self._offset.measure()
        self.offset.append(math.nan if found is None else found[0])

    def _put(self, series: Series, name: str, value: float) -> None:
        row = series.setdefault(name, [])
        row += [math.nan] * (len(self.hours) - 1 - len(row))
        row.append(value)

    def verdict(self) -> list[Line]:
        """Every line of the verdict."""
        lines = [still_there(name, values) for name, values in sorted(self.memory.items())]
        lines += [memory(name, values) for name, values in sorted(self.memory.items())]
        lines += [descriptors(name, values) for name, values in sorted(self.descriptors.items())]
        lines.append(served(self.offset))
        counts = self.load.counts
        lines.append(answered("NTP", counts["asked"], counts["in sync"], LEAST_ANSWERED))
        for name, asker in self.others.items():
            good = asker.counts["authentic"] + asker.counts["verified"]
            bad = sum(count for word, count in asker.counts.items() if word.startswith(("failed", "wrong")))
            lines.append(answered(name, good + bad, good, LEAST_ANSWERED))
        lines.append(none_of("processes started again", self.restarts()))
        lines.append(none_of("end of the subject before its time", int(self.ended != "")))
        return lines

    def restarts(self) -> int:
        """How often a process was started again."""
        return sum(one.restarts for one in self.seen.values())

    def how_it_goes(self, hours: float) -> str:
        """One line in the middle of it."""
        counts, total = self.load.counts, sum(row[-1] for row in self.memory.values() if math.isfinite(row[-1]))
        share = counts["in sync"] / counts["asked"] if counts["asked"] else math.nan
        return (
            f"{self.hours[-1]:.3f} of {hours:g} h: {len(self.seen)} processes, {self.restarts()} restarts,"
            f" {total / 1e6:.0f} MB, served - page {self.offset[-1] * 1e6:+.1f} µs, {share:.4%} of NTP answered in sync"
        )

    def counts(self) -> dict[str, Any]:
        """What was asked, and what came of it."""
        return {"ntp": dict(self.load.counts), **{name: dict(one.counts) for name, one in self.others.items()}}


def run(soak: Soak, hours: float, every_s: float, console: Console) -> None:
    """Ask and sample until the time is over, or Ctrl-C or SIGTERM: what there is by then is judged."""
    soak.wait_in_sync()
    began, told_s, heard = time.monotonic(), 0.0, len(soak.subject.events())
    soak.load.start()
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("soaking", total=hours * 3600)
            while (elapsed := time.monotonic() - began) < hours * 3600 and not soak.subject.ended():
                soak.sample(elapsed)
                progress.update(task, completed=elapsed)
                events = soak.subject.events()
                for event in events[heard:]:
                    console.print(f"{elapsed / 3600:.3f} h: {event}", highlight=False, markup=False, soft_wrap=True)
                heard = len(events)
                if elapsed - told_s >= max(TELL_LEAST_S, hours * 3600 / TELLS):
                    told_s = elapsed
                    console.print(soak.how_it_goes(hours), highlight=False, soft_wrap=True)
                time.sleep(max(0.0, len(soak.hours) * every_s - (time.monotonic() - began)))
    except KeyboardInterrupt:
        console.print(f"stopped after {soak.hours[-1] if soak.hours else 0:.3g} of {hours:g} h")
    finally:
        soak.load.stop()
    soak.ended = soak.subject.ended()


def write(folder: Path, what: str, soak: Soak, lines: list[Line]) -> None:
    """soak.json and soak.png."""
    folder.mkdir(parents=True, exist_ok=True)
    series = {"memory": soak.memory, "descriptors": soak.descriptors, "offset": {"served - page": soak.offset}}
    document = {
        "what": what,
        "hours": soak.hours[-1] if soak.hours else 0.0,
        "samples": len(soak.hours),
        "ok": all(line.ok for line in lines),
        "ended": soak.ended,
        "verdict": [asdict(line) for line in lines],
        "processes": process_figures(soak.hours, soak.memory, soak.seen),
        "served_minus_page": offset_figures(soak.hours, soak.offset),
        "counts": soak.counts(),
        "series": {"hours": soak.hours, **series},
    }
    (folder / "soak.json").write_text(json.dumps(_plain(document), indent=1, allow_nan=False) + "\n")
    words = f"{what}, {document['hours']:.3g} h, {soak.load.counts['in sync']} answers: "
    draw(folder / "soak.png", soak.hours, series, words + ("flat" if document["ok"] else "NOT flat"))


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--hours", type=float, default=24.0, help="how long (24)")
    parser.add_argument("--rate", type=float, default=1000.0, help="plain NTP requests a second (1000)")
    parser.add_argument("--every", type=float, default=0.0, help="seconds between samples (a 2000th of the time)")
    parser.add_argument("--only", choices=("station", "server"), default="station", help="what soaks (station)")
    parser.add_argument("--output", type=Path, default=Path("build/soak"), help="folder of soak.json and soak.png")
    options = parser.parse_args(arguments)
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    every_s = options.every or max(1.0, options.hours * 3600 / 2000)
    subject_of = whole_station if options.only == "station" else server_alone
    try:
        with tempfile.TemporaryDirectory(prefix="soak") as folder, subject_of(Path(folder)) as subject:
            soak = Soak(subject, options.rate)
            run(soak, options.hours, every_s, console)
            lines = soak.verdict()
            if not all(line.ok for line in lines):
                console.print(subject.said(), highlight=False, markup=False, soft_wrap=True)
                console.print(f"the logs are kept in {keep_logs(subject, options.output)}", soft_wrap=True)
    except RuntimeError as error:
        console.print(str(error), highlight=False, markup=False, soft_wrap=True)
        return 3
    write(options.output, options.only, soak, lines)
    tell(soak, lines, console)
    console.print(f"{options.output}/soak.json, {options.output}/soak.png", soft_wrap=True)
    return 0 if all(line.ok for line in lines) else 3


def tell(soak: Soak, lines: list[Line], console: Console) -> None:
    """The verdict, and the figures it rests on."""
    for line in lines:
        console.print(f"{'ok  ' if line.ok else 'FAIL'}  {line.name}: {line.sentence} ({line.first:g} → {line.last:g}"
                      f" {line.unit}, {line.allowed:g} allowed)", highlight=False, soft_wrap=True)  # fmt: skip
    figures = process_lines(process_figures(soak.hours, soak.memory, soak.seen))
    for text in [*figures, offset_line(offset_figures(soak.hours, soak.offset))]:
        console.print(text, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
