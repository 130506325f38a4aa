"""What follows from a scale step for UTC(k) and its output: the steer on paper, and the order to the stepper.

A rate on paper is that of UTC(k) against TA(k); an order is the rate of the output against its source. Both hold from
the next epoch on and neither moves the phase at once. Pure: what it changes is the memory it is given. Steers never
enter TA(k).
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from timeball.ensemble.steps import Steps
from timeball.station.configuration.settings import Steering
from timeball.station.fold.memory import COSIGNED, LEAST_POINTS, Command, Memory
from timeball.station.fold.rules import Rules
from timeball.station.fold.signals import last_at
from timeball.steering.envelope import Envelope
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import SteerProposal, propose_steer

NS_PER_DAY = 86400e9
Payload = dict[str, Any]


def steer(rules: Rules, memory: Memory, index: int, steps: Steps, time_ns: int | None = None) -> Payload | None:
    """The payload of a `steer` entry that follows from the readings in entry `index`, recorded at `time_ns` (TAI).

    None when nothing is due.
    """
    law, now = rules.steering, int(steps.epochs[-1])
    if not law.enabled or memory.paper is None or not _due(memory.tracked, now, law.tracking_interval_s):
        return None
    change = now + int(rules.interval_s * 1e9)
    payload: Payload = {"readings": index, "epoch": str(now), "paper": None, "estimate": None, "commands": []}
    against = _unwitnessed(rules, memory, time_ns)
    if against:
        memory.tracked = now
        return {**payload, "why": against}
    words = []
    if _due(memory.steered, now, law.interval_s) and len(memory.points) >= LEAST_POINTS:
        proposal = _propose(law, memory, now)
        memory.paper, memory.steered = memory.paper.steered(change, proposal.rate), now
        payload["paper"] = {"epoch": str(change), "rate": repr(proposal.rate)}
        payload["estimate"] = {"x_s": repr(proposal.x_s), "y": repr(proposal.y), "limited": proposal.limited}
        words.append(proposal.why)
    words.append(_track(rules, memory, payload, steps, change))
    memory.tracked = now
    return {**payload, "why": "; ".join(words)}


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


def _propose(law: Steering, memory: Memory, now: int) -> SteerProposal:
    """The first steer takes the rate off that TA(k) happened to start with; every later one stays in the envelope."""
    assert memory.paper is not None
    x_s, y, _ = memory.utck_minus_utc(now)
    rate_now = memory.paper.rate_at(now)
    if memory.commissioned is None:
        memory.commissioned = max(-law.max_rate, min(law.max_rate, rate_now - y))
        words = (
            f"commissioned: UTC(k) − UTC is {x_s * 1e9:+.3f} ns and changes by {y * NS_PER_DAY:+.4f} ns/day; "
            f"its rate against TA(k) is set to {memory.commissioned * NS_PER_DAY:+.4f} ns/day, from which steers count"
        )
        return SteerProposal(memory.commissioned, x_s, y, memory.commissioned != rate_now - y, words)
    envelope = Envelope(law.max_rate_change, law.max_rate, law.max_phase_per_day_s)
    placement = PolePlacement(law.interval_s, law.time_constant_s)
    proposal = propose_steer(x_s, y, rate_now - memory.commissioned, placement, envelope)
    return msgspec.structs.replace(proposal, rate=proposal.rate + memory.commissioned)


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


def _due(last: int | None, now: int, interval_s: float) -> bool:
    return last is None or now - last >= int(interval_s * 1e9)
