"""The root command: lazy subcommands, exit codes, and what `timeball --help` may not import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from timeball import __version__
from timeball.cli import output, root

NAMES = [
    "run", "scale", "fit", "why", "anomalies", "circular-t", "transfer", "psfs", "steer", "report", "plot", "stability",
    "mask", "hat", "convert", "simulate", "query", "status", "diag", "clients", "watch-chrony", "verify", "replay",
    "prove", "witness", "nts", "roughtime", "ledger", "check"
]  # fmt: skip


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Run `timeball check` with a body of our own, and give the exit code."""

    def run(body: Callable[[], object]) -> int:
        loaded = SimpleNamespace(command=click.Command("check", callback=body))
        monkeypatch.setattr(root.importlib, "import_module", lambda name: {"timeball.cli.check": loaded}[name])
        return root.run(["check"])

    return run


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "-h"):
        assert root.run([flag]) == 0
        shown = capsys.readouterr().out
        listed = [line.split()[0] for line in shown.split("Commands:")[1].splitlines() if line.strip()]
        assert listed == NAMES
        assert "Exit codes: 0 fine, 1 usage, 2 cannot reach, 3 out of limits, 4" in shown


def test_help_fits_a_screen_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    root.run(["--help"])
    lines = capsys.readouterr().out.split("Commands:")[1].splitlines()
    assert len([line for line in lines if line.strip()]) == len(NAMES)
    assert max(map(len, lines)) <= 80


def test_help_imports_no_room() -> None:
    """What costs time: numpy, numba, rich, and any room of ours beside the root."""
    program = (
        "import sys\n"
        "from timeball.cli import root\n"
        "assert root.run(['--help']) == 0\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stderr.split()
    assert [name for name in loaded if name.startswith("timeball")] == [
        "timeball",
        "timeball.cli",
        "timeball.cli.output",
        "timeball.cli.root",
    ]
    heavy = {"numpy", "numba", "rich", "msgspec", "cryptography", "plotly", "starlette", "matplotlib", "asyncio"}
    assert heavy.isdisjoint(loaded)


@pytest.mark.parametrize("name", NAMES)
def test_each_subcommand_is_a_module_with_a_command_and_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = name.replace("-", "_")
    if not (Path(root.__file__).parent / f"{module}.py").exists():
        pytest.fail(f"timeball/cli/{module}.py is missing")
    assert root.run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: timeball {name} ")
    assert "--json" in shown or "Commands:" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["--version"]) == 0
    assert capsys.readouterr().out == f"timeball, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["bogus"], ["--bogus"], ["simulate", "--bogus"], ["simulate", "--days", "x"]])
def test_wrong_usage_is_exit_1(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(arguments) == 1
    assert "Error: " in capsys.readouterr().err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run([]) == 1
    told = capsys.readouterr()
    assert "Commands:" in told.out + told.err


class VerificationError(Exception):
    pass


class BadSignature(VerificationError):
    pass


class RecorderUnavailable(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (output.CommandError("so"), 1),
        (output.CannotReachError("so"), 2),
        (output.OutOfLimitsError("so"), 3),
        (output.EvidenceFailedError("so"), 4),
        (click.UsageError("so"), 1),
        (click.BadParameter("so"), 1),
        (BadSignature("so"), 4),
        (RecorderUnavailable("so"), 2),
        (ConnectionRefusedError("so"), 2),
        (FileNotFoundError("so"), 1),
        (click.exceptions.Exit(3), 3),
    ],
)
def test_errors_become_exit_codes(error: Exception, code: int, play, capsys: pytest.CaptureFixture[str]) -> None:
    assert play(raising(error)) == code
    told = capsys.readouterr()
    assert told.out == ""
    if not isinstance(error, click.exceptions.Exit):
        assert "so" in told.err


def test_ctrl_c_is_told_in_a_word(play, capsys: pytest.CaptureFixture[str]) -> None:
    assert play(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.strip() == "stopped"


def test_our_own_bugs_are_not_dressed_up(play) -> None:
    with pytest.raises(ZeroDivisionError):
        play(lambda: 1 // 0)


def test_what_a_command_returns_is_no_failure_unless_it_is_a_code(play) -> None:
    assert play(lambda: None) == 0
    assert play(lambda: "text") == 0
    assert play(lambda: 3) == 3


def test_typed_errors_of_the_rooms_have_a_code() -> None:
    from timeball.formats import FormatError
    from timeball.formats.defects import Defect
    from timeball.stability import TooShortError

    assert output.exit_code_of(FormatError(Defect("f", 1, "x", "y", "z"))) == 1
    assert output.exit_code_of(TooShortError("ADEV", 1, 2, 3)) == 1
    assert output.exit_code_of(RuntimeError()) is None


@pytest.mark.system
def test_the_module_and_a_reader_that_leaves() -> None:
    done = subprocess.run([sys.executable, "-m", "timeball", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"timeball, version {__version__}\n")
    command = f"{sys.executable} -m timeball simulate --model ocxo --days 1 --json"
    piped = subprocess.run(["sh", "-c", f"{command} | true"], capture_output=True, text=True)
    assert piped.stderr == ""
