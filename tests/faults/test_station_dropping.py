"""Rights of root that cannot be given up, as in a container without CAP_SETGID: told in words, nobody is answered."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from timeball.station.serving import dropping
from timeball.station.supervision.process import CannotStartError


@pytest.mark.parametrize("call", ["setgroups", "setresgid", "setresuid"])
def test_what_the_system_refuses_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def given(*_: object) -> None:
        """As if it had been done."""

    def refused(*_: int | Sequence[int]) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, refused if name == call else given)
    monkeypatch.setattr(dropping, "let_group", given)
    monkeypatch.setattr(dropping, "watch_from", given)
    monkeypatch.setattr(dropping, "forbid_new_privileges", given)
    with pytest.raises(CannotStartError, match="cannot become 'nobody': Operation not permitted"):
        dropping.become("nobody", tmp_path)
