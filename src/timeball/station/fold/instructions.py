"""What a person decided: that the last steer is taken back, or that a doubted bulletin counts.

An `instruction` entry of the stream `operator` says so, and the fold obeys it as it obeys a configuration: it is
recorded, it stays, and a replay does the same. Rules before version 4 pass it over. Pure: it reads a payload and marks
the memory; the steer that follows is `steers`', what is doubted is `doubts`'.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from timeball.ledger.errors import BatchError
from timeball.station.fold.batches import Epoch
from timeball.station.fold.memory import Memory

OPERATOR, INSTRUCTION = "operator", "instruction"
"""Stream and type of the entries."""
Words = Annotated[str, Meta(min_length=1, max_length=300)]


class TakeBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="take-back"):
    """The steer that was decided at `epoch` (TAI ns) is taken back, if it is still in force."""

    epoch: Epoch
    why: Words
    software: str = ""


class Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="bulletin"):
    """What is doubted of the bulletin in entry `entry` counts."""

    entry: int
    why: Words
    software: str = ""


Instruction = TakeBack | Accept


def parse_instruction(payload: Any) -> Instruction:
    """Read an `instruction` strictly; raises `BatchError` naming the field."""
    try:
        read: Instruction = msgspec.convert(payload, TakeBack | Accept)
    except msgspec.ValidationError as error:
        raise BatchError(f"malformed instruction: {error}") from error
    return read


def mark_take_back(memory: Memory, index: int, asked: TakeBack) -> None:
    """The next steer takes the last one back, as entry `index` asks; raises `BatchError` when that is another one."""
    undo = memory.undo
    if undo is None or undo.epoch != int(asked.epoch):
        held = f"the steer of epoch {undo.epoch} is" if undo is not None else "there is none"
        raise BatchError(f"the steer of epoch {asked.epoch} is not the last that can be taken back: {held}")
    memory.take_back = index
