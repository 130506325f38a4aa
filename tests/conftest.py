"""Shared fixtures: the real data folder, and the rule that in CI nothing may be skipped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no counter-example: examples are bounded in number, not in time.
settings.register_profile("timeball", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("timeball")

ROOT = Path(__file__).resolve().parent.parent
AS_INSTALLED = ROOT / "tests" / "fakes" / "as_installed"
SHARED_DATA = ROOT.parent / "shared" / "data"
# Modules whose tests watch the time of a whole running station: what else runs would be measured with it.
STATIONS = (
    "test_cli_run.py",
    "test_station_crash.py",
    "test_station_live.py",
    "test_station_publisher.py",
    "test_station_server.py",
)
# What only computes comes first: it runs beside the stations, and what starts stations of its own when they have gone.
FOLDERS = ("unit", "properties", "vectors", "simulation", "attacks", "outside", "system", "faults", "docs")
# A file goes to one worker as a whole: these take minutes, and one that came last would run alone. What only computes
# is done beside the stations, what mostly waits as soon as they have gone.
EARLIER = {
    "test_ledger_schedules.py": "unit",
    "test_station_full_disk.py": "system",
    "test_console_browser.py": "system",
}
# What may be skipped even where nothing else may: an interpreter newer than the one the suite runs on.
ALLOWED_SKIPS = ("no Python 3.12 here",)


@pytest.fixture(scope="session", autouse=True)
def as_installed() -> Iterator[None]:
    """What tests start runs without what only tests need; a fixture, since workers are no such process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(AS_INSTALLED), prepend=os.pathsep)
        yield


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Give the path of a real data file, or skip the test with the reason in words."""

    def find(relative: str) -> Path:
        path = SHARED_DATA / relative
        if not path.exists():
            pytest.skip(f"real data not here: ../shared/data/{relative}")
        return path

    return find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=order)
    for item in items:
        if item.path.name in STATIONS:
            item.add_marker(pytest.mark.stations)


def order(item: pytest.Item) -> tuple[int, bool]:
    """Place of a test's folder, and in it first of all what takes long."""
    name = item.path.name
    return FOLDERS.index(EARLIER.get(name, item.path.parent.name)), name not in EARLIER


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} skipped: they need what this machine does not have (listed above)")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("TIMEBALL_NO_SKIPS") or exitstatus != 0 or not reporter:
        return
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    if any(not any(words in reason for words in ALLOWED_SKIPS) for reason in skipped):
        reporter.write_line("skipped tests are not allowed here (TIMEBALL_NO_SKIPS is set)", red=True)
        session.exitstatus = 1
