"""Fuzz target: any bytes as the payload of a readings entry on its way into rows, and as the name of a part."""

from __future__ import annotations

from timeball.station.keeping.cold import parse_name
from timeball.station.keeping.columns import join_readings, split_readings


def target(data: bytes) -> None:
    """What becomes rows comes back to the byte; a name that is a part's is written the same."""
    rows = split_readings(data)
    if rows is not None:
        assert join_readings(rows) == data
        assert len(rows.x_fs) == len(rows.epoch) == len(rows.a) == len(rows.u_fs)
    name = data.decode("latin-1")
    part = parse_name(name)
    if part is not None:
        assert part.file("entries") == name
