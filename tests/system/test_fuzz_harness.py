"""The fuzzing harness must find a bug that was planted: a fuzzer that cannot fail proves nothing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Both engines where both are there; hypothesis alone is enough for the harness to be tested.
ENGINES = ["hypothesis", *(["atheris"] if importlib.util.find_spec("atheris") else [])]

PLANTED = """
def seeds():
    return [b"T"]


def target(data):
    if len(data) > 3 and data[0] == ord("T"):
        raise RuntimeError("planted")
"""
HEALTHY = "def target(data):\n    assert isinstance(data, bytes)\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "breaks.py").write_text(PLANTED)
    (folder / "healthy.py").write_text(HEALTHY)
    (folder / "helper.py").write_text("nothing = 1\n")
    (folder / "unimportable.py").write_text("import nowhere_at_all\n\n\ndef target(data):\n    pass\n")
    return tmp_path


def fuzz(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz", "--package", "planted", "--folder", str(package / "out"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_planted_bug_is_found_and_its_input_kept(package: Path, engine: str) -> None:
    done = fuzz(package, "--engine", engine, "--seconds", "10", "--target", "breaks")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "BROKE" in done.stdout
    assert "planted" in done.stdout  # the traceback is in the end of the log
    (kept,) = (package / "out" / "breaks" / "crashes").iterdir()
    assert f"kept: {kept}" in done.stdout
    data = kept.read_bytes()
    assert len(data) > 3
    assert data[:1] == b"T"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_healthy_target_ends_well_and_its_inputs_are_counted(package: Path, engine: str) -> None:
    done = fuzz(package, "--engine", engine, "--seconds", "1", "--target", "healthy")
    assert done.returncode == 0, done.stdout + done.stderr
    row = next(line for line in done.stdout.splitlines() if "healthy" in line)
    assert "nothing broke" in row
    assert engine in row
    assert int(row.split("│")[4]) > 100
    assert list((package / "out" / "healthy" / "crashes").iterdir()) == []


def test_a_target_that_cannot_even_start_is_no_success(package: Path) -> None:
    done = fuzz(package, "--engine", "hypothesis", "--seconds", "1", "--target", "unimportable")
    assert done.returncode == 3
    assert "nowhere_at_all" in done.stdout


def test_an_unknown_target_is_told_what_there_is(package: Path) -> None:
    done = fuzz(package, "--target", "absent")
    assert done.returncode == 1
    assert "no target 'absent'; there are: breaks, healthy, unimportable" in done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_earlier_run_kept_is_not_taken_for_a_find_of_this_one(package: Path, engine: str) -> None:
    old = package / "out" / "healthy" / "crashes"
    old.mkdir(parents=True)
    (old / "crash-old").write_bytes(b"T123")
    done = fuzz(package, "--engine", engine, "--seconds", "1", "--target", "healthy")
    assert done.returncode == 0
    assert "crash-old" not in done.stdout


def test_without_atheris_it_says_that_hypothesis_drives(package: Path) -> None:
    program = (
        "import sys, importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'atheris' else real(name, *more)\n"
        "from fuzz.__main__ import main\n"
        "options = ['--package', 'planted', '--target', 'healthy', '--seconds', '1', '--folder']\n"
        f"sys.exit(main([*options, {str(package / 'out')!r}]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "hypothesis drives the targets instead" in done.stderr


def test_the_projects_own_targets_are_found_and_compiled_modules_are_not_instrumented() -> None:
    program = (
        "from fuzz.__main__ import discover\n"
        "from fuzz.drive import compiled_modules\n"
        "print(*discover('fuzz'))\n"
        "print(*compiled_modules())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    targets, compiled = (line.split() for line in done.stdout.splitlines())
    files = {path.stem for path in (ROOT / "fuzz").glob("*.py")}
    assert set(targets) == files - {"__init__", "__main__", "drive"}
    assert len(targets) >= 4
    assert "timeball.stability.kernels" in compiled
    assert "timeball.formats.columns" not in compiled
