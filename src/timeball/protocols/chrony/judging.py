"""A chronyd judged by its own reports: is it synchronised, from whom, how far off, and is that within limits.

Pure: reports and limits in, a verdict out. It believes what chronyd says of itself; whether that is so, only a
comparison with another clock can tell. Offsets are system − NTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from timeball.protocols.chrony.reports import UNSYNCHRONISED, Source, Tracking

USABLE = ("selected", "combined", "selectable")
DEFAULT_LIMITS: Mapping[str, float] = {"offset": 1e-3, "distance": 0.1, "sources": 1}
"""offset (s): |system − NTP|; distance (s): root delay / 2 + root dispersion; sources: how many are usable at least;
skew (fraction): the uncertainty of the rate; age (s): of the last update. A limit that is not named is not asked for.
"""
UNITS = {"offset": "s", "distance": "s", "sources": "", "skew": "", "age": "s"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One value against its limit: an upper one, for `sources` a lower one."""

    name: str
    value: float
    limit: float
    within: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """`synchronised` as chronyd says, `selected` the source it follows (empty: none), one finding a limit."""

    synchronised: bool
    selected: str
    findings: tuple[Finding, ...]

    @property
    def fine(self) -> bool:
        """Synchronised, and everything within its limit."""
        return self.synchronised and all(finding.within for finding in self.findings)


def judge(tracking: Tracking, sources: Sequence[Source], now_ns: int, limits: Mapping[str, float]) -> Verdict:
    """Judge by `limits` (names as in UNITS); `now_ns` on the system clock that chronyd steers.

    A chronyd that follows its own clock (`local`) says that it is synchronised; the limit `sources` tells.
    """
    usable = sum(source.state in USABLE for source in sources)
    values = {
        "offset": abs(tracking.system_minus_ntp_s),
        "distance": tracking.root_delay_s / 2 + tracking.root_dispersion_s,
        "sources": float(usable),
        "skew": tracking.skew,
        "age": (now_ns - tracking.reference_ns) / 1e9,
    }
    findings = tuple(
        Finding(name, values[name], limit, values[name] >= limit if name == "sources" else values[name] <= limit)
        for name, limit in limits.items()
    )
    synchronised = tracking.leap != UNSYNCHRONISED and bool(tracking.refid)
    selected = next((source.name for source in sources if source.state == "selected"), "")
    return Verdict(synchronised, selected, findings)
