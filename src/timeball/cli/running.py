"""How a running station looks in a terminal: a progress bar at the first start, lines for events, one status line."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import Any

import click

ADDRESSES = {
    "ntp": "NTP",
    "nts": "NTS",
    "roughtime": "Roughtime",
    "console": "console",
    "metrics": "metrics",
    "state": "state",
}


def _joined(told: str | list[str]) -> str:
    return told if isinstance(told, str) else ", ".join(told)


class Reporter:
    """Prints what the supervisor reports: words for people, or one JSON object a line."""

    def __init__(self, *, json_lines: bool) -> None:
        self._json = json_lines
        self._tty = sys.stdout.isatty() and not json_lines
        self._bar: Any = None
        self._task: Any = None
        self._restarts = 0
        self._up: set[str] = set()
        self._running = False

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_progress()
        self._clear_status()

    def progress(self, fraction: float, words: str) -> None:
        """Show how far the laboratory's past has been computed, 0 to 1."""
        if self._json:
            self._print_json({"event": "progress", "fraction": round(fraction, 4), "what": words})
        elif self._tty:
            self._draw(fraction, words)
        elif fraction in (0.0, 1.0):
            click.echo(f"{'computing' if fraction == 0 else 'computed'} {words}")
        if fraction >= 1.0:
            self._end_progress()

    def report(self, event: dict[str, Any]) -> None:
        """Tell one event."""
        self._end_progress()
        if self._json:
            self._print_json(event)
            return
        for line in self._lines(event):
            self._clear_status()
            click.echo(line)
        self._status()

    def _lines(self, event: dict[str, Any]) -> list[str]:
        kind = event["event"]
        name = str(event.get("name", ""))
        if kind == "started":
            self._up.add(name)
            self._restarts += event["restarts"] > 0
            return [f"{name} started again" for _ in range(event["restarts"] > 0)]
        if kind == "died":
            self._up.discard(name)
            return [f"{name} died ({event['why']})", *(f"    {line}" for line in event["lines"])]
        if kind == "adopted":
            return self._adopted([row["name"] for row in event["processes"]])
        if kind == "not adopted":
            return [f"{_count(event['names'])} still running and ended: {event['why']}"]
        if kind == "running":
            return self._welcome(event)
        if kind == "time of day":
            return [f"time of day: {event['utc']}, {', '.join(event['sources'])}"] if event["utc"] else []
        if kind == "stopping":
            return [f"stopping: {event['why']}"]
        if kind == "stopped":
            self._running = False
            return ["stopped"]
        return [" ".join(str(part) for part in (name, kind, event.get("why", "")) if part)]

    def _adopted(self, names: list[str]) -> list[str]:
        self._up.update(names)
        return [f"{_count(names)} running and {'is' if len(names) == 1 else 'are'} supervised again"]

    def _welcome(self, event: dict[str, Any]) -> list[str]:
        self._running = True
        return [
            *(f"{word:10}{_joined(event[key])}" for key, word in ADDRESSES.items() if key in event),
            "Ctrl-C stops the station.",
        ]

    def _status(self) -> None:
        if self._tty and self._running:
            again = f", {self._restarts} started again" if self._restarts else ""
            click.echo(f"\r\x1b[K{len(self._up)} processes run{again}", nl=False)

    def _clear_status(self) -> None:
        if self._tty and self._running:
            click.echo("\r\x1b[K", nl=False)

    def _draw(self, fraction: float, words: str) -> None:
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(words, total=1.0)
        self._bar.update(self._task, completed=fraction, description=words)

    def _end_progress(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    @staticmethod
    def _print_json(event: dict[str, Any]) -> None:
        click.echo(json.dumps(event, ensure_ascii=False))
        sys.stdout.flush()


def _count(names: list[str]) -> str:
    return f"{len(names)} process was" if len(names) == 1 else f"{len(names)} processes were"
