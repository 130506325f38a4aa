"""Each durable step of the cookie keys and certificates broken: nothing is handed out that is not on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from timeball.station.configuration.serving import NTS
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.nts import secretfile
from timeball.station.nts.keeper import KeyKeeper, request_file
from timeball.station.nts.keyfile import KeySet, StoredKey, keys_file, read_key_set
from timeball.station.nts.moments import Clock
from timeball.station.nts.rotation import Rules
from timeball.station.nts.shown import ShownCertificate

RULES = Rules(rotate_s=1000.0, kept=2, lead_s=10.0)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
STEPS = ("os.open", "os.fsync", "replace", "sync_folder")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("state"), load_leap_table())


def break_step(step: str, patch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "replace":
        patch.setattr(Path, "replace", full)
    elif step == "sync_folder":
        patch.setattr(secretfile, "sync_folder", full)
    else:
        patch.setattr(f"timeball.station.nts.secretfile.{step}", full)


@pytest.mark.parametrize("step", STEPS)
def test_a_key_that_could_not_be_written_is_never_used(
    tmp_path: Path, clock: Clock, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = KeyKeeper(tmp_path, RULES, clock)
    assert keeper.turn()
    before = keeper.keys
    request_file(tmp_path).write_text("replace")
    with monkeypatch.context() as patch:
        break_step(step, patch)
        assert not keeper.turn()
    assert (keeper.keys, keeper.failures) == (before, 1)
    assert request_file(tmp_path).exists(), "it is still asked for"
    monkeypatch.setattr(keeper, "_again", float("-inf"))
    assert keeper.turn(), "there is space again"
    assert keeper.keys == read_key_set(keys_file(tmp_path)) != before
    assert [path.name for path in keys_file(tmp_path).parent.iterdir()] == ["keys"]


def test_a_failed_write_is_not_tried_again_at_once(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = KeyKeeper(tmp_path, RULES, clock)
    break_step("os.fsync", monkeypatch)
    assert not any(keeper.turn() for _ in range(50))
    assert (keeper.keys, keeper.failures) == (None, 1)


KILLED = """
import os, signal, sys
from pathlib import Path
from timeball.station.nts import secretfile
from timeball.station.nts.keyfile import KeySet, Moment, StoredKey, keys_file, write_keys
state, step = Path(sys.argv[1]), sys.argv[2]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if step == "replace":
    Path.replace = die
elif step == "sync_folder":
    secretfile.sync_folder = die
else:
    setattr(os, step.removeprefix("os."), die)
write_keys(keys_file(state), KeySet(current=StoredKey(2, "22" * 32), used=Moment(1.0, 1.0, "")))
"""


def test_killed_at_each_step_leaves_old_keys_or_new_ones(tmp_path: Path, clock: Clock) -> None:
    keeper = KeyKeeper(tmp_path, RULES, clock)
    assert keeper.turn()
    runs = [subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), step]) for step in STEPS[:-1]]
    assert [run.wait(60) for run in runs] == [-signal.SIGKILL] * 3
    assert read_key_set(keys_file(tmp_path)) == keeper.keys
    last = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), STEPS[-1]], timeout=60, check=False)
    assert last.returncode == -signal.SIGKILL
    assert read_key_set(keys_file(tmp_path)).current == StoredKey(2, "22" * 32)
    again = KeyKeeper(tmp_path, RULES, clock)
    assert isinstance(again.keys, KeySet)
    assert again.turn(), "a key of long ago is followed by another"


def test_a_certificate_that_cannot_be_renewed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = ShownCertificate(NTS(listen=("127.0.0.1:4460",)), tmp_path)
    assert shown.turn(NOW)
    before = shown.current
    with monkeypatch.context() as patch:
        break_step("os.fsync", patch)
        assert not shown.turn(NOW + timedelta(days=70))
    assert shown.current == before
    assert shown.turn(NOW + timedelta(days=70)), "there is space again"
    assert shown.current != before


def test_a_half_written_secret_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []

    def look(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)

    monkeypatch.setattr("timeball.station.nts.secretfile.os.fsync", look)
    old = os.umask(0)
    try:
        secretfile.write_secret(tmp_path / "nts" / "keys", b"secret")
    finally:
        os.umask(old)
    assert modes[0] == 0o600
