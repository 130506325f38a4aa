"""A ledger of an hour in the life of a station, for proofs: what it served, its leases, its observer's looks.

After the five hours of `ledgers.build_small` the recorder's clock goes on second by second from T0: statements every
60 s, an observer that looks every 2 s, a finding, a stop, a boot, a stall. Every time and figure is given here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledgers import GENESIS, HOUR, build_small

from timeball.instants import Instant, format_utc
from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.note import make_signer
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.recording.store import NewEntry, Store

S = 10**9
T0 = GENESIS + 5 * HOUR + 60 * S
OBSERVER = make_signer("timeball.test/observer", bytes(range(1, 33)))
LEAPS = load_leap_table()


def utc(second: float) -> str:
    """The moment `second` after T0 as text."""
    return format_utc(Instant.from_ns(T0 + round(second * S)), LEAPS)


@dataclass
class Life:
    """What is appended, each entry at a second of the recorder's clock."""

    store: Store

    def say(self, second: float, by: str, kind: str, payload: dict[str, Any]) -> int:
        """One entry; gives its index."""
        entry = NewEntry(by, self.store.next_seq(by), kind, 1, canonical.encode(payload))
        return self.store.append_many([entry], T0 + round(second * S))[0]

    def serve(self, second: float, boot: str = "boot-1", late_ns: int = 0, against: str = "", **changed: str) -> int:
        """A statement whose reference is at `second`, recorded 1.5 s later."""
        tai_ns = T0 + round(second * S)
        payload = {
            "boot_id": boot,
            "raw_ns": str(5 * S + tai_ns - T0 - round(second) + late_ns),  # 1 ns a second slow
            "tai_ns": str(tai_ns),
            "tai_frac_fs": 250_000,
            "rate": "1e-09",
            "bound_s": "1.5e-07",
            "bound_growth": "1e-08",
            "tai_minus_utc_s": 37,
            "utck_minus_utc_s": repr(-3e-9 - second * 1e-12),
            "u_s": "4e-09",
            "residual_s": "1e-11",
            "against": against,
        }
        return self.say(second + 1.5, "served", "served", {**payload, **changed})

    def look(self, first: float, last: float, code: int = 0, without: tuple[float, float] = (0.0, 0.0)) -> int:
        """A verdict on looks every 2 s from `first` to `last`, recorded at `last`."""
        seconds = [first + 2.0 * i for i in range(int((last - first) / 2))]
        kept = [second for second in seconds if not without[0] < second < without[1]]
        batch = {
            "kind": "verdict",
            "code": code,
            "verdict": "found" if code else "nothing found",
            "epochs": [str(T0 + round(second * S)) for second in kept],
            "pairs": [["OUT", "Cs1"]],
            "x_fs": [["0"] for _ in kept],
            "residual_fs": ["0" for _ in kept],
            "reply_offset_fs": [],
        }
        return self.say(last, "observer", "verdict", sign_batch(batch, OBSERVER))

    def lease(self, second: float, who: str, state: str, why: str) -> int:
        """A lease entry of the timekeeper or the observer."""
        by = "observer-lease" if who == "observer" else "lease"
        return self.say(second, by, "lease", {"lease": who, "state": state, "why": why})


def live(life: Life) -> None:
    """The life that the tests ask about; see the module's docstring."""
    key = {"name": "observer", "purpose": "verdicts", "vkey": OBSERVER.verifier.vkey}
    life.say(-3.0, "observer-key", "key", key)
    life.lease(-2.0, "observer", "granted", "nothing found")
    life.lease(-2.0, "timekeeper", "granted", "scale, ledger and output agree")
    life.serve(0.0)
    life.look(-2.0, 30.0)
    life.serve(60.0, late_ns=20)
    life.look(30.0, 90.0)
    life.serve(120.0)
    life.look(90.0, 150.0, code=1)
    life.lease(150.0, "observer", "withheld", "the output is 40 ns off")
    life.serve(180.0)
    life.look(150.0, 200.0)
    life.lease(200.0, "observer", "granted", "nothing found")
    life.serve(240.0)
    life.look(200.0, 250.0)
    # the station is off for ten minutes and comes back after a boot
    life.lease(998.0, "observer", "granted", "nothing found; started anew")
    life.lease(998.0, "timekeeper", "granted", "scale, ledger and output agree; started anew")
    life.serve(1000.0, boot="boot-2")
    life.serve(1060.0, boot="boot-2")
    life.look(1000.0, 1070.0, without=(1020.0, 1050.0))
    life.lease(1080.0, "timekeeper", "withheld", "the newest scale epoch is 700 s old")
    life.serve(1120.0, boot="boot-2", against="the newest scale epoch is 700 s old")
    life.look(1070.0, 1130.0)


def build_life(state: Path) -> Path:
    """The whole ledger in a new state folder."""
    build_small(state)
    with Store(state) as store:
        live(Life(store))
        store.integrate()
    return state
