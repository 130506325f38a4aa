"""`python -m bench [--room NAME]`: measure, print a table, write the report.

A room is a module by its name, and every module that says it is of that room (`ROOM`).

Exit code 0 when every figure meets its target, 1 for wrong usage, 3 when one does not, or a benchmark broke.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

import bench
from bench.figure import Figure, Skip

REPORT = Path(__file__).parent / "report.json"


def discover(package: ModuleType = bench) -> dict[str, ModuleType]:
    """Import the modules of the folder and keep those that have figures, by name."""
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            loaded = importlib.import_module(f"{package.__name__}.{module.name}")
            if hasattr(loaded, "figures"):
                found[module.name] = loaded
    return found


def measure(rooms: dict[str, ModuleType], progress: Progress) -> Iterator[Figure | Skip | str]:
    """Run the rooms one after the other; gives figures, skips, and the name of a room whose benchmark broke."""
    for name, module in rooms.items():
        task = progress.add_task(f"{name} ...", total=None)
        try:
            for each in module.figures():
                progress.update(task, description=f"{name}: {each.name}")
                yield each
        except Exception:  # one broken benchmark must not take the others' figures with it
            traceback.print_exc()
            yield name
        progress.update(task, description=name, total=1, completed=1)


def as_table(figures: Iterable[Figure]) -> Table:
    """Lay the figures out for people."""
    table = Table("room", "figure", "value", "peer", "ratio", "target", "")
    for column in (2, 4):
        table.columns[column].justify = "right"
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3g}"
        value = f"{figure.value:.4g} {figure.unit}"
        verdict = "[green]ok[/]" if figure.ok else "[red]missed[/]"
        table.add_row(figure.room, figure.name, value, figure.peer or "", ratio, figure.target or "", verdict)
    return table


def main(arguments: list[str] | None = None, package: ModuleType = bench, report: Path = REPORT) -> int:
    """Run the command line; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Timeball beside its peers.")
    parser.add_argument("--room", help="measure this room only")
    wanted = parser.parse_args(arguments).room
    rooms = discover(package)
    if wanted is not None:
        chosen = {name: module for name, module in rooms.items() if wanted in (name, getattr(module, "ROOM", name))}
        if not chosen:
            print(f"no benchmark of {wanted!r}; there are: {', '.join(rooms)}", file=sys.stderr)
            return 1
        rooms = chosen
    console = Console(stderr=True)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as progress:
        outcomes = list(measure(rooms, progress))
    figures = [each for each in outcomes if isinstance(each, Figure)]
    report.write_text(json.dumps([asdict(figure) for figure in figures], indent=2, ensure_ascii=False) + "\n")
    # a table in a log or a pipe is not squeezed into 80 columns
    out = Console() if sys.stdout.isatty() else Console(width=160)
    out.print(as_table(figures))
    for each in outcomes:
        if isinstance(each, Skip):
            out.print(f"not measured: {each.name}: {each.reason}", markup=False)
        elif isinstance(each, str):
            out.print(f"the benchmark of {each} broke (see above)", markup=False)
    out.print(f"written to {report}", markup=False)
    broken = any(isinstance(each, str) for each in outcomes)
    return 3 if broken or not all(figure.ok for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
