"""What a step of TA(k) means for the output and for UTC(k): the payload of a `scale` entry, and what is remembered.

x is signal minus TA(k); the output's residual is x_OUT − s with s = UTC(k) − TA(k). It steers nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from timeball.ensemble.steps import Steps
from timeball.readings import EpochArray, FloatArray, PhaseTable
from timeball.station.fold.memory import Memory, UTCPoint, paper_payload
from timeball.station.fold.rules import Rules
from timeball.station.fold.signals import against_scale
from timeball.steering.paper import PaperOffset

Payload = dict[str, Any]


def scale_payload(rules: Rules, memory: Memory, index: int, steps: Steps, table: PhaseTable) -> Payload:
    """The payload of a `scale` entry; `paper` is UTC(k) − TA(k) as it held at these epochs.

    The memory takes in what was read of UTC, and where UTC(k) begins.
    """
    epochs: list[int] = steps.epochs.tolist()
    output = against_scale(steps, table, rules.output.clock)
    utc = against_scale(steps, table, rules.steering.utc)
    _start_paper(memory, steps.epochs, output)
    seen = [UTCPoint(epoch, x) for epoch, x in zip(epochs, utc.tolist(), strict=True) if not math.isnan(x)]
    memory.remember_utc(seen, epochs[-1] - int(rules.steering.window_s * 1e9))
    residuals = [memory.residual(x, epoch) for epoch, x in zip(epochs, output.tolist(), strict=True)]
    return {
        "readings": index,
        **steps.to_payload(),
        "rates": [repr(y) for y in steps.y[-1].tolist()],
        "paper": paper_payload(memory.paper),
        "output": {"residual_fs": [_femtoseconds(residual) for residual in residuals]},
        "utc": {
            "epochs": [str(point.epoch) for point in seen],
            "utck_minus_utc_fs": [_femtoseconds(-memory.residual(point.x_s, point.epoch)) for point in seen],
        },
    }


def beside_payload(index: int, steps: Steps, carrier: Steps) -> Payload:
    """The payload of a `beside` entry: the step of an algorithm that does not carry TA(k), and its scale minus TA(k).

    The difference is taken through the first clock that both have a phase of. `reasons` stand where the code is not
    that of the epoch before, so that a month of learning is not told minute by minute.
    """
    payload = steps.to_payload()
    news = _told_anew(steps)
    reasons = {
        epoch: {name: why for name, why in told.items() if name in news[epoch]}
        for epoch, told in payload["reasons"].items()
    }
    return {
        "readings": index,
        **payload,
        "reasons": {epoch: told for epoch, told in reasons.items() if told},
        "rates": [repr(y) for y in steps.y[-1].tolist()],
        "minus_ta_fs": [_femtoseconds(x) for x in _apart(steps, carrier)],
    }


def _told_anew(steps: Steps) -> dict[str, frozenset[str]]:
    """By epoch: the clocks whose code is another than at the epoch before; all at the first."""
    changed = np.ones(steps.code.shape, bool)
    changed[1:] = steps.code[1:] != steps.code[:-1]
    return {
        str(epoch): frozenset(name for name, new in zip(steps.clocks, row, strict=True) if new)
        for epoch, row in zip(steps.epochs.tolist(), changed.tolist(), strict=True)
    }


def _apart(steps: Steps, carrier: Steps) -> list[float]:
    """A scale minus TA(k) (s) at each epoch: x_i against TA(k) minus x_i against the scale; NaN where none has both.

    Either may know clocks that the other does not: one that left before the other began, or that it has forgotten.
    """
    place = {name: at for at, name in enumerate(carrier.clocks)}
    mine = [at for at, name in enumerate(steps.clocks) if name in place]
    apart = carrier.x[:, [place[steps.clocks[at]] for at in mine]] - steps.x[:, mine]
    return [next((x for x in row if not math.isnan(x)), math.nan) for row in apart.tolist()]


def _start_paper(memory: Memory, epochs: EpochArray, output: FloatArray) -> None:
    """UTC(k) begins where the output signal is, with the rate of TA(k)."""
    if memory.paper is None:
        for epoch, x in zip(epochs.tolist(), output.tolist(), strict=True):
            if not math.isnan(x):
                memory.paper = PaperOffset(epoch, x, 0.0)
                return


def _femtoseconds(x_s: float) -> str | None:
    return str(round(x_s * 1e15)) if not math.isnan(x_s) else None
