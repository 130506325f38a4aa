"""A station that is not there: a status reader with eight clocks, made of a seed and a monotonic clock, for tests of
the console.

`python tests/fakes/console_station.py [--port 8123] [--story NAME]` serves the console over it, to look at. Phases are
x_i, clock i minus the scale, in seconds. Every number it gives is invented; none is read from a station.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
import uvicorn

from timeball.console.app import create_app

GENESIS = datetime(2026, 10, 23, 20, 0, 0, tzinfo=UTC)
START = datetime(2026, 11, 22, 20, 11, 5, 123456, tzinfo=UTC)
TAI_MINUS_UTC_S = 37
HISTORY_STEP_S = 1800.0
POINTS = 30 * 48
# name, kind, weight, white frequency noise at 1 s, drift (1/s), state, why, lamp
CLOCKS = (
    ("Cs1", "5071A", 0.0312, 5e-12, 0.0, "in use", "", "green"),
    ("Cs2", "5071A", 0.0287, 5e-12, 0.0, "in use", "", "green"),
    (
        "Cs3",
        "5071A",
        0.0,
        5e-12,
        0.0,
        "left out",
        "prediction error 41.2 ns is over 5 times its spread; left out at this epoch",
        "red",
    ),
    ("Cs4", "5071A-HP", 0.0941, 2.5e-12, 0.0, "in use", "", "green"),
    ("Cs5", "5071A-HP", 0.0866, 2.5e-12, 0.0, "in use", "back since 19:40 after a gap of 3 h", "yellow"),
    ("HM1", "active maser", 0.3797, 3e-13, 2e-21, "in use", "weight at its cap", "green"),
    ("HM2", "active maser", 0.3797, 3e-13, -3e-21, "in use", "weight at its cap", "green"),
    ("HM3", "passive maser", 0.0, 8e-13, 1e-21, "learning", "its rate is not known yet: 2 h 10 min of 24 h", "grey"),
)


class FakeStation:
    """A `StatusReader` of invented figures. Stories: fine, withdrawn, empty, leap."""

    def __init__(self, story: str = "fine", seed: int = 20261122) -> None:
        self.story = story
        self.failure: Exception | None = None
        self.frozen = False
        self.calls = {"status": 0, "history": 0, "deviations": 0}
        self._born = time.monotonic()
        self._held = self._born
        rng = np.random.default_rng(seed)
        t = np.arange(POINTS) * HISTORY_STEP_S
        self._epochs = GENESIS.timestamp() + t
        self._phases = {}
        for name, _kind, _weight, white, drift, *_rest in CLOCKS:
            walk = np.cumsum(rng.normal(0.0, white * np.sqrt(HISTORY_STEP_S), POINTS))
            slope = rng.normal(0.0, 40 * white / np.sqrt(86400.0))
            self._phases[name] = walk + slope * t + 0.5 * drift * t**2
        self._phases["Cs5"][1300:1306] = np.nan
        self._phases["HM3"][: POINTS - 90] = np.nan
        self._output = rng.normal(0.0, 3e-11, POINTS) + 6e-11 * np.sin(t / 2.5e5)
        self._utck = 1.1e-9 + np.cumsum(rng.normal(0.0, 1.2e-10, 30))

    def up_s(self) -> float:
        """Give the seconds since it was made; held still while `frozen`."""
        if not self.frozen:
            self._held = time.monotonic()
        return self._held - self._born

    def status(self) -> dict:
        self.calls["status"] += 1
        if self.failure is not None:
            raise self.failure
        up_s = self.up_s()
        n = int(up_s)
        return {
            "station": self._station(),
            "time": self._time(up_s),
            "leases": self._leases(up_s),
            "clocks": [] if self.story == "empty" else [self._clock(i, n) for i in range(len(CLOCKS))],
            "scale": self._scale(up_s),
            "output": self._output_now(n),
            "ledger": self._ledger(n, up_s),
            "witnessing": self._witnessing(n, up_s),
            "ntp": self._ntp(n),
            "nts": self._nts(n, up_s),
            "roughtime": {"listen": ["127.0.0.1:15319"], "packets": 3 + n, "replies": 2 + n},
            "outputs": ["chrony-sock /run/chrony.timeball.sock: given, served minus fed +0.213 µs"],
            "processes": self._processes(up_s),
            "alarms": self._alarms(),
            "anomalies": self._anomalies(),
        }

    def history(self, since_index: int = 0) -> dict:
        self.calls["history"] += 1
        end = POINTS - 60 + int(self.up_s() / 5)
        begin = max(0, since_index - 10_000) if self.story != "empty" else end
        cut = slice(min(begin, end), end)
        months = slice(begin * 30 // POINTS, end * 30 // POINTS)
        days = GENESIS.timestamp() + 86400.0 * np.arange(30)
        return {
            "through": 10_000 + end,
            "epoch_s": self._epochs[cut].tolist(),
            "clocks": {name: x[cut].tolist() for name, x in self._phases.items()},
            "output_residual_s": self._output[cut].tolist(),
            "utck_minus_utc": {
                "epoch_s": days[months].tolist(),
                "x_s": self._utck[months].tolist(),
                "u_s": [4e-10] * len(days[months]),
            },
        }

    def deviations(self) -> dict:
        self.calls["deviations"] += 1
        taus = 60.0 * 2.0 ** np.arange(14)
        clocks = {}
        for i, (name, _kind, _weight, model, drift, *_rest) in enumerate(CLOCKS):
            white, floor = model * (1 + 0.11 * i), (5e-15 if model > 1e-12 else 1.5e-15) * (1.4 - 0.1 * i)
            sigma = np.sqrt(white**2 / taus + floor**2 + (drift * taus) ** 2 / 2)
            wide = 0.03 * 2.0 ** (np.arange(14) / 2.0)
            low, high = (sigma / (1 + 0.6 * wide)).tolist(), (sigma * (1 + wide)).tolist()
            low[-1] = high[-1] = None
            clocks[name] = {"tau_s": taus.tolist(), "sigma": sigma.tolist(), "low": low, "high": high}
        return {"type": "oadev", "confidence": 0.683, "clocks": {} if self.story == "empty" else clocks}

    def _station(self) -> dict:
        lamp, verdict = {
            "fine": ("green", "In spec: |UTC − UTC(TB)| ≤ 6.2 ns"),
            "leap": ("green", "In spec: |UTC − UTC(TB)| ≤ 6.2 ns"),
            "withdrawn": ("red", "Withdrawn: nobody may trust this time, because the observer's lease ran out"),
            "empty": ("grey", "Cannot judge yet: no scale step has been recorded"),
        }[self.story]
        return {"name": "TB", "simulated": True, "lamp": lamp, "verdict": verdict}

    def _time(self, up_s: float) -> dict:
        leap = {
            "tai_minus_utc_s": TAI_MINUS_UTC_S,
            "next_utc": None,
            "table_expires_utc": "2027-06-28T00:00:00Z",
            "expired": False,
            "words": "no leap second announced",
        }
        if self.story == "empty":
            nothing = {"utc": None, "tai_ns": None, "mjd": None, "leap": leap, "bound_s": None, "in_sync": False}
            return nothing | {"stratum": 0, "refid": "INIT", "why": "the first scale step is still to come"}
        fine = self.story != "withdrawn"
        now = START + timedelta(seconds=up_s)
        if self.story == "leap":
            now += datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC) - START
            leap |= {"next_utc": "2027-01-01T00:00:00Z", "words": "a leap second is inserted at the end of 2026-12-31"}
        since_1970 = now - datetime(1970, 1, 1, tzinfo=UTC)
        ns = (since_1970.days * 86400 + since_1970.seconds + TAI_MINUS_UTC_S) * 10**9 + since_1970.microseconds * 1000
        return {
            "utc": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "tai_ns": str(ns),
            "mjd": round(40587 + since_1970 / timedelta(days=1), 6),
            "leap": leap,
            "bound_s": 6.2e-9 if fine else None,
            "in_sync": fine,
            "stratum": 10 if fine else 0,
            "refid": "127.127.1.1",
            "why": "both leases run" if fine else "the observer's lease has run out",
        }

    def _leases(self, up_s: float) -> dict:
        keeper = {
            "valid": True,
            "remaining_s": round(7.9 - (up_s * 1.0) % 1.0, 3),
            "why": "scale, ledger and output agree",
        }
        watcher = {
            "valid": True,
            "remaining_s": round(7.2 - (up_s * 0.7) % 1.0, 3),
            "why": "output and replies are where they should be",
        }
        if self.story == "withdrawn":
            watcher = {
                "valid": False,
                "remaining_s": 0.0,
                "why": "the output signal is 20.3 ns from where the ledger says it is",
            }
        if self.story == "empty":
            keeper = {"valid": False, "remaining_s": None, "why": "no lease yet: the scale has not started"}
            watcher = {"valid": False, "remaining_s": None, "why": "no lease yet: nothing to observe"}
        return {"timekeeper": keeper, "observer": watcher}

    def _clock(self, i: int, n: int) -> dict:
        name, kind, weight, white, _drift, state, why, lamp = CLOCKS[i]
        error = white * np.sqrt(60.0) * np.sin(1.7 * n + i)
        rate = (self._phases[name][-1] - self._phases[name][-80]) / (79 * HISTORY_STEP_S)
        learning = state == "learning"
        return {
            "name": name,
            "kind": kind,
            "weight": weight,
            "x_s": float(self._phases[name][-1] + rate * n),
            "y": None if learning else float(rate),
            "error_s": None if learning else float(error + (4.12e-8 if state == "left out" else 0.0)),
            "state": state,
            "why": why,
            "lamp": lamp,
        }

    def _scale(self, up_s: float) -> dict:
        if self.story == "empty":
            return {"algorithm": "AT1", "epoch_utc": None, "age_s": None, "interval_s": 60.0}
        age_s = up_s % 60.0
        epoch = (START + timedelta(seconds=up_s - age_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"algorithm": "AT1", "epoch_utc": epoch, "age_s": round(age_s, 3), "interval_s": 60.0}

    def _output_now(self, n: int) -> dict:
        if self.story == "empty":
            nothing = {"residual_s": None, "limit_s": 5e-9, "utck_minus_utc_s": None, "u_s": None, "steer_rate": None}
            return nothing | {"why": "the output has not been read back yet"}
        off = self.story == "withdrawn"
        return {
            "residual_s": 2.03e-8 if off else float(3e-11 * np.cos(n)),
            "limit_s": 5e-9,
            "utck_minus_utc_s": float(self._utck[-1]),
            "u_s": 4e-10,
            "steer_rate": 2.1e-15,
            "why": "the output stands 20.3 ns off: more than its limit" if off else "follows the scale and its steers",
        }

    def _ledger(self, n: int, up_s: float) -> dict:
        root = hashlib.sha256(str(n).encode()).digest()
        return {
            "origin": "timeball.example/TB",
            "size": 12345 + 3 * n,
            "root": base64.b64encode(root).decode(),
            "checkpoint_age_s": round(up_s % 1.0, 3),
        }

    def _witnessing(self, n: int, up_s: float) -> dict:
        size = 12340 + 3 * n
        row = {"name": "w1", "url": "https://w1.example", "size": size, "age_s": round(up_s % 10, 3), "why": ""}
        return {
            "policy": "/etc/timeball/policy",
            "state": "cosigned",
            "quorum": "2 of w1, w2",
            "size": size,
            "age_s": round(up_s % 10, 3),
            "why": "the quorum cosigned: 2 of w1, w2",
            "witnesses": [row, {**row, "name": "w2", "url": "https://w2.example"}],
        }

    def _ntp(self, n: int) -> dict:
        sync = 10 + n if self.story != "withdrawn" else 10
        return {
            "listen": ["127.0.0.1:11123"],
            "received": 17 + n,
            "requests": 12 + n,
            "replies": 13 + n,
            "in_sync": sync,
            "unsynchronised": 12 + n - sync,
            "refused": 1,
            "limited": 1,
            "naks": 1,
            "malformed": 2,
            "nts": 4,
            "raw_stamps": 0,
            "smear": {"listen": [], "shape": "cosine", "length_s": 86400.0, "offset_s": None},
        }

    def _nts(self, n: int, up_s: float) -> dict:
        return {
            "listen": ["127.0.0.1:14460"],
            "handshakes": 5 + n,
            "failures": 2,
            "open": n % 2,
            "certificate_left_s": 7776000 - n,
            "key_age_s": int(3600 + up_s),
        }

    def _processes(self, up_s: float) -> list[dict]:
        names = ("recorder", "collector", "timekeeper", "actuator", "observer", "server", "console", "keyexchange")
        return [
            {"name": name, "pid": 4120 + i, "up_s": round(760.0 + up_s - i, 3), "restarts": int(name == "collector")}
            for i, name in enumerate(names)
        ]

    def _anomalies(self) -> list[str]:
        if self.story == "empty":
            return []
        return [
            "clock Cs5: phase step of +42.1 ns (± 0.9 ns, 46 sigma) at 2026-11-20 03:12:00; found 2026-11-20 03:15:00",
            "link B (H3, Cs4): rate step of -3.1e-14 (± 0.4e-14, 8 sigma) at 2026-11-18; found 2026-11-19 06:00:00",
        ]

    def _alarms(self) -> list[str]:
        if self.story == "withdrawn":
            return [
                "output: 20.3 ns from where the ledger says it is, limit 5 ns",
                "observer: lease not renewed since 20:10:41",
                "clock Cs3: left out, prediction error 41.2 ns",
            ]
        return [] if self.story in ("empty", "leap") else ["clock Cs3: left out, prediction error 41.2 ns"]


@contextmanager
def serve(reader: FakeStation, port: int = 0, names: tuple[str, ...] = ()) -> Iterator[tuple[str, uvicorn.Server]]:
    """Serve the console on a loopback port from a thread; gives its address and the server, and stops it at the end."""
    settings = uvicorn.Config(
        create_app(reader, names), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, name="console", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the console did not start")
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", server
    finally:
        server.should_exit = True
        thread.join(10)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="serve the console over invented figures")
    arguments.add_argument("--port", type=int, default=8123)
    arguments.add_argument("--story", default="fine", choices=["fine", "withdrawn", "empty", "leap"])
    chosen = arguments.parse_args()
    with serve(FakeStation(chosen.story), chosen.port) as (address, running):
        print(f"invented figures at {address}, Ctrl-C stops", flush=True)
        try:
            while not running.should_exit:
                time.sleep(0.2)
        except KeyboardInterrupt:
            pass
