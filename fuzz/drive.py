"""One target in this process: `python -m fuzz.drive PACKAGE NAME ENGINE SECONDS FOLDER`; started by `python -m fuzz`.

Ends with 0 when nothing broke. A broken target's input is left as FOLDER/crashes/crash-<digest>, and its traceback on
stderr.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

Target = Callable[[bytes], None]
CRASHED = 77  # libFuzzer's own code
LONGEST_INPUT = 1 << 16
# What one input may take before it counts as hung, and what the process may use.
HUNG_AFTER_S = 20
MEMORY_MB = 4096


def seeds_of(module: ModuleType) -> Iterable[bytes]:
    """Give the inputs a target wants to start from."""
    give: Callable[[], Iterable[bytes]] = getattr(module, "seeds", tuple)
    return give()


def compiled_modules() -> list[str]:
    """Name our modules that hold numba kernels: instrumented bytecode is nothing that numba could compile."""
    spec = importlib.util.find_spec("timeball")
    if spec is None or spec.origin is None:
        return []
    root = Path(spec.origin).parent
    marks = ("numba", "import lean")
    sources = (path for path in root.rglob("*.py") if any(mark in path.read_text(encoding="utf-8") for mark in marks))
    return [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in sources]


def run_atheris(package: str, name: str, seconds: int, folder: Path) -> int:
    """Run under libFuzzer; it ends the process itself."""
    import atheris

    with atheris.instrument_imports(include=["timeball", package], exclude=compiled_modules()):
        module = importlib.import_module(f"{package}.{name}")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds_of(module):
        (corpus / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_INPUT,
        "timeout": HUNG_AFTER_S,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{folder / 'crashes'}/",
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], module.target)
    atheris.Fuzz()
    return 0


def run_hypothesis(package: str, name: str, seconds: int, folder: Path) -> int:
    """Feed bytes that hypothesis makes up, seeds and pieces of them among them, until the time is over."""
    module = importlib.import_module(f"{package}.{name}")
    attempt = 0
    runs = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        attempt += 1
        broken, done = _batch(module.target, list(seeds_of(module)), attempt, end)
        runs += done
        if broken is not None:
            path = folder / "crashes" / f"crash-{hashlib.sha1(broken, usedforsecurity=False).hexdigest()}"
            path.write_bytes(broken)
            print(f"Test unit written to {path}", file=sys.stderr)
            return CRASHED
    print(f"Done {runs} runs", file=sys.stderr)
    return 0


def _batch(target: Target, seeds: list[bytes], attempt: int, end: float) -> tuple[bytes | None, int]:
    """Try some hundred inputs; gives the smallest that broke the target, if any, and the number tried."""
    from hypothesis import HealthCheck, given, seed, settings
    from hypothesis import strategies as st

    made = st.binary(max_size=2048)
    if seeds:
        known = st.sampled_from(seeds)
        cut = st.tuples(known, st.integers(0, 1 << 12), made, known, st.integers(0, 1 << 12))
        made = st.one_of(made, known, cut.map(lambda t: t[0][: t[1]] + t[2][:16] + t[3][t[4] :]))
    tried: list[bytes] = []
    broken: list[bytes] = []

    @seed(attempt)
    @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(made)
    def feed(data: bytes) -> None:
        if not broken and time.monotonic() > end:
            return
        tried.append(data)
        try:
            target(data)
        except Exception:
            broken.append(data)
            raise

    try:
        feed()
    except Exception:
        traceback.print_exc()
    return (min(broken, key=lambda data: (len(data), data)) if broken else None), len(tried)


def main(package: str, name: str, engine: str, seconds: str, folder: str) -> int:
    """Run one target under one engine."""
    (Path(folder) / "crashes").mkdir(parents=True, exist_ok=True)
    run = run_atheris if engine == "atheris" else run_hypothesis
    return run(package, name, int(seconds), Path(folder))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
