"""What the station says of itself: one view of ledger and pages for the command line, the console and the metrics.

Everything here is read, nothing is asked of a process: the ledger's newest entries, the clock page's two halves, the
server's counters and the supervisor's list. Times are seconds; x_i is clock i minus TA(k); residual = output − UTC(k).
An entry is believed only on its own stream.
"""

from __future__ import annotations

import base64
import math
import os
import time
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from timeball.instants import Instant, LeapTable, format_utc
from timeball.ledger import canonical
from timeball.station import paths
from timeball.station.configuration.config import Config, read_effective
from timeball.station.configuration.settings import REPLAYED
from timeball.station.fold.streams import STREAM as TIMEKEEPING
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.observing.codes import FOUND
from timeball.station.page.clockpage import ObserverPage, PageReader, ServedTime, TimekeeperPage, now_from_page
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entries, newest_entry
from timeball.station.reporting.servers import ServerPages, smear_part
from timeball.station.reporting.statusparts import (
    anomaly_words,
    clock_rows,
    leap_part,
    mjd_of,
    output_part,
    refid_words,
    scale_part,
)
from timeball.station.reporting.witnesses import witnessing_alarms, witnessing_part

if TYPE_CHECKING:
    from timeball.station.reporting.series import Series

Payload = dict[str, Any]
LEAST_FREE_BYTES = 4_000_000
"""Below this much space the recorder may refuse at any moment."""
Pages = tuple[TimekeeperPage | None, ObserverPage | None]
WORD_OF = {
    "scale": ("scale", TIMEKEEPING),
    "steer": ("steer", TIMEKEEPING),
    "served": ("served", "served"),
    "verdict": ("verdict", "observer"),
    "watch": ("watch", "watchdog"),
    "actuation": ("actuation", "actuator"),
    "timekeeper": ("lease", "lease"),
    "observer": ("lease", "observer-lease"),
    "witnessing": ("witnessing", "witness"),
}
"""What is wanted of the ledger: the newest entry of a type by the stream whose word it is."""
ANOMALIES_SHOWN = 5


class StatusReader:
    """A reader of one state folder; cheap to ask again."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.config: Config = read_effective(state)
        self.reader = LedgerReader(state)
        self.leaps: LeapTable = station_leaps(self.config)
        self._servers = ServerPages(state, self.config)
        self._newest: dict[str, Payload | None] = dict.fromkeys(WORD_OF)
        self._anomalies: list[str] = []
        self._seen = 0

    def status(self) -> Payload:
        """The whole status; keys as `timeball status --json` prints them (docs/status.md)."""
        self._read_newest()
        now, pages = self._now()
        scale = self._newest["scale"]
        output = output_part(scale, self._newest["served"], self._newest["steer"], self.config)
        witnessing = witnessing_part(self.state, self.config, self._newest["witnessing"])
        processes = self._processes()
        alarms = [
            *stopped_alarms(processes),
            *self._alarms(now),
            *witnessing_alarms(witnessing, self._seen, self.config),
        ]
        return {
            "station": self._station(now, output, alarms),
            "time": self._time(now, pages[0]),
            "leases": self._leases(pages),
            "clocks": clock_rows(scale, self.config),
            "scale": scale_part(scale, now.tai_ns, self.config, self.leaps),
            "output": output,
            "ledger": self._ledger(),
            "witnessing": witnessing,
            "ntp": {**self._servers.ntp(), "smear": smear_part(self.config, pages[0], now)},
            "nts": self._servers.nts(),
            "roughtime": self._servers.roughtime(),
            "outputs": self._servers.outputs(),
            "processes": processes,
            "anomalies": list(self._anomalies),
            "alarms": alarms,
        }

    @cached_property
    def series(self) -> Series:
        """The recorded past; made when it is asked for, because it brings the deviations and their compiler."""
        from timeball.station.reporting.series import Series

        return Series(self.reader, self.config, self.leaps)

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
        for name, (kind, stream) in WORD_OF.items():
            entry = newest_entry(self.reader, kind, stream, since=self._seen)
            if entry is not None:
                self._newest[name] = canonical.decode(entry.payload or b"")
        found = islice(newest_entries(self.reader, "anomaly", TIMEKEEPING, since=self._seen), ANOMALIES_SHOWN)
        words = [anomaly_words(canonical.decode(entry.payload or b""), self.leaps) for entry in found]
        self._anomalies = [*words, *self._anomalies][:ANOMALIES_SHOWN]
        self._seen = size

    def _now(self) -> tuple[ServedTime, Pages]:
        first = PageReader(paths.timekeeper_page(self.state), TimekeeperPage, plain=True).read()
        second = PageReader(paths.observer_page(self.state), ObserverPage, plain=True).read()
        now = now_from_page(first, second, hostclocks.raw_ns(), hostclocks.boottime_ns())
        if self.config.replayed:
            now = replace(now, in_sync=False, why=REPLAYED)
        return now, (first, second)

    def _utc(self, tai_ns: int, digits: int = 6) -> str:
        return format_utc(Instant.from_ns(tai_ns), self.leaps, digits)

    def _station(self, now: ServedTime, output: Payload, alarms: list[str]) -> Payload:
        x_s, u_s, name = output["utck_minus_utc_s"], output["u_s"], self.config.station.name
        if x_s is None:
            words = f"cannot judge: UTC({name}) has been compared with UTC fewer than 24 times"
        else:
            words = f"|UTC − UTC({name})| ≤ {(abs(x_s) + 2 * u_s) * 1e9:.1f} ns (k = 2)"
        if not now.in_sync:
            return {"name": name, "simulated": self.config.simulated, "lamp": "red", "verdict": f"withdrawn: {now.why}"}
        lamp = "grey" if x_s is None else "yellow" if alarms else "green"
        verdict = words if x_s is None else f"in spec: {words}"
        return {"name": name, "simulated": self.config.simulated, "lamp": lamp, "verdict": verdict}

    def _time(self, now: ServedTime, page: TimekeeperPage | None) -> Payload:
        known = page is not None and now.tai_ns > 0
        return {
            "utc": self._utc(now.tai_ns) if known else None,
            "tai_ns": str(now.tai_ns) if known else None,
            "mjd": mjd_of(now.tai_ns, self.leaps) if known else None,
            "leap": leap_part(now.tai_ns if known else None, now.tai_minus_utc_s, self.leaps),
            "bound_s": now.bound_s if math.isfinite(now.bound_s) else None,
            "in_sync": now.in_sync,
            "stratum": page.stratum if page is not None and now.in_sync else 0,
            "refid": refid_words(page.refid) if page is not None else None,
            "why": "both leases run" if now.in_sync else now.why,
        }

    def _leases(self, pages: Pages) -> Payload:
        raw_ns, boottime_ns = hostclocks.raw_ns(), hostclocks.boottime_ns()
        leases = {}
        for name, page in zip(("timekeeper", "observer"), pages, strict=True):
            left_ns = min(page.lease_raw_ns - raw_ns, page.lease_boottime_ns - boottime_ns) if page else 0
            why = self._why_of_lease(name, page, left_ns > 0)
            leases[name] = {"valid": left_ns > 0, "remaining_s": max(0.0, left_ns / 1e9), "why": why}
        return leases

    def _why_of_lease(self, name: str, page: TimekeeperPage | ObserverPage | None, valid: bool) -> str:
        """What its holder last said of a lease, unless the page has overtaken it."""
        said = self._newest[name]
        if not valid and (said is None or said["state"] == "granted"):
            if isinstance(page, ObserverPage) and page.verdict == FOUND:
                return "it found something, its words are on their way"
            return f"nobody renewed it: {name} down or still, or its words are not recorded"
        return said["why"] if said is not None else "nothing recorded yet"

    def _ledger(self) -> Payload:
        checkpoint = self.reader.checkpoint()
        return {
            "origin": self.config.station.origin,
            "size": checkpoint.size if checkpoint is not None else 0,
            "root": base64.b64encode(checkpoint.root).decode() if checkpoint is not None else None,
            "checkpoint_age_s": self._checkpoint_age_s(),
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
        watch = self._newest["watch"] if self.config.khronos.servers else None
        if watch is not None and watch["batch"]["code"]:
            alarms.append(f"watchdog: {watch['batch']['verdict']}")
        if actuation is not None and actuation.get("refused"):
            alarms.append(f"actuator: {actuation['refused']}")
        age_s = self._checkpoint_age_s()
        if age_s is not None and age_s > max(60.0, 3 * self.config.ensemble.interval_s):
            alarms.append(f"the ledger has not grown for {age_s:.0f} s")
        free_bytes = free_bytes_of(self.state)
        if free_bytes < LEAST_FREE_BYTES:
            alarms.append(f"the disk is full: {free_bytes / 1e6:.1f} MB are left, entries wait until there is space")
        return alarms


def stopped_alarms(processes: list[Payload]) -> list[str]:
    """Whether nobody of those that were started runs any more; what is counted is then of the last run."""
    if not processes or any(row["up_s"] is not None for row in processes):
        return []
    return ["no process of this station runs: it was stopped, and what is counted is of its last run"]


def free_bytes_of(folder: Path) -> int:
    """Space left on the disk of a folder for whoever is not root (bytes)."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def up_s(pid: int | None) -> float | None:
    """How long a process has run (s), by its start in proc(5) on CLOCK_BOOTTIME; None when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return hostclocks.boottime_ns() / 1e9 - int(fields[19]) / os.sysconf("SC_CLK_TCK")
