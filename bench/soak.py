"""`python -m bench.soak [--hours H]`: serve for a day, and look whether anything grows or drifts.

A real station (or, with --only server, the NTP server alone) serves this machine: plain NTP at a steady rate from 64
addresses with nonsense in between, NTS and Roughtime now and then, each reply verified. Every few seconds the memory
and the descriptors of each process are read, and served time is compared with the clock page. The verdict is printed
and written as JSON, with the series and a plot beside it. Exit code 0 when everything is flat, 3 when it is not.
"""

from __future__ import annotations

import argparse
import json
import math
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
from bench.soak_subjects import Subject, server_alone, whole_station
from timeball.station.reporting.hostfacts import process_facts

LEAST_ANSWERED = 0.999
SYNC_PATIENCE_S = 180.0
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
        self._pids: dict[str, int] = {}
        self.changed: Counter[str] = Counter()
        self.hours: list[float] = []
        self.memory: Series = {}
        self.descriptors: Series = {}
        self.offset: list[float] = []

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
        pids = self.subject.pids()
        for name, pid in pids.items():
            self.changed[name] += self._pids.get(name, pid) != pid
        self._pids = pids
        self.hours.append(elapsed_s / 3600)
        for name in {*pids, *self.memory}:
            facts = process_facts(pids.get(name))
            self._put(self.memory, name, math.nan if facts is None else facts.resident_bytes)
            self._put(self.descriptors, name, math.nan if facts is None else float(facts.descriptors or math.nan))
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
        lines.append(none_of("processes started again", sum(self.changed.values())))
        lines.append(none_of("end of the subject before its time", int(self.subject.process.poll() is not None)))
        return lines

    def counts(self) -> dict[str, Any]:
        """What was asked, and what came of it."""
        return {"ntp": dict(self.load.counts), **{name: dict(one.counts) for name, one in self.others.items()}}


def run(soak: Soak, hours: float, every_s: float, console: Console) -> None:
    """Ask and sample until the time is over, or Ctrl-C: what there is by then is judged."""
    soak.wait_in_sync()
    began = time.monotonic()
    soak.load.start()
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("soaking", total=hours * 3600)
            while (elapsed := time.monotonic() - began) < hours * 3600 and soak.subject.process.poll() is None:
                soak.sample(elapsed)
                progress.update(task, completed=elapsed)
                time.sleep(max(0.0, len(soak.hours) * every_s - (time.monotonic() - began)))
    except KeyboardInterrupt:
        console.print(f"stopped after {soak.hours[-1] if soak.hours else 0:.3g} of {hours:g} h")
    finally:
        soak.load.stop()
    if soak.subject.process.poll() is not None:
        console.print(f"the subject has ended: {soak.subject.said()}")


def write(folder: Path, what: str, soak: Soak, lines: list[Line]) -> None:
    """soak.json and soak.png."""
    folder.mkdir(parents=True, exist_ok=True)
    series = {"memory": soak.memory, "descriptors": soak.descriptors, "offset": {"served - page": soak.offset}}
    document = {
        "what": what,
        "hours": soak.hours[-1] if soak.hours else 0.0,
        "samples": len(soak.hours),
        "ok": all(line.ok for line in lines),
        "verdict": [asdict(line) for line in lines],
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
    every_s = options.every or max(1.0, options.hours * 3600 / 2000)
    subject_of = whole_station if options.only == "station" else server_alone
    with tempfile.TemporaryDirectory(prefix="soak") as folder, subject_of(Path(folder)) as subject:
        soak = Soak(subject, options.rate)
        run(soak, options.hours, every_s, console)
        lines = soak.verdict()
    write(options.output, options.only, soak, lines)
    for line in lines:
        console.print(f"{'ok  ' if line.ok else 'FAIL'}  {line.name}: {line.sentence} ({line.first:g} → {line.last:g}"
                      f" {line.unit}, {line.allowed:g} allowed)", highlight=False, soft_wrap=True)  # fmt: skip
    console.print(f"{options.output}/soak.json, {options.output}/soak.png")
    return 0 if all(line.ok for line in lines) else 3


if __name__ == "__main__":
    sys.exit(main())
