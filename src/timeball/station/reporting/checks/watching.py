"""The check of the watchdog: does it look, and what did it find last."""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.page.watchpage import CANNOT_JUDGE, FOUND, NOT_YET, WatchPage
from timeball.station.reporting.diag import FAIL, OK, SECONDS, STILL_S, WARN, Check, Looks, silent, unknown

LOOK_S = 60.0
"""A look at a large pool, all of it silent, takes that long at the most."""


def watchdog(looks: Looks) -> Iterator[Check]:
    """Whether other servers say what is served; nothing where no pool is named."""
    settings, page = looks.now.config.khronos, looks.now.watchdog
    if not settings.servers:
        return
    if page is None:
        yield silent("watchdog")
        return
    age_s, late_s = looks.now.age_s(page), 2 * settings.every_s + LOOK_S + STILL_S
    if age_s > late_s:
        yield Check("watchdog", FAIL, age_s, late_s, SECONDS, "it stands still: so long ago was its newest look")
    elif page.code == NOT_YET:
        yield unknown("watchdog", "it has not looked yet", SECONDS)
    else:
        yield _found(page, settings.limit_s)


def _found(page: WatchPage, limit_s: float) -> Check:
    answered = f"{page.answered} of {page.asked} servers of the newest look answered"
    if page.code == CANNOT_JUDGE:
        words = f"it cannot judge: {answered if page.asked else 'served time is not known'}"
        return Check("watchdog", WARN, None, limit_s, SECONDS, words)
    state = FAIL if page.code == FOUND else OK
    words = f"middle of other servers minus served time; {answered}"
    return Check("watchdog", state, page.offset_s, limit_s, SECONDS, words)
