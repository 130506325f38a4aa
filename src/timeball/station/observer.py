"""The observer: measures the output signal and our own NTP replies from outside, and renews the second lease.

It has its own key, its own counter on the output, and asks the server over the network like any client. It believes the
ledger's scale only as far as its own comparisons bear it out. It never moves anything: when it finds something, or when
it stands still, its lease runs out. Every minute its readings and its verdict stand in the ledger, signed, "nothing
found" included.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, Protocol

from timeball.integrity.output import OutputUnknown, ScalePoint, judge_residual, output_residual
from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.station import hostclocks, paths
from timeball.station.clockpage import ObserverPage, PageWriter
from timeball.station.keys import load_or_create_key
from timeball.station.leaps import load_leap_table
from timeball.station.ledger_reader import LedgerReader
from timeball.station.process import Process, run_process
from timeball.station.replies import Answer, ReplyUnusable, ask
from timeball.station.say import Say
from timeball.station.settings import Config
from timeball.station.timekeeping import paper_of

NOTHING_FOUND = 0
FOUND = 1
CANNOT_JUDGE = 2
WORDS = {NOTHING_FOUND: "nothing found", FOUND: "found", CANNOT_JUDGE: "cannot judge"}


class Counter(Protocol):
    """The observer's own instrument on the output."""

    def tai_ns(self, raw_ns: int) -> int:
        """The output's own time (TAI, ns) at RAW `raw_ns`."""

    def compare(self) -> tuple[int, dict[str, float]]:
        """Now: an epoch (TAI, ns), and x_OUT − x_i (s) of the clocks it sees at that epoch."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The newest recorded step of TA(k): its epoch, every clock, and UTC(k) − TA(k)."""

    epoch: int
    clocks: dict[str, ScalePoint]
    paper: Any


@dataclass
class Minute:
    """What is gathered between two verdicts."""

    epochs: list[str] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)


def scale_of(payload: dict[str, Any]) -> Scale:
    """The last epoch of a recorded scale entry."""
    clocks = {
        name: ScalePoint(int(x_fs) / 1e15, float(y), float(weight))
        for name, x_fs, y, weight in zip(
            payload["clocks"], payload["x_fs"][-1], payload["rates"], payload["weights"][-1], strict=True
        )
        if x_fs is not None
    }
    return Scale(int(payload["epochs"][-1]), clocks, paper_of(payload["paper"]))


def judge(tai_ns: int, compared: dict[str, float], scale: Scale | None, config: Config) -> tuple[int, str, float]:
    """Verdict, the finding in words, and the residual (s): does the output show TA(k) + steers?

    tai_ns: when the output was compared; compared: x_OUT − x_i (s) by the observer's own counter.
    """
    if scale is None or scale.paper is None:
        return CANNOT_JUDGE, "no scale is recorded yet", float("nan")
    age_s = (tai_ns - scale.epoch) / 1e9
    if abs(age_s) > config.lease.scale_max_age_s:
        return CANNOT_JUDGE, f"the newest recorded scale is {age_s:.0f} s old", float("nan")
    signals = (config.output.clock, config.steering.utc)
    members = {name: point for name, point in scale.clocks.items() if name not in signals}
    try:
        residual_s = output_residual(compared, members, age_s, scale.paper.at(tai_ns))
    except OutputUnknown as unknown:
        return CANNOT_JUDGE, str(unknown), float("nan")
    finding = judge_residual(residual_s, config.observer.residual_limit_s)
    return (FOUND if finding else NOTHING_FOUND), finding, residual_s


def judge_answer(answer: Answer, limit_s: float) -> str:
    """Nothing when an answer tells the output's time, else the finding in words.

    An answer that claims no sync tells no time and is no lie. One that claims it may be wrong by half its round trip
    and by the limit.
    """
    allowed_s = limit_s + answer.delay_s / 2
    if answer.in_sync and abs(answer.offset_s) > allowed_s:
        return f"{answer.address} answered {answer.offset_s:+.3e} s from the output, allowed are {allowed_s:.1e} s"
    return ""


class Observer:
    """One run of the observer process; see the module's docstring."""

    def __init__(self, process: Process, counter: Counter) -> None:
        self.process, self.config, self.counter = process, process.config, counter
        self.reader = LedgerReader(process.state)
        self.key = load_or_create_key(process.state, "observer")
        self.say = Say(process, "observer", "verdict")
        self.lease = Say(process, "observer-lease", "lease")
        self.page = PageWriter(paths.observer_page(process.state), ObserverPage)
        self.boot = hostclocks.boot_id()
        self.leaps = load_leap_table(self.config.leap_seconds.file or None)
        self.minute = Minute()
        self.scale: Scale | None = None
        self.seen = 0

    def run(self) -> None:
        """Look, judge, renew or not, until told to stop."""
        key = {"name": "observer", "purpose": "verdicts", "vkey": self.key.verifier.vkey}
        known = self.reader.find_stream_tail("observer-key")
        if known is None or known.payload != canonical.encode(key):
            Say(self.process, "observer-key", "key").now(key, patience_s=30.0)
        while not self.process.stop.is_set():
            verdict, words = self._look()
            self._renew(verdict)
            state = "granted" if verdict == NOTHING_FOUND else "withheld"
            self.lease.on_change({"lease": "observer", "state": state, "why": words or WORDS[verdict]})
            self._tell(verdict, words)
            self.process.sleep(self.config.observer.interval_s)

    def _look(self) -> tuple[int, str]:
        """Measure the output, ask every address we serve on, and judge both."""
        self._read_scale()
        tai_ns, compared = self.counter.compare()
        verdict, words, residual_s = judge(tai_ns, compared, self.scale, self.config)
        self.minute.epochs.append(str(tai_ns))
        self.minute.rows.append(compared)
        self.minute.residuals.append(residual_s)
        findings = [words] if words else []
        for address in self.config.ntp.listen:
            try:
                answer = ask(address, self.counter.tai_ns, self.leaps)
            except ReplyUnusable as unusable:
                verdict = max(verdict, FOUND)
                findings.append(str(unusable))
                continue
            if answer.in_sync:
                self.minute.offsets.append(answer.offset_s)
            if finding := judge_answer(answer, self.config.observer.reply_limit_s):
                verdict = max(verdict, FOUND)
                findings.append(finding)
        return verdict, "; ".join(findings)

    def _read_scale(self) -> None:
        size = self.reader.size()
        if size == self.seen:
            return
        entry = self.reader.last("scale")
        self.seen = size
        if entry is not None and entry.payload is not None:
            self.scale = scale_of(canonical.decode(entry.payload))

    def _renew(self, verdict: int) -> None:
        length = int(self.config.lease.observer_s * 1e9) if verdict == NOTHING_FOUND else None
        raw_ns, boottime_ns = hostclocks.raw_ns(), hostclocks.boottime_ns()
        ends = (raw_ns + length, boottime_ns + length) if length is not None else (0, 0)
        self.page.write(ObserverPage(self.boot.words, ends[0], ends[1], verdict))

    def _tell(self, verdict: int, words: str) -> None:
        """The minute's readings and verdict, signed; at once when the verdict changes."""
        clocks = sorted({name for row in self.minute.rows for name in row})
        last = self.say.last
        changed = last is None or last["batch"]["code"] != verdict  # type: ignore[call-overload,index]
        batch: dict[str, Any] = {
            "kind": "verdict",
            "code": verdict,
            "verdict": words or WORDS[verdict],
            "epochs": self.minute.epochs,
            "pairs": [[self.config.output.clock, name] for name in clocks],
            "x_fs": [[_fs(row.get(name)) for name in clocks] for row in self.minute.rows],
            "residual_fs": [_fs(residual) for residual in self.minute.residuals],
            "reply_offset_fs": [_fs(offset) for offset in self.minute.offsets],
        }
        before = self.say.last_said
        payload = sign_batch(batch, self.key)
        if changed:
            self.say.now(payload)
        else:
            self.say.every(self.config.observer.verdict_every_s, payload)
        if self.say.last_said != before or len(self.minute.epochs) > 600:
            self.minute = Minute()


def _fs(x_s: float | None) -> str | None:
    return str(round(x_s * 1e15)) if x_s is not None and x_s == x_s else None  # noqa: PLR0124 (NaN)


def work(process: Process) -> None:
    """Run until told to stop."""
    from timeball.station.instruments.registry import make_observer_counter

    Observer(process, make_observer_counter(process.config, process.state)).run()


if __name__ == "__main__":
    sys.exit(run_process("observer", work))
