"""Parts of the station's status that follow from recorded entries alone: clocks, scale, output, words for codes.

Keys as `timeball status --json` prints them. x_i is clock i minus TA(k), residual = output − UTC(k), both in seconds;
None stands for what is not known. Pure.
"""

from __future__ import annotations

import math
from typing import Any

from timeball.instants import Instant, LeapTable, format_utc, mjd_utc
from timeball.station.configuration.config import Config
from timeball.station.configuration.following import NTPInstrument

Payload = dict[str, Any]
STATES = {
    **dict.fromkeys(("ok", "at cap", "reduced", "phase step"), "in use"),
    "no weight": "zero weight",
    "missing": "missing",
}
LEARNING = (
    "learning",
    "starting",
    "joined",
    "rate step",
    "noise changed",
    "back",
    "unproven",
    "first windows",
    "came in",
)
LAMPS = {"in use": "green", "zero weight": "green", "learning": "yellow", "left out": "yellow", "missing": "grey"}
ORDINARY = {
    "ok": "weight from its prediction errors",
    "at cap": "at the greatest weight one clock may have",
    "no weight": "no weight by configuration",
}


def clock_rows(scale: Payload | None, config: Config) -> list[Payload]:
    """Every clock and signal of the newest recorded scale entry, at its last epoch."""
    if scale is None:
        return []
    servers = (item for item in config.instrument if isinstance(item, NTPInstrument))
    kinds = {
        **{item.clock: "NTS server" if item.nts else "NTP server" for item in servers},
        config.output.clock: "output signal",
        config.steering.utc: "link to UTC",
        **{clock.name: clock.kind for clock in config.clock},
    }
    rows = []
    for place, name in enumerate(scale["clocks"]):
        state, why = state_of(scale, place)
        rows.append(
            {
                "name": name,
                "kind": kinds.get(name, "unnamed"),
                "weight": float(scale["weights"][-1][place]),
                "x_s": seconds(scale["x_fs"][-1][place]),
                "y": float(scale["rates"][place]),
                "error_s": seconds(scale["errors_fs"][-1][place]),
                "state": state,
                "why": why,
                "lamp": LAMPS[state],
            }
        )
    return rows


def state_of(scale: Payload, place: int) -> tuple[str, str]:
    """State and reason in words of one clock at the last epoch of a recorded scale entry."""
    from timeball.ensemble.steps import CODES

    word = CODES[scale["codes"][-1][place]]
    state = STATES.get(word, "learning" if word in LEARNING else "left out")
    why = scale["reasons"].get(scale["epochs"][-1], {}).get(scale["clocks"][place])
    return state, why or ORDINARY.get(word, word)


def scale_part(scale: Payload | None, now_tai_ns: int, config: Config, leaps: LeapTable) -> Payload:
    """Which algorithm, and how old its newest epoch is; `now_tai_ns` 0 while time is not known."""
    epoch = int(scale["epochs"][-1]) if scale is not None else None
    return {
        "algorithm": scale["algorithm"] if scale is not None else None,
        "epoch_utc": format_utc(Instant.from_ns(epoch), leaps, 0) if epoch is not None else None,
        "age_s": (now_tai_ns - epoch) / 1e9 if epoch is not None and now_tai_ns else None,
        "interval_s": config.ensemble.interval_s,
    }


def anomaly_words(anomaly: Payload, leaps: LeapTable) -> str:
    """One recorded anomaly in a sentence."""
    found = format_utc(Instant.from_ns(int(anomaly["found"])), leaps, 0)
    return f"{anomaly['words']}; found {found}"


def output_part(scale: Payload | None, served: Payload | None, steer: Payload | None, config: Config) -> Payload:
    """The output's residual, UTC(k) − UTC as served, and the rate steered by."""
    paper = scale["paper"] if scale is not None else None
    return {
        "residual_s": seconds(scale["output"]["residual_fs"][-1]) if scale is not None else None,
        "limit_s": config.output.residual_limit_s,
        "utck_minus_utc_s": finite(served["utck_minus_utc_s"]) if served is not None else None,
        "u_s": finite(served["u_s"]) if served is not None else None,
        "steer_rate": float(paper["next_rate"] if paper["change"] else paper["rate"]) if paper else None,
        "why": steer["why"] if steer is not None else "nothing steered yet",
    }


def leap_part(tai_ns: int | None, tai_minus_utc_s: int, leaps: LeapTable) -> Payload:
    """TAI − UTC as served, the next leap second, and whether the table is still vouched for."""
    leap = leaps.next_leap(tai_ns) if tai_ns is not None else None
    expires = leaps.expires
    return {
        "tai_minus_utc_s": tai_minus_utc_s if tai_ns is not None else None,
        "next_utc": format_utc(Instant.from_ns(leap.tai_ns), leaps, 0) if leap is not None else None,
        "table_expires_utc": format_utc(expires, leaps, 0) if expires is not None else None,
        "expired": tai_ns is not None and leaps.expired_at(tai_ns),
        "words": "a leap second is announced" if leap is not None else "no leap second announced",
    }


def seconds(x_fs: str | None) -> float | None:
    """Recorded femtoseconds in seconds."""
    return int(x_fs) / 1e15 if x_fs is not None else None


def finite(text: str) -> float | None:
    """A recorded float, None for what was not known."""
    value = float(text)
    return value if math.isfinite(value) else None


def mjd_of(tai_ns: int, leaps: LeapTable) -> float:
    """Modified Julian Date in UTC as one float, good to a microsecond or so."""
    day, attoseconds = mjd_utc(Instant.from_ns(tai_ns), leaps)
    return day + attoseconds / 86_400e18


def refid_words(refid: int) -> str:
    """A reference id as an address of the local clock, or as the four letters of a primary source (RFC 5905)."""
    octets = refid.to_bytes(4)
    if octets[0] == 127:
        return ".".join(str(octet) for octet in octets)
    return octets.rstrip(b"\0").decode("ascii", "replace")
