"""The configuration of a station: what each setting is called, what it means, its range and its default.

Strict TOML becomes frozen structs; the defaults are the simulated laboratory. Names carry their SI unit; `x_a − x_b`
means clock a minus clock b wherever two clocks are named. This file holds the words alone: reading a file and naming
every error with its key path is `config`, the rules between settings are `configrules`, the table of all settings is
`configdoc`. Nothing here opens a port, a device or a key.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from timeball.station.configuration import serving
from timeball.station.configuration.following import Khronos, NTPInstrument
from timeball.station.configuration.outputs import AnyOutput
from timeball.station.configuration.section import (
    LISTEN_PATTERN,
    MAYBE_LISTEN_PATTERN,
    NAME_PATTERN,
    NETWORK_PATTERN,
    Listen,
    Name,
    NotNegative,
    Positive,
    Section,
)
from timeball.station.configuration.serving import NTP, NTS, Metrics, Roughtime

REPLAYED = "recorded files are replayed: there is no output signal, and no live time to serve"

ORIGIN_PATTERN = r"^[^\s+]+$"
SHA256_PATTERN = "^[0-9a-f]{64}$"
ACTUATOR_PATTERN = "^(simulated|none)$"
HOST_PATTERN = "^(simulated|pps|phc|ntp)$"
ALGORITHM_PATTERN = "^(at1|algos|kalman)$"
LAW_PATTERN = "^(pole-placement|lqg|utcr|circular-t)$"
# What each pattern asks for, in words.
PATTERNS = {
    NAME_PATTERN: "a name of up to 32 letters, digits and _ . + -",
    LISTEN_PATTERN: "an address host:port",
    MAYBE_LISTEN_PATTERN: "an address host:port, or empty",
    NETWORK_PATTERN: "a network like 192.0.2.0/24 or 2001:db8::/32",
    ORIGIN_PATTERN: "text without blanks or plus signs",
    SHA256_PATTERN: "64 digits of lower-case hex",
    ACTUATOR_PATTERN: "simulated or none",
    HOST_PATTERN: "simulated, pps, phc or ntp",
    ALGORITHM_PATTERN: "at1, algos or kalman",
    LAW_PATTERN: "pole-placement, lqg, utcr or circular-t",
    **serving.PATTERNS,
}
RulesVersion = Annotated[int, Meta(ge=1, le=4)]
Algorithm = Annotated[str, Meta(pattern=ALGORITHM_PATTERN)]
LawName = Annotated[str, Meta(pattern=LAW_PATTERN)]
Coefficient = Annotated[float, Meta(ge=0)] | None
Origin = Annotated[str, Meta(pattern=ORIGIN_PATTERN)]


class Station(Section, frozen=True, kw_only=True):
    """Who this station is."""

    name: Annotated[Name, Meta(description="k of UTC(k): the laboratory's name in every bulletin and page")] = "TB"
    origin: Annotated[Origin, Meta(description="origin line of the ledger's checkpoints")] = "timeball.example/tb"


class Clock(Section, frozen=True, kw_only=True):
    """One clock of the ensemble."""

    name: Annotated[Name, Meta(description="the clock's name in readings, ledger and console")]
    kind: Annotated[Name, Meta(description="model: gives the simulated clock, and the rate filter's tau_min_s")]
    tau_min_s: Annotated[
        Positive | None, Meta(description="tau of the clock's lowest Allan deviation; none = by its kind")
    ] = None
    zero_weight: Annotated[bool, Meta(description="measured and shown, but never moves the scale")] = False
    wpm: Annotated[Coefficient, Meta(description="white phase noise of its readings, ADEV at 1 s")] = None
    wfm: Annotated[Coefficient, Meta(description="white frequency noise, ADEV at 1 s")] = None
    ffm: Annotated[Coefficient, Meta(description="flicker frequency noise, ADEV")] = None
    rwfm: Annotated[Coefficient, Meta(description="random-walk frequency noise, ADEV at 1 s")] = None
    rrfm: Annotated[Coefficient, Meta(description="random run (a drift that walks), ADEV at 1 s")] = None
    link: Annotated[str, Meta(description="name of the link it is compared through; empty = at the place itself")] = ""
    drifts: Annotated[bool | None, Meta(description="whether its drift is estimated; none = by its kind")] = None


class Ensemble(Section, frozen=True, kw_only=True):
    """The free scale TA(k)."""

    algorithm: Annotated[Algorithm, Meta(description="at1, algos or kalman: the one that carries TA(k)")] = "at1"
    beside: Annotated[
        tuple[Algorithm, ...], Meta(description="algorithms computed and recorded beside it, for comparison")
    ] = ()

    anomalies: Annotated[bool, Meta(description="look for steps, drifts and changes of noise, and record them")] = True
    anomaly_sigmas: Annotated[
        float, Meta(ge=3, le=100, description="told beyond so many standard uncertainties, more below an hour")
    ] = 5.0
    reference: Annotated[
        str, Meta(description="clock that all others are compared with; empty = none, or a comparator of its own")
    ] = ""
    interval_s: Annotated[float, Meta(ge=1, le=86400, description="epoch grid of the scale")] = 60.0
    memory_s: Annotated[Positive, Meta(description="averaging time of prediction errors, from which weights come")] = (
        1728000.0
    )
    cap: Annotated[float, Meta(gt=0, le=1, description="greatest weight of one clock")] = 0.4
    reading_noise_s: Annotated[
        NotNegative, Meta(description="noise of one reading, one standard deviation, where a clock has no wpm")
    ] = 5e-12
    algos_window_s: Annotated[Positive | None, Meta(description="window of algos; none = the BIPM's months")] = None
    snapshot_every: Annotated[int, Meta(ge=1, description="scale entries between two snapshots")] = 24
    rules_version: Annotated[
        RulesVersion | None,
        Meta(description="rules that decide; none = those the ledger has, the newest for a new one"),
    ] = None


class Steering(Section, frozen=True, kw_only=True):
    """How UTC(k) follows UTC, and how the output signal follows UTC(k)."""

    enabled: Annotated[bool, Meta(description="false: the output keeps its last rate, nothing is steered")] = True
    law: Annotated[LawName, Meta(description="pole-placement or lqg on the link; utcr or circular-t")] = (
        "pole-placement"
    )
    utc: Annotated[Name, Meta(description="name of the clock that carries UTC in the readings")] = "UTC"
    interval_s: Annotated[float, Meta(ge=60, description="time between two steers of UTC(k) towards UTC")] = 86400.0
    window_s: Annotated[Positive, Meta(description="span of the fit of offset and rate against UTC")] = 432000.0
    time_constant_s: Annotated[Positive, Meta(description="closed-loop time constant of the steering")] = 864000.0
    max_rate_change: Annotated[Positive, Meta(le=1e-9, description="envelope: greatest change of rate a steer")] = 5e-15
    max_rate: Annotated[Positive, Meta(le=1e-9, description="envelope: greatest rate of UTC(k) against TA(k)")] = 1e-12
    max_phase_per_day_s: Annotated[
        Positive, Meta(le=1e-3, description="envelope: greatest phase moved by steers in a day")
    ] = 5e-9
    lqg_offset_s: Annotated[Positive, Meta(description="law lqg: an offset that hurts as lqg_change does")] = 5e-9
    lqg_change: Annotated[Positive, Meta(description="law lqg: a change of rate that hurts as lqg_offset_s does")] = (
        2e-15
    )
    least_change: Annotated[NotNegative, Meta(description="a smaller change of rate towards UTC is not ordered")] = 0.0
    resolution: Annotated[NotNegative, Meta(description="rates towards UTC are rounded to multiples of this")] = 0.0
    dry_run: Annotated[bool, Meta(description="steers towards UTC are recorded as proposals and not done")] = False
    laboratory: Annotated[str, Meta(description="acronym in UTCr and Circular T; empty = station.name")] = ""
    bulletin_sigmas: Annotated[
        NotNegative, Meta(description="a bulletin's value further off is doubted first; 0 = none is")
    ] = 6.0
    tracking_interval_s: Annotated[float, Meta(ge=1, description="time between corrections of the output signal")] = (
        3600.0
    )
    tracking_time_constant_s: Annotated[
        Positive, Meta(description="time constant with which the output signal follows UTC(k)")
    ] = 21600.0


class Output(Section, frozen=True, kw_only=True):
    """The physical signal of UTC(k)."""

    clock: Annotated[Name, Meta(description="name of the output signal in the readings; weight zero")] = "OUT"
    source: Annotated[Name, Meta(description="clock that drives the phase stepper")] = "H1"
    residual_limit_s: Annotated[
        Positive, Meta(description="greatest |output − (TA(k) + steers)| of the timekeeper")
    ] = 5e-9


class Actuator(Section, frozen=True, kw_only=True):
    """What moves the output signal."""

    kind: Annotated[str, Meta(pattern=ACTUATOR_PATTERN, description="simulated stepper, or none")] = "simulated"
    hard_limit_s_per_day: Annotated[
        Positive, Meta(le=1e-3, description="most phase moved in a day, whatever is ordered; kept from its own record")
    ] = 50e-9


class SimulatedInstrument(Section, frozen=True, kw_only=True, tag_field="kind", tag="simulated"):
    """The simulated laboratory's phase comparator: all clocks, the output and UTC."""


class LineInstrument(Section, frozen=True, kw_only=True, tag_field="kind", tag="line"):
    """A counter that writes one line of text a reading, over serial, TCP or a pty."""

    port: Annotated[str, Meta(min_length=1, description="device path, or tcp://host:port")]
    a: Annotated[Name, Meta(description="the reading is x_a − x_b: clock a")]
    b: Annotated[Name, Meta(description="the reading is x_a − x_b: clock b")]
    baud: Annotated[int, Meta(ge=50, le=4000000, description="speed of a serial port")] = 9600
    unit_s: Annotated[Positive, Meta(description="seconds per unit of a value that names no unit itself")] = 1.0
    u_s: Annotated[Positive | None, Meta(description="standard uncertainty of a reading (k = 1); none = unknown")] = (
        None
    )
    start_command: Annotated[str, Meta(description="text sent when the port opens; empty = nothing")] = ""
    observer: Annotated[bool, Meta(description="read by the observer alone, on a counter of its own")] = False


class ReplayInstrument(Section, frozen=True, kw_only=True, tag_field="kind", tag="replay"):
    """Recorded files, read again at any speed."""

    files: Annotated[tuple[str, ...], Meta(min_length=1, description="files of any format Timeball reads")]
    clocks: Annotated[tuple[str, ...], Meta(description="clocks taken from the files; empty = all")] = ()
    speed: Annotated[NotNegative, Meta(description="laboratory seconds a second; 0 = as fast as possible")] = 1.0


class HostInstrument(Section, frozen=True, kw_only=True, tag_field="kind", tag="host"):
    """The host's counter CLOCK_MONOTONIC_RAW, measured as a clock."""

    by: Annotated[str, Meta(pattern=HOST_PATTERN, description="simulated, pps, phc or ntp")] = "simulated"
    device: Annotated[str, Meta(description="/sys/class/pps/pps0, /dev/ptp0, or host:port of an NTP server")] = ""
    clock: Annotated[Name, Meta(description="name of the host counter in the readings")] = "HOST"
    against: Annotated[Name, Meta(description="the signal it is measured against")] = "OUT"
    u_s: Annotated[Positive | None, Meta(description="standard uncertainty (k = 1); none = as measured")] = None


AnyInstrument = SimulatedInstrument | LineInstrument | ReplayInstrument | HostInstrument | NTPInstrument


class Simulation(Section, frozen=True, kw_only=True):
    """The built-in laboratory: its noise is a function of the seed alone."""

    seed: Annotated[int, Meta(ge=0, lt=2**53, description="seed of every random number of the laboratory")] = 1
    step_s: Annotated[float, Meta(ge=1, le=3600, description="time step of the simulated clocks")] = 60.0
    comparator_noise_s: Annotated[NotNegative, Meta(description="noise of the comparator, one standard deviation")] = (
        5e-12
    )
    utc_noise_s: Annotated[NotNegative, Meta(description="noise of the simulated link to UTC")] = 1e-9
    utc_every_s: Annotated[float, Meta(ge=60, description="time between two readings against UTC")] = 3600.0
    host_noise_s: Annotated[NotNegative, Meta(description="noise of the simulated capture of the output's pulse")] = (
        2e-7
    )


class History(Section, frozen=True, kw_only=True):
    """The past of the simulated laboratory, computed at the first start."""

    days: Annotated[float, Meta(ge=0, le=3660, description="days of history; 0 = none")] = 30.0


class Bulletins(Section, frozen=True, kw_only=True):
    """Where UTCr and Circular T come in."""

    folder: Annotated[str, Meta(description="folder that is looked into for bulletins; empty = none")] = ""
    every_s: Annotated[float, Meta(ge=1, le=86400, description="time between two looks")] = 60.0


class TimeOfDay(Section, frozen=True, kw_only=True):
    """Where the station learns which second it is."""

    sources: Annotated[
        tuple[str, ...],
        Meta(min_length=2, description="two or more of realtime, rtc, simulated, ntp:host:port, nts:host:port"),
    ] = ("realtime", "simulated")
    tolerance_s: Annotated[Positive, Meta(le=60, description="sources agree when they differ by no more")] = 0.5


class Lease(Section, frozen=True, kw_only=True):
    """The two leases without which nobody claims to be in sync."""

    timekeeper_s: Annotated[Positive, Meta(le=10, description="length of the timekeeper's lease")] = 8.0
    observer_s: Annotated[Positive, Meta(le=10, description="length of the observer's lease")] = 8.0
    renew_s: Annotated[Positive, Meta(description="time between renewals")] = 1.0
    max_bound_s: Annotated[Positive, Meta(description="no lease while the bound against UTC is greater")] = 1e-4
    scale_max_age_s: Annotated[Positive, Meta(description="no lease while the newest scale epoch is older")] = 600.0


class Observer(Section, frozen=True, kw_only=True):
    """The process that measures the output signal and our own replies from outside."""

    interval_s: Annotated[Positive, Meta(description="time between two measurements")] = 2.0
    residual_limit_s: Annotated[Positive, Meta(description="greatest |output − (TA(k) + steers)| it accepts")] = 5e-9
    reply_limit_s: Annotated[Positive, Meta(description="greatest |served time − its own| of a reply")] = 1e-3
    verdict_every_s: Annotated[
        Positive, Meta(description="time between verdicts in the ledger, nothing found included")
    ] = 60.0


class Console(Section, frozen=True, kw_only=True):
    """The web page."""

    listen: Annotated[Listen, Meta(description="address host:port of the page")] = "127.0.0.1:8123"


class Reader(Section, frozen=True, kw_only=True):
    """Somebody who may read payloads that are not public, by a bearer token; only the token's hash stands here."""

    name: Annotated[Name, Meta(description="who it is, for the server's log")]
    token_sha256: Annotated[
        str, Meta(pattern=SHA256_PATTERN, description="SHA-256 of the token; the token is random, 32 bytes or more")
    ]
    types: Annotated[tuple[str, ...], Meta(min_length=1, description='entry types it may read; "*" = all')]


class Ledger(Section, frozen=True, kw_only=True):
    """The append-only record."""

    checkpoint_interval_s: Annotated[float, Meta(ge=0.05, le=60, description="time between signed checkpoints")] = 0.5
    policy: Annotated[
        str, Meta(description="path of a tlog-policy file that names the log's witnesses; empty = nobody cosigns")
    ] = ""
    publish_every_s: Annotated[
        float, Meta(ge=0.5, le=60, description="time between submissions to the witnesses while there are new entries")
    ] = 10.0
    cosign_within_s: Annotated[
        float, Meta(ge=1, le=3600, description="entries older than this without a quorum: an alarm, and no new steers")
    ] = 60.0
    reader: tuple[Reader, ...] = ()


class LeapSeconds(Section, frozen=True, kw_only=True):
    """The table of leap seconds."""

    file: Annotated[str, Meta(description="a leap-seconds.list; empty = the table of the tzdata package")] = ""


DEFAULT_CLOCKS = (
    *(Clock(name=f"Cs{i}", kind="5071A-high-performance") for i in range(1, 4)),
    *(Clock(name=f"Cs{i}", kind="5071A") for i in range(4, 6)),
    *(Clock(name=f"H{i}", kind="active-maser") for i in range(1, 4)),
)
DEFAULT_INSTRUMENTS: tuple[AnyInstrument, ...] = (SimulatedInstrument(), HostInstrument())


class Config(Section, frozen=True, kw_only=True):
    """Everything a station is told; the defaults are the simulated laboratory."""

    station: Station = Station()
    clock: tuple[Clock, ...] = DEFAULT_CLOCKS
    ensemble: Ensemble = Ensemble()
    steering: Steering = Steering()
    output: Output = Output()
    actuator: Actuator = Actuator()
    instrument: tuple[AnyInstrument, ...] = DEFAULT_INSTRUMENTS
    simulation: Simulation = Simulation()
    history: History = History()
    bulletins: Bulletins = Bulletins()
    time_of_day: TimeOfDay = TimeOfDay()
    lease: Lease = Lease()
    observer: Observer = Observer()
    ntp: NTP = NTP()
    nts: NTS = NTS()
    roughtime: Roughtime = Roughtime()
    metrics: Metrics = Metrics()
    khronos: Khronos = Khronos()
    outputs: tuple[AnyOutput, ...] = ()
    console: Console = Console()
    ledger: Ledger = Ledger()
    leap_seconds: LeapSeconds = LeapSeconds()

    LISTS: ClassVar[tuple[str, ...]] = ("clock", "instrument", "outputs")

    @property
    def simulated(self) -> bool:
        """Whether the simulated laboratory stands behind this station: then nothing it says is traceable."""
        return any(isinstance(item, SimulatedInstrument) for item in self.instrument)

    @property
    def replayed(self) -> bool:
        """Whether recorded files are read again: then there is no output, and no time to be served."""
        return any(isinstance(item, ReplayInstrument) for item in self.instrument)

    def to_json(self) -> bytes:
        """The effective configuration, for `STATE/run/config.json`."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Config:
        """Read what `to_json` wrote; raises `msgspec.ValidationError` on anything else."""
        return msgspec.json.decode(data, type=cls)


DEMONSTRATION = Config(
    nts=NTS(listen=("127.0.0.1:14460",)),
    roughtime=Roughtime(listen=("127.0.0.1:15319",)),
    metrics=Metrics(listen="127.0.0.1:9975"),
)
"""What `timeball run` starts without a configuration: the simulated laboratory, and all that can be served of it."""
