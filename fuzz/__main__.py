"""`python -m fuzz [--seconds N] [--target NAME]`: run the targets, print a table, keep what broke them.

Exit code 0 when nothing broke, 1 for wrong usage, 3 when a target broke.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "fuzz"
# Start-up, compilation of kernels and libFuzzer's own end come on top of the time asked for.
GRACE_S = 120
_RUNS = re.compile(rb"Done (\d+) runs|stat::number_of_executed_units: (\d+)")


@dataclass(frozen=True)
class Outcome:
    """How one target fared: the inputs tried, its exit code (None when it had to be stopped), and what was kept."""

    name: str
    runs: int | None
    code: int | None
    log: Path
    kept: list[Path]


def discover(package: str) -> list[str]:
    """Name the modules of a package that define a target."""
    folder = importlib.import_module(package)
    names = [found.name for found in pkgutil.iter_modules(folder.__path__) if not found.name.startswith("_")]
    sources = {name: importlib.util.find_spec(f"{package}.{name}") for name in names}
    # read, not imported: a target's imports are to happen in its own process, instrumented
    return [
        name
        for name, spec in sources.items()
        if spec and spec.origin and re.search(r"^def target\(", Path(spec.origin).read_text("utf-8"), re.MULTILINE)
    ]


def choose_engine(asked: str) -> str:
    """Give atheris where it can be used, else hypothesis; "auto" says so when it has to fall back."""
    usable = importlib.util.find_spec("atheris") is not None
    if asked == "atheris" and not usable:
        raise SystemExit("atheris is not installed: pip install --require-hashes -r requirements-fuzz.lock")
    if asked == "auto" and not usable:
        print("atheris cannot be used on this Python: hypothesis drives the targets instead", file=sys.stderr)
    return "atheris" if usable and asked != "hypothesis" else "hypothesis"


def fuzz_one(package: str, name: str, engine: str, seconds: int, folder: Path) -> Outcome:
    """Run one target in a process of its own; its log and what broke it stay in its folder."""
    place = folder / name
    (place / "crashes").mkdir(parents=True, exist_ok=True)
    before = set((place / "crashes").iterdir())
    log = place / "log.txt"
    command = [sys.executable, "-m", "fuzz.drive", package, name, engine, str(seconds), str(place)]
    code: int | None
    with log.open("wb") as out:
        try:
            done = subprocess.run(command, check=False, stdout=out, stderr=out, cwd=ROOT, timeout=seconds + GRACE_S)
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = None
    counts = _RUNS.findall(log.read_bytes())
    runs = int(next(filter(None, counts[-1]))) if counts else None
    return Outcome(name, runs, code, log, sorted(set((place / "crashes").iterdir()) - before))


def verdict(outcome: Outcome) -> str:
    """Say in a word how a target fared."""
    if outcome.code == 0:
        return "nothing broke"
    if outcome.code is None:
        return "did not end"
    return f"BROKE ({outcome.kept[0].name})" if outcome.kept else f"ended with {outcome.code}"


def report(outcomes: list[Outcome], engine: str, seconds: int) -> None:
    """Print the table, and for what broke the end of its log and where its input is kept."""
    console = Console() if sys.stdout.isatty() else Console(width=140)
    table = Table("target", "engine", "seconds", "inputs", "outcome")
    for outcome in outcomes:
        runs = "?" if outcome.runs is None else str(outcome.runs)
        table.add_row(outcome.name, engine, str(seconds), runs, verdict(outcome))
    console.print(table)
    for outcome in outcomes:
        if outcome.code != 0:
            tail = outcome.log.read_text("utf-8", "replace").splitlines()[-30:]
            print(f"\n{outcome.name}: the end of {outcome.log}")
            print("\n".join(f"    {line}" for line in tail))
            for path in outcome.kept:
                print(f"kept: {path}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Throw bytes at every parser.")
    parser.add_argument("--seconds", type=int, default=60, help="how long for each target (60)")
    parser.add_argument("--target", help="this target only")
    parser.add_argument("--engine", choices=["auto", "atheris", "hypothesis"], default="auto")
    parser.add_argument("--package", default="fuzz", help="package that holds the targets (fuzz)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where corpora, logs and crashes are kept")
    chosen = parser.parse_args(arguments)
    names = discover(chosen.package)
    if chosen.target is not None and chosen.target not in names:
        print(f"no target {chosen.target!r}; there are: {', '.join(names)}", file=sys.stderr)
        return 1
    engine = choose_engine(chosen.engine)
    outcomes = []
    for name in [chosen.target] if chosen.target else names:
        print(f"{name}: {chosen.seconds} s under {engine} ...", file=sys.stderr, flush=True)
        outcomes.append(fuzz_one(chosen.package, name, engine, chosen.seconds, chosen.folder.resolve()))
    report(outcomes, engine, chosen.seconds)
    return 3 if any(outcome.code != 0 for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
