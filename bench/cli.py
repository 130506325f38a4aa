"""How long a person waits for a command: whole processes, start-up included."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench import Figure, Skip, processes

TIMEBALL = (sys.executable, "-m", "timeball")
REAL_FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "rtklib-clk" / "esa15253.clk.gz"
MASERS = "AMC2,WTZR,NRC1,NYAL,HOB2,GODZ,MDVJ,IRKJ,KIR0,CEBR,CRO1,YELL"


def figures() -> Iterator[Figure | Skip]:
    """Give the time of `timeball --help` beside a bare interpreter, and of a scale from a day of real masers."""
    bare = "python -c pass"
    taken = processes({"help": [*TIMEBALL, "--help"], bare: [sys.executable, "-c", "pass"]}, rounds=11)
    peer = f"{bare} {taken[bare]:.3f} s"
    ratio = taken[bare] / taken["help"]
    yield Figure("timeball --help", "cli", taken["help"], "s", peer, ratio, "< 0.3 s", taken["help"] < 0.3)
    name = "timeball scale, 12 masers, one day"
    if not REAL_FILE.exists():
        yield Skip(name, f"{REAL_FILE.name} is not here (the folder of real data beside the project)")
        return
    scale = processes({"scale": [*TIMEBALL, "scale", str(REAL_FILE), "--clocks", MASERS, "--json"]}, rounds=3)["scale"]
    yield Figure(name, "cli", scale, "s", None, None, "< 5 s", scale < 5)
