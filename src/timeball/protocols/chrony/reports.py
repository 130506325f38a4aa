"""The reports of chronyd whose form is declared stable: tracking, sources, sourcestats, activity.

Fields that a later chronyd adds behind those known here are left; a report that is shorter is refused. Signs: chronyd's
`current_correction` is what is still to be added to the system clock, positive while that is slow; here it is turned
into system − NTP. Frequencies are fractions, not ppm. `frequency` positive: the system clock alone would gain.

Source: chrony's candm.h and client.c.
"""

from __future__ import annotations

from dataclasses import dataclass

from timeball.protocols.chrony.candm import Fields, Reply, address_bytes, address_words, refid_words
from timeball.protocols.chrony.errors import LayoutError

UNSYNCHRONISED = 3
MODES = {0: "server", 1: "peer", 2: "reference clock"}
STATES = {0: "selected", 1: "nonselectable", 2: "falseticker", 3: "jittery", 4: "combined", 5: "selectable"}
REFERENCE_CLOCK = 2
LONGEST_LIST = 10_000


@dataclass(frozen=True, slots=True)
class Tracking:
    """How the system clock stands: `system_minus_ntp_s` as chronyd estimates it now, its rate, and the root's figures.

    `leap` 0 none, 1 insert, 2 delete, 3 unsynchronised; `reference_ns` of the last update, system time.
    """

    refid: str
    address: str
    stratum: int
    leap: int
    reference_ns: int
    system_minus_ntp_s: float
    last_offset_s: float
    rms_offset_s: float
    frequency: float
    residual_frequency: float
    skew: float
    root_delay_s: float
    root_dispersion_s: float
    update_interval_s: float


@dataclass(frozen=True, slots=True)
class Source:
    """One source: `reach` the last eight polls as bits, offsets system − source at the last sample, as then and as now.

    `key` is the address as a request names it (empty for a reference clock).
    """

    name: str
    mode: str
    state: str
    stratum: int
    poll: int
    reach: int
    last_sample_s: int
    measured_s: float
    adjusted_s: float
    error_s: float
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What chronyd's regression says of one source: offset system − source, rates as fractions."""

    name: str
    samples: int
    runs: int
    span_s: int
    deviation_s: float
    residual_frequency: float
    skew: float
    offset_s: float
    offset_error_s: float


@dataclass(frozen=True, slots=True)
class Activity:
    """How many sources are in which state."""

    online: int
    offline: int
    burst_online: int
    burst_offline: int
    unresolved: int


def parse_source_count(reply: Reply) -> int:
    """How many sources there are. Raises LayoutError, also for more than anybody has."""
    (count,) = _fields(reply, 2).take("I")
    if count > LONGEST_LIST:
        raise LayoutError(f"{count} sources are more than a chronyd has")
    return count


def parse_tracking(reply: Reply) -> Tracking:
    """The report `tracking`."""
    fields = _fields(reply, 5)
    (refid,) = fields.take("I")
    address = address_words(*fields.address())
    stratum, leap = fields.take("HH")
    reference_ns = fields.instant_ns()
    correction, last, rms, frequency, residual, skew, delay, dispersion, interval = (fields.number() for _ in range(9))
    return Tracking(
        refid_words(refid) if refid else "",
        address,
        stratum,
        leap,
        reference_ns,
        -correction,
        last,
        rms,
        frequency * 1e-6,
        residual * 1e-6,
        skew * 1e-6,
        delay,
        dispersion,
        interval,
    )


def parse_source(reply: Reply) -> Source:
    """One row of the report `sources`."""
    fields = _fields(reply, 3)
    family, octets = fields.address()
    poll, stratum, state, mode, _flags, reach = fields.take("hHHHHH")
    (since_s,) = fields.take("I")
    measured, adjusted, error = (fields.number() for _ in range(3))
    is_clock = mode == REFERENCE_CLOCK
    return Source(
        refid_words(int.from_bytes(octets[:4])) if is_clock else address_words(family, octets),
        MODES.get(mode, f"mode {mode}"),
        STATES.get(state, f"state {state}"),
        stratum,
        poll,
        reach,
        since_s,
        measured,
        adjusted,
        error,
        b"" if is_clock else address_bytes(family, octets),
    )


def parse_source_stats(reply: Reply) -> SourceStats:
    """One row of the report `sourcestats`."""
    fields = _fields(reply, 6)
    (refid,) = fields.take("I")
    address = address_words(*fields.address())
    samples, runs, span_s = fields.take("III")
    deviation, residual, skew, offset, error = (fields.number() for _ in range(5))
    name = address or refid_words(refid)
    return SourceStats(name, samples, runs, span_s, deviation, residual * 1e-6, skew * 1e-6, offset, error)


def parse_activity(reply: Reply) -> Activity:
    """The report `activity`."""
    return Activity(*_fields(reply, 12).take("iiiii"))


def _fields(reply: Reply, layout: int) -> Fields:
    if reply.layout != layout:
        raise LayoutError(f"a report of layout {reply.layout}, where {layout} was expected")
    return Fields(reply.body)
