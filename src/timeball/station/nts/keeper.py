"""The owner of the cookie keys: makes them, writes them, and only then lets anybody have them.

A key that could not be written is thrown away and the old ones go on; the next try makes another. What an operator
asked for (`timeball nts rotate`) stands in a file beside the keys, which goes when it was done.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import msgspec

from timeball.station.nts.keyfile import KeyFileError, KeySet, keys_file, read_key_set, write_keys
from timeball.station.nts.moments import Clock
from timeball.station.nts.rotation import Rules, announced, first_keys, next_keys, what_changed
from timeball.station.nts.secretfile import Owner

RETRY_S = 5.0
ROTATE, REPLACE = "rotate", "replace"
log = logging.getLogger("keyexchange")


def request_file(state: Path) -> Path:
    """STATE/nts/request: what an operator asks of the keys, ROTATE or REPLACE."""
    return state / "nts" / "request"


class KeyKeeper:
    """The keys of one state folder. `keys` is None until there are any; `changes` and `failures` are counted.

    `follows`: the keys come from a leader (`take`), and none are made here. `owner`: as in `write_keys`.
    """

    def __init__(
        self, state: Path, rules: Rules, clock: Clock, *, follows: bool = False, owner: Owner | None = None
    ) -> None:
        self.keys: KeySet | None = None
        self.changes = self.failures = 0
        self.why = ""
        self._state, self._rules, self._clock, self._follows = state, rules, clock, follows
        self._owner = owner
        self._again = float("-inf")
        self._read()

    def turn(self) -> bool:
        """Do what is due; true when the keys have changed."""
        if self._follows or time.monotonic() < self._again:
            return False
        now, asked = self._clock.moment(), self._asked()
        if self.keys is None or asked == REPLACE:
            done = self._put(first_keys(now, os.urandom))
        elif self.keys.source:  # a follower yesterday, and the leader now
            return self._put(msgspec.structs.replace(self.keys, source=""))
        elif asked == ROTATE:
            done = self._put(announced(self.keys, now, os.urandom))
        else:
            due = next_keys(self.keys, now, self._rules, os.urandom)
            return due is not None and self._put(due)
        if done and asked:
            request_file(self._state).unlink(missing_ok=True)
        return done

    def take(self, keys: KeySet) -> bool:
        """Take the keys of the cluster's leader; true when they are others than before, and on the disk."""
        return keys != self.keys and self._put(keys)

    def _read(self) -> None:
        path = keys_file(self._state)
        if not path.exists():
            return
        if self._owner is not None:
            os.chown(path, *self._owner)  # ntp.user may be another than when it was written
        try:
            self.keys = read_key_set(path)
        except KeyFileError as error:
            # keys that nobody can read open no cookie: clients ask for new ones, as after a lost disk
            log.error("%s; new keys are made", error)
            self.failures += 1

    def _put(self, keys: KeySet) -> bool:
        try:
            write_keys(keys_file(self._state), keys, self._owner)
        except OSError as error:
            self.failures += 1
            self._again = time.monotonic() + RETRY_S
            log.error("the keys could not be written, the old ones go on: %s", error)
            return False
        self.why = what_changed(self.keys, keys)
        self.keys = keys
        self.changes += 1
        log.info("cookie keys: %s; %d in use", self.why, keys.current.id)
        return True

    def _asked(self) -> str:
        try:
            return request_file(self._state).read_text("ascii").strip()
        except (OSError, ValueError):
            return ""
