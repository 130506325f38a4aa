"""What the observer makes of its own measurements: verdicts, and the findings in words.

It believes the recorded scale only as far as its own comparisons bear it out. Residual: the output minus (TA(k) +
steers), in seconds; offset of an answer: served time minus the output's. Pure: who measures, and what follows from a
verdict, is the observer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timeball.integrity.output import OutputUnknown, ScalePoint, judge_residual, output_residual
from timeball.station.configuration.settings import REPLAYED, Config
from timeball.station.fold.memory import paper_of
from timeball.station.observing.codes import CANNOT_JUDGE, FOUND, NOTHING_FOUND
from timeball.station.observing.replies import Answer
from timeball.steering.paper import PaperOffset

WORDS = {NOTHING_FOUND: "nothing found", FOUND: "found", CANNOT_JUDGE: "cannot judge"}
_GRAVITY = (NOTHING_FOUND, CANNOT_JUDGE, FOUND)


@dataclass(frozen=True, slots=True)
class Scale:
    """The newest recorded step of TA(k): its epoch, every clock, and UTC(k) − TA(k)."""

    epoch: int
    clocks: dict[str, ScalePoint]
    paper: PaperOffset | None


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
    if config.replayed:
        return CANNOT_JUDGE, REPLAYED, float("nan")
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


def gravest(one: int, other: int) -> int:
    """The graver of two verdicts: what is found outweighs what cannot be judged."""
    return max(one, other, key=_GRAVITY.index)
