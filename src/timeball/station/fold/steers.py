"""What follows from a scale step for UTC(k) and its output: the steer on paper, and the order to the stepper.

A rate on paper is that of UTC(k) against TA(k); an order is the rate of the output against its source. Both hold from
the next epoch on and neither moves the phase at once. Pure: what it changes is the memory it is given. Steers never
enter TA(k).
"""

from __future__ import annotations

import math
from typing import Any

from timeball.ensemble.steps import Steps
from timeball.station.fold.laws import NS_PER_DAY, Answer, answer, due
from timeball.station.fold.memory import COSIGNED, Command, Memory, Undo
from timeball.station.fold.published import remember_rate
from timeball.station.fold.rules import Rules
from timeball.station.fold.signals import last_at
from timeball.station.fold.versions import INSTRUCTIONS, SINCE
from timeball.steering.offset import OffsetUnknown

Payload = dict[str, Any]


def steer(rules: Rules, memory: Memory, index: int, steps: Steps, time_ns: int | None = None) -> Payload | None:
    """The payload of a `steer` entry that follows from the readings in entry `index`, recorded at `time_ns` (TAI).

    None when nothing is due.
    """
    law, now = rules.steering, int(steps.epochs[-1])
    if not law.enabled or memory.paper is None or not due(memory.tracked, now, law.tracking_interval_s):
        return None
    change = now + int(rules.interval_s * 1e9)
    payload: Payload = {"readings": index, "epoch": str(now), "paper": None, "estimate": None, "commands": []}
    against = _unwitnessed(rules, memory, time_ns)
    if against:
        memory.tracked = now
        return {**payload, "why": against}
    words = [*_towards_utc(rules, memory, payload, now, change), _track(rules, memory, payload, steps, change)]
    memory.tracked = now
    return {**payload, "why": "; ".join(words)}


def _towards_utc(rules: Rules, memory: Memory, payload: Payload, now: int, change: int) -> list[str]:
    """Steer UTC(k) on paper when its law has something to say; `payload` gets the change. Gives the reasons.

    What a person has taken back comes first, in a dry run too: that is about what the law proposes.
    """
    if memory.take_back is not None and memory.undo is not None:
        return [_take_back(memory, payload, now, change)]
    try:
        found = answer(rules.steering, memory, now)
    except OffsetUnknown as unknown:
        return [f"no steer: {unknown}"]
    if found is None:
        return []
    memory.steered = now
    proposal = found.proposal
    payload["estimate"] = {"x_s": repr(proposal.x_s), "y": repr(proposal.y), "limited": proposal.limited}
    line = {"epoch": str(change), "rate": repr(proposal.rate)}
    if rules.steering.dry_run:
        payload["proposed"] = line
        return [f"dry run, nothing is changed: {proposal.why}"]
    payload["paper"] = line
    _enter(rules, memory, found, now, change)
    return [proposal.why]


def _enter(rules: Rules, memory: Memory, found: Answer, now: int, change: int) -> None:
    """UTC(k) has another rate from `change` on."""
    assert memory.paper is not None
    if rules.version >= SINCE["steering.law"]:
        remember_rate(memory, change, found.proposal.rate)
    if rules.version >= INSTRUCTIONS:
        memory.undo, memory.take_back = Undo(now, memory.paper.rate_at(change), memory.commissioned), None
    if found.commissioned is not None:
        memory.commissioned = found.commissioned
    memory.paper = memory.paper.steered(change, found.proposal.rate)


def _take_back(memory: Memory, payload: Payload, now: int, change: int) -> str:
    """The rate before the last steer holds again from `change` on; the phase that it moved stays, as no steer steps."""
    undo, paper = memory.undo, memory.paper
    assert undo is not None
    assert paper is not None
    wrong = paper.rate_at(change)
    payload["paper"] = {"epoch": str(change), "rate": repr(undo.rate)}
    payload["taken_back"] = {"epoch": str(undo.epoch), "instruction": memory.take_back}
    words = (
        f"the steer of epoch {undo.epoch} is taken back, as entry {memory.take_back} asks: the rate of UTC(k) "
        f"against TA(k) goes from {wrong * NS_PER_DAY:+.4f} back to {undo.rate * NS_PER_DAY:+.4f} ns/day; "
        "the phase it has moved stays"
    )
    remember_rate(memory, change, undo.rate)
    memory.paper, memory.commissioned, memory.steered = paper.steered(change, undo.rate), undo.commissioned, now
    memory.undo = memory.take_back = None
    return words


def _unwitnessed(rules: Rules, memory: Memory, time_ns: int | None) -> str:
    """Why nothing may be steered while nobody outside holds the ledger to its word; empty when somebody does."""
    within_s, said = rules.witnessed_within_s, memory.witness
    if within_s is None:
        return ""
    if said is None:
        return "no steer: no quorum of witnesses has cosigned yet"
    if said.state != COSIGNED:
        return f"no steer: the cosignatures of the witnesses are missing since entry {said.entry}"
    if time_ns is not None and said.time is not None and time_ns - said.time > within_s * 1e9:
        # whoever says that they cosign may have been stopped, and can then no longer say that they do not
        return f"no steer: nothing was heard of the witnesses for {within_s:g} s, since entry {said.entry}"
    return ""


def _track(rules: Rules, memory: Memory, payload: Payload, steps: Steps, change: int) -> str:
    """Order the rate that brings the output onto UTC(k), or say in words why not; `payload` gets the command."""
    assert memory.paper is not None
    output = rules.output
    residual = memory.residual(last_at(steps.x, steps.clocks, output.clock), int(steps.epochs[-1]))
    if math.isnan(residual) or math.isnan(last_at(steps.x, steps.clocks, output.source)):
        return "no order: the output or its source was not measured at this epoch"
    if abs(residual) > output.residual_limit_s:
        return (
            f"no order: the output is {residual * 1e9:.2f} ns from TA(k) + steers, "
            f"more than the limit of {output.residual_limit_s * 1e9:.2f} ns"
        )
    rate = memory.paper.rate_at(change) - last_at(steps.y, steps.clocks, output.source)
    rate = rate - residual / rules.steering.tracking_time_constant_s
    memory.command = Command(memory.command.id + 1, rate)
    payload["commands"] = [
        {"id": memory.command.id, "epoch": str(change), "rate": repr(rate), "phase_step_fs": "0"},
    ]
    return f"the output follows UTC(k): residual {residual * 1e9:.3f} ns, rate {rate:.3e} against {output.source}"
