"""A person's word brought into the ledger of a running station: what can be approved now, and the entry that does it.

What the last steer was and what is doubted is asked of the fold itself, over what a signed head covers; whether an
instruction is obeyed is the fold's to say again when it reads it. It asks nobody who the person is.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

import timeball
from timeball.station.fold.follow import Follower
from timeball.station.fold.instructions import INSTRUCTION, OPERATOR, Accept, Instruction, TakeBack
from timeball.station.fold.memory import Memory
from timeball.station.fold.versions import INSTRUCTIONS
from timeball.station.recording.recorder_client import RecorderClient

VERSION = 1
PATIENCE_S = 10.0
SOFTWARE = f"timeball {timeball.__version__}"


class NotToApproveError(ValueError):
    """There is nothing of the kind to approve; one sentence."""


def memory_now(state: Path) -> Memory:
    """What the fold remembers at the ledger's head; raises `NotToApproveError` under rules that know none."""
    follower = Follower(state)
    for _ in follower.take():
        pass
    rules = follower.keeper.rules
    if rules is None or rules.version < INSTRUCTIONS:
        held = f"rules of version {rules.version} hold" if rules is not None else "no rules are recorded"
        raise NotToApproveError(
            f"{held}, and this needs version {INSTRUCTIONS}: set ensemble.rules_version = {INSTRUCTIONS} and restart"
        )
    return follower.keeper.memory


def ask_take_back(memory: Memory, why: str) -> TakeBack:
    """The instruction that takes the last steer back; raises `NotToApproveError` when there is none."""
    if memory.take_back is not None:
        raise NotToApproveError(f"entry {memory.take_back} asks for that already: it is done with the next steer")
    if memory.undo is None:
        raise NotToApproveError("there is no steer to take back: none was made yet, or the last one was taken back")
    return TakeBack(str(memory.undo.epoch), why, SOFTWARE)


def ask_accept(memory: Memory, entry: int, why: str) -> Accept:
    """The instruction of what is doubted of the bulletin in `entry`; raises `NotToApproveError` when nothing is."""
    doubted = sorted({one.entry for one in memory.doubted or ()})
    if entry not in doubted:
        named = f"doubted are entries {', '.join(map(str, doubted))}" if doubted else "no bulletin is doubted"
        raise NotToApproveError(f"nothing of entry {entry} is doubted; {named}")
    return Accept(entry, why, SOFTWARE)


def record(state: Path, instruction: Instruction) -> int:
    """Append the instruction and give its index; raises `RecorderUnavailable`, `LedgerFull`, `EntryRefusedError`."""
    with RecorderClient(state, OPERATOR, timeout_s=PATIENCE_S) as client:
        return client.append(INSTRUCTION, VERSION, msgspec.to_builtins(instruction), client.next_seq())
