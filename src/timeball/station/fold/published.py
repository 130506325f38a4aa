"""What the BIPM publishes of this laboratory, as it stands in the ledger and in the fold's memory.

A `bulletin` entry holds the laboratory's own row as it was printed, UTC − UTC(k), signed by the collector; the fold
turns its sign, because laws answer x = UTC(k) − UTC. A value counts from the time of its entry on: that is when the
station had it, and no replay can know it earlier. Pure; it judges no value.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from timeball.ledger.errors import BatchError
from timeball.station.fold.batches import FEMTOSECOND, Epoch, Femtoseconds
from timeball.station.fold.memory import Memory, Published, Rate
from timeball.steering.bulletins import CIRCULAR_T, UTCR

DAY_NS = 86_400 * 10**9
KEPT_NS = 60 * DAY_NS
"""Values and rates of UTC(k) are remembered for so long: more than any law looks back on, corrections included."""
UNKNOWN_U_S = 1e-9
"""UTCr prints no uncertainties; a nanosecond is usual for its links."""
SOURCES = {"circular-t": CIRCULAR_T, "utcr": UTCR}
Text = Annotated[str, Meta(max_length=100)]


class Bulletin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The row of one laboratory in one bulletin; `kind` is a key of `SOURCES`, `label` what the bulletin calls itself.

    utc_minus_utck_fs: UTC − UTC(k) (UTCr − UTC(k) in the rapid one) at `epochs` (TAI ns), as printed. u_fs: its
    statistical standard uncertainty, null when none is printed. sha256: of the file it was read from.
    """

    kind: str
    label: Text
    laboratory: Text
    published: Text
    epochs: list[Epoch]
    utc_minus_utck_fs: list[Femtoseconds]
    u_fs: Femtoseconds | None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}\\Z")]

    def __post_init__(self) -> None:
        """Refuse what does not belong together; msgspec turns the ValueError into a ValidationError."""
        if self.kind not in SOURCES:
            raise ValueError(f"the kind is {self.kind!r}, not {' or '.join(SOURCES)}")
        if not self.epochs or len(self.epochs) != len(self.utc_minus_utck_fs):
            raise ValueError("a value for each epoch is needed, and at least one")


def parse_bulletin(batch: dict[str, Any]) -> Bulletin:
    """Read the signed part of a `bulletin` entry strictly; raises `BatchError` naming the field."""
    try:
        return msgspec.convert(batch, Bulletin)
    except msgspec.ValidationError as error:
        raise BatchError(f"malformed bulletin: {error}") from error


def new_points(memory: Memory, bulletin: Bulletin, laboratory: str, known_ns: int) -> list[Published]:
    """The points of a bulletin that the station had from `known_ns` (TAI) on; of other laboratories none.

    What is known already is not new because it is said again. Raises `BatchError` for a value of the future.
    """
    if bulletin.laboratory != laboratory:
        return []
    if int(max(bulletin.epochs, key=int)) > known_ns:
        raise BatchError(f"bulletin {bulletin.label}: a value of an epoch that had not come yet when it was recorded")
    u_s = UNKNOWN_U_S if bulletin.u_fs is None else int(bulletin.u_fs) / FEMTOSECOND
    source = SOURCES[bulletin.kind]
    new = [
        Published(int(epoch), -int(value) / FEMTOSECOND, u_s, known_ns, source)
        for epoch, value in zip(bulletin.epochs, bulletin.utc_minus_utck_fs, strict=True)
    ]
    said = {(point.epoch, point.x_s, point.source) for point in memory.published or ()}
    return [point for point in new if (point.epoch, point.x_s, point.source) not in said]


def keep(memory: Memory, new: list[Published]) -> None:
    """Remember these points, and forget those that no law looks back on any more."""
    points = [*(memory.published or ()), *new]
    if not points:
        return
    oldest = max(point.epoch for point in points) - KEPT_NS
    memory.published = sorted(point for point in points if point.epoch >= oldest)


def remember_rate(memory: Memory, epoch: int, rate: float) -> None:
    """UTC(k) changes its rate against TA(k) at `epoch` (TAI ns): what was ordered for then or later never comes."""
    before = [one for one in rates_of(memory) if one.epoch < epoch]
    # the rate that held when the oldest value was measured is needed, whenever it was ordered
    first = max([at for at, one in enumerate(before) if one.epoch <= epoch - KEPT_NS], default=0)
    memory.rates = [*before[first:], Rate(epoch, rate)]


def rates_of(memory: Memory) -> list[Rate]:
    """The rates of UTC(k) against TA(k), each from its epoch on; of the time before they were remembered, the last."""
    paper = memory.paper
    if memory.rates is not None or paper is None:
        return memory.rates or []
    pending = [Rate(paper.change, paper.next_rate)] if paper.change is not None else []
    return [Rate(paper.epoch, paper.rate), *pending]
