"""The algorithms that run: the one that carries TA(k), those beside it, and one that is to take over.

Each of them folds the same phases by its own rules and remembers by itself. When the rules name another algorithm than
the one that carries TA(k), both run until the newcomer has learned its clocks; then it takes over, and UTC(k) goes on
in phase and rate: only TA(k), against which it is told, is another from there on. Signs: x_i is clock i minus the
algorithm's own scale, s = UTC(k) − TA(k). Pure.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from timeball.ensemble import codes
from timeball.ensemble.algorithms import ALGORITHMS, State, algorithm
from timeball.ensemble.errors import StateError
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable
from timeball.station.fold.memory import Memory, Rate, UTCPoint
from timeball.station.fold.parameters import AT1
from timeball.station.fold.rules import Rules
from timeball.steering.paper import PaperOffset

Payload = dict[str, Any]
States = dict[str, State]
LEARNED = (codes.OK, codes.AT_CAP)


class Difference(NamedTuple):
    """One scale minus another at an epoch (TAI ns): phase (s) and rate."""

    epoch: int
    x_s: float
    y: float


def keys_of(rules: Rules, carrier: str) -> tuple[str, ...]:
    """Every algorithm that runs, the one that carries TA(k) first."""
    return tuple(dict.fromkeys((carrier, rules.algorithm, *rules.beside)))


def advance_all(states: States, rules: Rules, carrier: str, table: PhaseTable) -> tuple[States, dict[str, Steps]]:
    """The next epochs by every algorithm that runs; states of others end."""
    after: States = {}
    steps: dict[str, Steps] = {}
    for key in keys_of(rules, carrier):
        chosen = algorithm(key)
        before = states.get(key) or chosen.state.empty()
        after[key], steps[key] = chosen.advance(before, rules.parameters(key), table)
    return after, steps


def states_payload(states: States) -> Payload:
    """The states as a snapshot carries them, each under its algorithm's key."""
    return {key: state.to_payload() for key, state in states.items()}


def states_of(payload: Payload) -> States:
    """Read `states_payload` back; raises ``StateError`` when a state is none, or there is none at all."""
    found = {key: algorithm(key).state.from_payload(payload[key]) for key in ALGORITHMS if key in payload}
    if not found:
        raise StateError("no state of an algorithm that is known here")
    return found


def has_learned(steps: Steps) -> bool:
    """Whether an algorithm has given a clock weight from what it learned, at the newest epoch."""
    return any(code in LEARNED for code in steps.code[-1].tolist())


def first_learned(steps: Steps) -> int | None:
    """The first row in which a clock has weight from what was learned of it; None when there is none."""
    rows = np.isin(steps.code, LEARNED).any(axis=1)
    return int(np.argmax(rows)) if rows.any() else None


def difference(of: Steps, minus: Steps) -> Difference | None:
    """Scale `of` minus scale `minus` at the newest epoch, None when no clock was judged by both.

    Every clock with weight in either tells the same; their plain mean is taken, in the order of the names.
    """
    place = {name: at for at, name in enumerate(minus.clocks)}
    count, x_s, y = 0, 0.0, 0.0
    for at, name in enumerate(of.clocks):
        there = place.get(name)
        if there is None or not (of.weight[-1, at] > 0.0 or minus.weight[-1, there] > 0.0):
            continue
        apart_s = float(minus.x[-1, there]) - float(of.x[-1, at])
        apart = float(minus.y[-1, there]) - float(of.y[-1, at])
        if math.isfinite(apart_s) and math.isfinite(apart):
            count, x_s, y = count + 1, x_s + apart_s, y + apart
    return Difference(int(of.epochs[-1]), x_s / count, y / count) if count else None


def take_over(memory: Memory, rules: Rules, steps: dict[str, Steps]) -> Payload | None:
    """Let the algorithm that the rules name carry TA(k) from here on, when it can; what a `scale` entry says of it.

    None when nothing changes.
    """
    before, wanted = memory.carrying, rules.algorithm
    if wanted == before or not has_learned(steps[wanted]):
        return None
    apart = difference(steps[wanted], steps[before])
    if apart is None:
        return None
    memory.carrier = None if wanted == AT1 else wanted
    _tell_against(memory, apart)
    return {
        "from": algorithm(before).name,
        "to": algorithm(wanted).name,
        "epoch": str(apart.epoch),
        "x_s": repr(apart.x_s),
        "y": repr(apart.y),
    }


def begin_anew(memory: Memory, rules: Rules) -> None:
    """Rules that do not know the algorithm that carried TA(k): UTC(k) begins again where the output is.

    This happens when rules go back to a version that had only AT1 before AT1 carries TA(k) again.
    """
    memory.carrier = None if rules.algorithm == AT1 else rules.algorithm
    memory.paper, memory.commissioned, memory.points = None, None, []
    memory.published, memory.rates = None, None


def _tell_against(memory: Memory, apart: Difference) -> None:
    """UTC(k) and UTC as they were, told against a scale that is `apart` ahead of the one before."""
    paper = memory.paper
    if paper is not None:
        phase_s = paper.at(apart.epoch) - apart.x_s
        rate, pending = paper.rate_at(apart.epoch) - apart.y, paper.change
        memory.paper = PaperOffset(apart.epoch, phase_s, rate)
        if pending is not None and pending > apart.epoch:
            memory.paper = memory.paper.steered(pending, paper.next_rate - apart.y)
    if memory.commissioned is not None:
        memory.commissioned -= apart.y
    if memory.rates is not None:
        memory.rates = [Rate(one.epoch, one.rate - apart.y) for one in memory.rates]
    memory.points = [
        UTCPoint(point.epoch, point.x_s - apart.x_s - apart.y * ((point.epoch - apart.epoch) / 1e9))
        for point in memory.points
    ]
