"""The settings of what else is given the time: each `[[output]]` beside the physical signal."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from timeball.station.configuration.section import Positive, Section

SIMULATED = "simulated:"


class ChronySock(Section, frozen=True, kw_only=True, tag_field="kind", tag="chrony-sock"):
    """A chronyd on this host, disciplined through a reference clock of its kind SOCK."""

    path: Annotated[str, Meta(min_length=1, max_length=107, description="the socket that chronyd has made")]
    every_s: Annotated[float, Meta(ge=0.1, le=3600, description="time between two samples")] = 1.0


class PHC(Section, frozen=True, kw_only=True, tag_field="kind", tag="phc"):
    """The clock of a network card, from which ptp4l serves PTP."""

    device: Annotated[str, Meta(min_length=1, description="/dev/ptp0, or simulated:NAME")]
    every_s: Annotated[float, Meta(ge=0.1, le=60, description="time between two corrections")] = 1.0
    step_s: Annotated[Positive, Meta(description="a first offset beyond this is stepped, once")] = 0.001
    max_rate: Annotated[Positive, Meta(le=5e-4, description="greatest correction of its rate")] = 1e-5
    ptp4l: Annotated[
        str, Meta(max_length=107, description="ptp4l's Unix socket, to tell it the clock class; empty = it is not told")
    ] = ""
    domain: Annotated[int, Meta(ge=0, le=127, description="ptp4l's domain number")] = 0


AnyOutput = ChronySock | PHC
