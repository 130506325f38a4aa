"""What `timeball steer take-back` and `approve` share: the state folder, and an instruction recorded in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from timeball.cli.output import CannotReachError, CommandError

if TYPE_CHECKING:
    from timeball.station.fold.instructions import Instruction
    from timeball.station.fold.memory import Memory


def approve(state: Path | None, ask: Callable[[Memory], Instruction]) -> tuple[int, Memory]:
    """Record what `ask` makes of the memory; gives the entry, and the memory before it.

    Raises ``CommandError`` when there is nothing to approve, ``CannotReachError`` when no station records.
    """
    from timeball.station.paths import default_state_dir
    from timeball.station.recording.approving import NotToApproveError, memory_now, record
    from timeball.station.recording.errors import EntryRefusedError, LedgerFull, RecorderUnavailable

    folder = (default_state_dir() if state is None else state).absolute()
    if not (folder / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{folder}: no ledger here (no ledger/checkpoint)")
    try:
        memory = memory_now(folder)
        return record(folder, ask(memory)), memory
    except (NotToApproveError, EntryRefusedError) as error:
        raise CommandError(str(error)) from error
    except (RecorderUnavailable, LedgerFull) as error:
        raise CannotReachError(f"{error}: only a running station records it") from error
