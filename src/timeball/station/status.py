"""What the station says of itself: one view of ledger and pages for the command line, the console and the metrics.

Everything here is read, nothing is asked of a process: the ledger's newest entries, the clock page's two halves, the
server's counters and the supervisor's list. Times are seconds; x_i is clock i minus TA(k); residual = output − UTC(k).
"""

from __future__ import annotations

import base64
import math
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from timeball.instants import Instant, LeapTable, format_utc, mjd_utc
from timeball.ledger import canonical
from timeball.station import hostclocks, paths
from timeball.station.clockpage import (
    ObserverPage,
    PageReader,
    ServedTime,
    TimekeeperPage,
    now_from_page,
)
from timeball.station.config import Config, read_effective
from timeball.station.leaps import load_leap_table
from timeball.station.ledger_reader import LedgerReader
from timeball.station.series import Series
from timeball.station.serverpage import ServerPage, server_page

Payload = dict[str, Any]
STATES = {"ok": "in use", "at cap": "in use", "reduced": "in use", "no weight": "zero weight", "missing": "missing"}
LEARNING = ("learning", "starting", "joined", "rate step", "noise changed")
LAMPS = {"in use": "green", "zero weight": "green", "learning": "yellow", "left out": "yellow", "missing": "grey"}


class StatusReader:
    """A reader of one state folder; cheap to ask again."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.config: Config = read_effective(state)
        self.reader = LedgerReader(state)
        self.leaps: LeapTable = load_leap_table(self.config.leap_seconds.file or None)
        self.series = Series(self.reader, self.config)
        self._newest: dict[str, Payload | None] = {}
        self._seen = -1

    def status(self) -> Payload:
        """The whole status; keys as `timeball status --json` prints them (docs/status.md)."""
        self._read_newest()
        now, pages = self._now()
        scale = self._newest["scale"]
        output = self._output()
        alarms = self._alarms(now)
        return {
            "station": self._station(now, output, alarms),
            "time": self._time(now, pages[0]),
            "leases": self._leases(pages),
            "clocks": self._clocks(scale),
            "scale": self._scale(scale, now),
            "output": output,
            "ledger": self._ledger(),
            "ntp": {"listen": list(self.config.ntp.listen), **self._server_counts()},
            "processes": self._processes(),
            "alarms": alarms,
        }

    def history(self, since: int = 0) -> Payload:
        """Phases, residuals and UTC(k) − UTC recorded after ledger index `since` (0: all, thinned out)."""
        return self.series.history(since)

    def deviations(self) -> Payload:
        """Overlapping Allan deviations of every clock against TA(k)."""
        return self.series.deviations()

    def _read_newest(self) -> None:
        size = self.reader.size()
        if size == self._seen:
            return
        self._seen = size
        for name, entry in (
            *((kind, self.reader.last(kind)) for kind in ("scale", "steer", "served", "verdict", "actuation")),
            ("timekeeper", self.reader.find_stream_tail("lease")),
            ("observer", self.reader.find_stream_tail("observer-lease")),
        ):
            known = entry is not None and entry.payload is not None
            self._newest[name] = canonical.decode(entry.payload) if known else None

    def _now(self) -> tuple[ServedTime, tuple[TimekeeperPage | None, ObserverPage | None]]:
        first = PageReader(paths.timekeeper_page(self.state), TimekeeperPage).read()
        second = PageReader(paths.observer_page(self.state), ObserverPage).read()
        return now_from_page(first, second, hostclocks.raw_ns(), hostclocks.boottime_ns()), (first, second)

    def _utc(self, tai_ns: int, digits: int = 6) -> str:
        return format_utc(Instant.from_ns(tai_ns), self.leaps, digits)

    def _station(self, now: ServedTime, output: Payload, alarms: list[str]) -> Payload:
        x_s, u_s, name = output["utck_minus_utc_s"], output["u_s"], self.config.station.name
        if x_s is None:
            words = f"cannot judge: UTC({name}) has not been compared with UTC for a day"
        else:
            words = f"|UTC − UTC({name})| ≤ {(abs(x_s) + 2 * u_s) * 1e9:.1f} ns (k = 2)"
        if not now.in_sync:
            return {"name": name, "simulated": self.config.simulated, "lamp": "red", "verdict": f"withdrawn: {now.why}"}
        lamp = "grey" if x_s is None else "yellow" if alarms else "green"
        verdict = words if x_s is None else f"in spec: {words}"
        return {"name": name, "simulated": self.config.simulated, "lamp": lamp, "verdict": verdict}

    def _time(self, now: ServedTime, page: TimekeeperPage | None) -> Payload:
        known = page is not None and now.tai_ns > 0
        leap = self.leaps.next_leap(now.tai_ns) if known else None
        expires = self.leaps.expires
        return {
            "utc": self._utc(now.tai_ns) if known else None,
            "tai_ns": str(now.tai_ns) if known else None,
            "mjd": mjd_of(now.tai_ns, self.leaps) if known else None,
            "leap": {
                "tai_minus_utc_s": now.tai_minus_utc_s if known else None,
                "next_utc": self._utc(leap.tai_ns, 0) if leap is not None else None,
                "table_expires_utc": format_utc(expires, self.leaps, 0) if expires is not None else None,
                "expired": bool(known and expires is not None and Instant.from_ns(now.tai_ns) > expires),
                "words": "a leap second is announced" if leap is not None else "no leap second announced",
            },
            "bound_s": now.bound_s if math.isfinite(now.bound_s) else None,
            "in_sync": now.in_sync,
            "stratum": page.stratum if page is not None and now.in_sync else 0,
            "refid": refid_words(page.refid) if page is not None else None,
            "why": "both leases run" if now.in_sync else now.why,
        }

    def _leases(self, pages: tuple[TimekeeperPage | None, ObserverPage | None]) -> Payload:
        raw_ns, boottime_ns = hostclocks.raw_ns(), hostclocks.boottime_ns()
        leases = {}
        for name, page in zip(("timekeeper", "observer"), pages, strict=True):
            left_ns = min(page.lease_raw_ns - raw_ns, page.lease_boottime_ns - boottime_ns) if page else 0
            said = self._newest[name]
            why = said["why"] if said is not None else "nothing recorded yet"
            if left_ns <= 0 and (said is None or said["state"] == "granted"):
                found = isinstance(page, ObserverPage) and page.verdict
                why = (
                    "it found something, its words are on their way"
                    if found
                    else f"nobody renewed it: {name} down or still"
                )
            leases[name] = {"valid": left_ns > 0, "remaining_s": max(0.0, left_ns / 1e9), "why": why}
        return leases

    def _clocks(self, scale: Payload | None) -> list[Payload]:
        if scale is None:
            return []
        kinds = {clock.name: clock.kind for clock in self.config.clock}
        rows = []
        for place, name in enumerate(scale["clocks"]):
            state, why = state_of(scale, place)
            rows.append(
                {
                    "name": name,
                    "kind": kinds.get(name, self._signal(name)),
                    "weight": float(scale["weights"][-1][place]),
                    "x_s": seconds(scale["x_fs"][-1][place]),
                    "y": float(scale["rates"][place]),
                    "error_s": seconds(scale["errors_fs"][-1][place]),
                    "state": state,
                    "why": why,
                    "lamp": LAMPS[state],
                }
            )
        return rows

    def _signal(self, name: str) -> str:
        words = {self.config.output.clock: "output signal", self.config.steering.utc: "link to UTC"}
        return words.get(name, "unnamed")

    def _scale(self, scale: Payload | None, now: ServedTime) -> Payload:
        epoch = int(scale["epochs"][-1]) if scale is not None else None
        return {
            "algorithm": "AT1",
            "epoch_utc": self._utc(epoch, 0) if epoch is not None else None,
            "age_s": (now.tai_ns - epoch) / 1e9 if epoch is not None and now.tai_ns else None,
            "interval_s": self.config.ensemble.interval_s,
        }

    def _output(self) -> Payload:
        scale, served, steer = self._newest["scale"], self._newest["served"], self._newest["steer"]
        residual_fs = scale["output"]["residual_fs"][-1] if scale is not None else None
        x_s = finite(served["utck_minus_utc_s"]) if served is not None else None
        paper = scale["paper"] if scale is not None else None
        return {
            "residual_s": seconds(residual_fs),
            "limit_s": self.config.output.residual_limit_s,
            "utck_minus_utc_s": x_s,
            "u_s": finite(served["u_s"]) if served is not None else None,
            "steer_rate": float(paper["next_rate"] if paper["change"] else paper["rate"]) if paper else None,
            "why": steer["why"] if steer is not None else "nothing steered yet",
        }

    def _ledger(self) -> Payload:
        checkpoint = self.reader.checkpoint()
        return {
            "origin": self.config.station.origin,
            "size": checkpoint.size if checkpoint is not None else 0,
            "root": base64.b64encode(checkpoint.root).decode() if checkpoint is not None else None,
            "checkpoint_age_s": self._checkpoint_age_s(),
        }

    def _server_counts(self) -> Payload:
        """Datagrams since the server started, by what became of them; zeros while no server of this boot ran."""
        page = PageReader(server_page(self.state), ServerPage).read()
        if page is None:
            return dict.fromkeys(("requests", "replies", "in_sync", "unsynchronised", "malformed", "raw_stamps"), 0)
        return {
            "requests": page.requests,
            "replies": page.replies,
            "in_sync": page.replies_in_sync,
            "unsynchronised": page.replies_unsynchronised,
            "malformed": page.dropped_too_short + page.dropped_wrong_version + page.dropped_wrong_mode,
            "raw_stamps": page.raw_stamps,
        }

    def _checkpoint_age_s(self) -> float | None:
        """How long ago the newest checkpoint was written, by the file system's clock and never negative."""
        try:
            written = (paths.ledger_dir(self.state) / "checkpoint").stat().st_mtime
        except OSError:
            return None
        return max(0.0, time.time() - written)

    def _processes(self) -> list[Payload]:
        """The supervisor's list; how long each has run is the kernel's word, None for one that does not run."""
        try:
            listed = msgspec.json.decode(paths.processes_file(self.state).read_bytes())
        except (OSError, msgspec.DecodeError):
            return []
        return [
            {"name": row["name"], "pid": row["pid"], "up_s": up_s(row["pid"]), "restarts": row["restarts"]}
            for row in listed
        ]

    def _alarms(self, now: ServedTime) -> list[str]:
        alarms = [] if now.in_sync else [f"time is withdrawn: {now.why}"]
        verdict, actuation = self._newest["verdict"], self._newest["actuation"]
        if verdict is not None and verdict["batch"]["code"]:
            alarms.append(f"observer: {verdict['batch']['verdict']}")
        if actuation is not None and actuation.get("refused"):
            alarms.append(f"actuator: {actuation['refused']}")
        age_s = self._checkpoint_age_s()
        if age_s is not None and age_s > max(60.0, 3 * self.config.ensemble.interval_s):
            alarms.append(f"the ledger has not grown for {age_s:.0f} s")
        return alarms


def state_of(scale: Payload, place: int) -> tuple[str, str]:
    """State and reason in words of one clock at the last epoch of a recorded scale entry."""
    from timeball.ensemble.at1 import CODES

    word = CODES[scale["codes"][-1][place]]
    state = STATES.get(word, "learning" if word in LEARNING else "left out")
    reasons = scale["reasons"].get(scale["epochs"][-1], {})
    why = reasons.get(scale["clocks"][place])
    ordinary = {"ok": "weight from its prediction errors", "at cap": "at the greatest weight one clock may have"}
    return state, why or ordinary.get(word, "no weight by configuration" if word == "no weight" else word)


def up_s(pid: int | None) -> float | None:
    """How long a process has run (s), by its start in proc(5) on CLOCK_BOOTTIME; None when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return hostclocks.boottime_ns() / 1e9 - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def seconds(x_fs: str | None) -> float | None:
    """Recorded femtoseconds in seconds."""
    return int(x_fs) / 1e15 if x_fs is not None else None


def finite(text: str) -> float | None:
    """A recorded float, None for what was not known."""
    value = float(text)
    return value if math.isfinite(value) else None


def mjd_of(tai_ns: int, leaps: LeapTable) -> float:
    """Modified Julian Date in UTC as one float, good to a microsecond or so."""
    day, attoseconds = mjd_utc(Instant.from_ns(tai_ns), leaps)
    return day + attoseconds / 86_400e18


def refid_words(refid: int) -> str:
    """A reference id as an address of the local clock, or as the four letters of a primary source (RFC 5905)."""
    octets = refid.to_bytes(4)
    if octets[0] == 127:
        return ".".join(str(octet) for octet in octets)
    return octets.rstrip(b"\0").decode("ascii", "replace")
