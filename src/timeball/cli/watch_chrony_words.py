"""A chronyd's reports in words and as a JSON document. It asks nobody and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from timeball.cli.output import format_seconds, format_table
from timeball.protocols.chrony.judging import UNITS, Finding, Verdict
from timeball.protocols.chrony.more import as_document
from timeball.station.feeding.chronydview import ChronydView


def verdict_words(verdict: Verdict) -> str:
    """The verdict, and which limits it breaks."""
    if not verdict.synchronised:
        return "not synchronised"
    outside = [finding.name for finding in verdict.findings if not finding.within]
    return f"out of limits: {', '.join(outside)}" if outside else "in sync, within limits"


def head_words(view: ChronydView, verdict: Verdict) -> str:
    """The first line: verdict, offset, and whom it follows."""
    tracking = view.tracking
    if not verdict.synchronised:
        return f"{verdict_words(verdict)}: it follows none of its sources ({len(view.sources)})"
    offset_s = tracking.system_minus_ntp_s
    stands = f"the system clock is {format_seconds(abs(offset_s))} {'fast' if offset_s > 0 else 'slow'} of NTP time"
    whom = verdict.selected or tracking.refid or "nobody"
    return f"{verdict_words(verdict)}: {stands}; it follows {whom}, stratum {tracking.stratum}"


def sentences(view: ChronydView, verdict: Verdict) -> Iterator[str]:
    """One look in words: verdict first, then the limits, the clock, the sources."""
    tracking = view.tracking
    yield head_words(view, verdict)
    for finding in verdict.findings:
        yield f"limit     {_finding(finding)}"
    skew = f"± {tracking.skew * 1e6:.3g} ppm" if tracking.skew else ""
    yield f"clock     rate {tracking.frequency * 1e6:+.3f} ppm {skew}".rstrip()
    yield (
        f"root      delay {format_seconds(tracking.root_delay_s)}, dispersion "
        f"{format_seconds(tracking.root_dispersion_s)}, {_updated(view)}"
    )
    yield from _counts(view)
    yield ""
    yield _table(view)


def document_of(place: str, view: ChronydView, verdict: Verdict) -> dict[str, Any]:
    """The JSON document; offsets are system − NTP and system − source."""
    stats = {one.name: as_document(one) for one in view.stats}
    return {
        "host": place,
        "verdict": verdict_words(verdict),
        "fine": verdict.fine,
        "synchronised": verdict.synchronised,
        "selected": verdict.selected or None,
        "findings": [as_document(finding) for finding in verdict.findings],
        "read_unix_ns": str(view.read_ns),
        "tracking": as_document(view.tracking) | {"reference_ns": str(view.tracking.reference_ns)},
        "sources": [as_document(source) | {"stats": stats.get(source.name)} for source in view.sources],
        "activity": as_document(view.activity),
        "serverstats": view.server_stats,
        "ntpdata": view.ntp_data,
        "authdata": view.auth_data,
        "not_told": view.not_told,
    }


def _finding(finding: Finding) -> str:
    sign = "≥" if finding.name == "sources" else "≤"
    mark = "" if finding.within else "   OUT"
    return f"{finding.name} {_value(finding.name, finding.value)} {sign} {_value(finding.name, finding.limit)}{mark}"


def _value(name: str, value: float) -> str:
    return format_seconds(value) if UNITS[name] == "s" else f"{value:g}"


def _updated(view: ChronydView) -> str:
    if not view.tracking.reference_ns:
        return "never updated"
    return f"updated {format_seconds(max(0.0, (view.read_ns - view.tracking.reference_ns) / 1e9))} ago"


def _counts(view: ChronydView) -> Iterator[str]:
    if view.server_stats is not None:
        hits = ", ".join(f"{name} {count}" for name, count in view.server_stats.items() if count)
        yield f"served    {hits or 'nothing yet'}"
    for one in view.auth_data:
        if one["mode"] == "NTS":
            yield f"NTS       {one['cookies']} cookies, {one['naks']} NAKs, AEAD {one['key_type']}"
    for name, why in view.not_told.items():
        yield f"not told  {name}: {why}"


def _table(view: ChronydView) -> str:
    rows = (
        [
            *(source.name, source.mode, source.state, str(source.stratum), f"{2.0**source.poll:g} s"),
            *(f"{source.reach:03o}", format_seconds(source.adjusted_s), format_seconds(source.error_s)),
        ]
        for source in view.sources
    )
    return format_table(["source", "kind", "state", "stratum", "poll", "reach", "offset", "±"], rows, left=3)
