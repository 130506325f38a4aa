"""What was left out of a link, one by one, with its reason in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejected:
    """A track or a session left out: where it stands, whose it is, and why.

    satellite: empty for a two-way session. epoch: of its start, ns of TAI. reason: the same words for the same rule, so
    that they can be counted. value: what offended, in words; empty where there is nothing to add.
    """

    file: str
    line: int
    satellite: str
    epoch: int
    reason: str
    value: str = ""

    def __str__(self) -> str:
        what = " ".join(filter(None, (self.satellite, self.reason)))
        return f"{self.file}:{self.line}: {what}" + (f" ({self.value})" if self.value else "")


def by_reason(rejected: Iterable[Rejected]) -> dict[str, int]:
    """Count by reason, the commonest first."""
    return dict(Counter(each.reason for each in rejected).most_common())
