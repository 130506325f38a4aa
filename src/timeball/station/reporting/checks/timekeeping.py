"""Checks of time itself: served or withdrawn, leases, bound, page, clocks, output, the table of leap seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from timeball.station.reporting.diag import (
    COUNT,
    FAIL,
    OK,
    SECONDS,
    WARN,
    Check,
    Looks,
    above,
    below,
    unknown,
)

LEASE_SHARE_WARN = 0.5
"""A lease is renewed every second; with less than half of it left several renewals are missing."""
BOUND_SHARE_WARN = 0.5
LEAST_CLOCKS = 3
"""With two that disagree nobody can say which is wrong."""
LEAP_TABLE_WARN_S = 30 * 86400.0
DAY_S = 86400.0


def served(looks: Looks) -> Iterator[Check]:
    """Whether the servers may claim sync."""
    now = looks.now.now
    sentence = "both leases run and the servers claim sync" if now.in_sync else f"time is withdrawn: {now.why}"
    yield Check("time", OK if now.in_sync else FAIL, float(now.in_sync), 1.0, COUNT, sentence)


def leases(looks: Looks) -> Iterator[Check]:
    """What is left of each lease."""
    lengths = {"timekeeper": looks.now.config.lease.timekeeper_s, "observer": looks.now.config.lease.observer_s}
    for name, lease in looks.now.status["leases"].items():
        left_s, limit_s = lease["remaining_s"], LEASE_SHARE_WARN * lengths[name]
        state = FAIL if not lease["valid"] else above(left_s, limit_s, 0.0)
        yield Check(f"lease of the {name}", state, left_s, limit_s, SECONDS, lease["why"])


def bound(looks: Looks) -> Iterator[Check]:
    """The greatest error of served time, beside the limit of the lease."""
    value, limit = looks.now.status["time"]["bound_s"], looks.now.config.lease.max_bound_s
    if value is None:
        none = looks.now.timekeeper is None
        why = "no timekeeper's page of this boot" if none else "not known: see the lease of the timekeeper"
        yield unknown("bound", why, SECONDS)
        return
    state = below(value, BOUND_SHARE_WARN * limit, limit)
    words = {
        OK: "greatest error against UTC, all margins included",
        WARN: "more than half of what the lease allows: the link to UTC or the host's counter is silent",
        FAIL: "more than the lease allows",
    }
    yield Check("bound", state, value, limit, SECONDS, words[state])


def page_age(looks: Looks) -> Iterator[Check]:
    """How old the reference of the clock page is."""
    page, config = looks.now.timekeeper, looks.now.config
    if page is None:
        yield Check("page", FAIL, None, None, SECONDS, "no timekeeper's page of this boot")
        return
    age_s = (looks.now.raw_ns - page.raw_ns) / 1e9
    warn_s = min(config.lease.scale_max_age_s, 2 * config.ensemble.interval_s + 10.0)
    state = below(age_s, warn_s, max(warn_s, config.lease.scale_max_age_s))
    yield Check("page", state, age_s, warn_s, SECONDS, "age of the reading of the host's counter that time runs from")


def clocks(looks: Looks) -> Iterator[Check]:
    """How many clocks agree with the scale."""
    rows = [row for row in looks.now.status["clocks"] if row["kind"] not in ("output signal", "link to UTC")]
    if not rows:
        yield unknown("clocks", "no epoch of the scale is recorded yet")
        return
    used = [row for row in rows if row["weight"] > 0]
    out = [f"{row['name']} {row['state']}" for row in rows if row["state"] in ("left out", "missing")]
    state = FAIL if not used else WARN if out or len(used) < LEAST_CLOCKS else OK
    words = f"{len(used)} of {len(rows)} carry the scale" + (f"; {', '.join(out)}" if out else "")
    if 0 < len(used) < LEAST_CLOCKS:
        words += "; two that disagree could not be told apart"
    yield Check("clocks", state, float(len(used)), float(LEAST_CLOCKS), COUNT, words)


def output(looks: Looks) -> Iterator[Check]:
    """How far the output signal is from where it was steered."""
    part = looks.now.status["output"]
    residual, limit = part["residual_s"], part["limit_s"]
    if residual is None:
        yield unknown("output", "the output has not been read at the newest epoch", SECONDS)
        return
    state = below(abs(residual), 0.5 * limit, limit)
    yield Check("output", state, residual, limit, SECONDS, "output minus (TA(k) + steers), at the newest epoch")


def leap_table(looks: Looks) -> Iterator[Check]:
    """How long the table of leap seconds still speaks."""
    leap = looks.now.status["time"]["leap"]
    expires = leap["table_expires_utc"]
    if expires is None:
        yield unknown("leap table", "the table does not say until when it speaks", SECONDS)
        return
    left_s = datetime.fromisoformat(expires).replace(tzinfo=UTC).timestamp() - looks.now.pair.realtime_ns / 1e9
    state = above(left_s, LEAP_TABLE_WARN_S, 0.0)
    words = f"it speaks until {expires[:10]}; set leap_seconds.file, or install a newer tzdata, before that"
    yield Check("leap table", state, left_s, LEAP_TABLE_WARN_S, SECONDS, words)
