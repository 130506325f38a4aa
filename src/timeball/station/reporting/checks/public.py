"""Checks of what else faces the public: key exchange, certificate, keys, Roughtime; and outputs beside the signal."""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.page.feedpage import NOT_YET, OUTCOME_WORDS, FeedPage, Outcome
from timeball.station.reporting.diag import (
    FAIL,
    OK,
    SECONDS,
    STILL_S,
    WARN,
    Check,
    Looks,
    above,
    below,
    silent,
    turning,
    unknown,
)

CERTIFICATE_WARN_S, CERTIFICATE_FAIL_S = 14 * 86400.0, 2 * 86400.0
DELEGATION_WARN_S = 3 * 86400.0
KEY_LATE_WARN, KEY_LATE_FAIL = 1.25, 3.0


def exchange(looks: Looks) -> Iterator[Check]:
    """Whether the key exchange turns, with its certificate and its keys; nothing where it is not configured."""
    if not looks.now.config.nts.listen:
        return
    page = looks.now.keyexchange
    if page is None:
        yield silent("key exchange")
        return
    words = f"{page.agreed} of {page.accepted} connections ended with cookies given"
    yield turning("key exchange", looks.now.age_s(page), words)
    yield from _certificate(page.certificate_expires_unix_s, float(page.certificate_left_s), page.certificates_refused)
    yield _keys(float(page.key_age_s), looks.now.config.nts.rotate_s, page.key_failures)


def _certificate(expires_unix_s: int, left_s: float, refused: int) -> Iterator[Check]:
    if not expires_unix_s:
        yield unknown("certificate", "the key exchange shows no certificate", SECONDS)
        return
    state = above(left_s, CERTIFICATE_WARN_S, CERTIFICATE_FAIL_S)
    words = "until it ends; a new one is taken from the same files without a restart"
    if refused:
        state, words = max(state, WARN, key=(OK, WARN, FAIL).index), f"{words}; {refused} new ones were refused as bad"
    yield Check("certificate", state, left_s, CERTIFICATE_WARN_S, SECONDS, words)


def _keys(age_s: float, rotate_s: float, failures: int) -> Check:
    state = FAIL if failures else below(age_s, KEY_LATE_WARN * rotate_s, KEY_LATE_FAIL * rotate_s)
    words = "age of the key of new cookies"
    if failures:
        words += f"; {failures} times the keys could not be written"
    return Check("cookie key", state, age_s, KEY_LATE_WARN * rotate_s, SECONDS, words)


def roughtime(looks: Looks) -> Iterator[Check]:
    """Whether Roughtime turns and for how long its key may sign; nothing where it is not configured."""
    settings, page = looks.now.config.roughtime, looks.now.roughtime
    if not settings.listen:
        return
    if page is None:
        yield silent("roughtime")
        return
    yield turning("roughtime", looks.now.age_s(page), f"{page.replies} of {page.packets} packets answered")
    if not page.key_maxt_s:
        yield unknown("roughtime key", "no key has been needed yet", SECONDS)
        return
    left_s = page.key_maxt_s - looks.now.pair.realtime_ns / 1e9
    # a key of its own is replaced when a quarter of its life is left
    limit_s = DELEGATION_WARN_S if settings.delegation else settings.delegate_s / 8
    words = "until the online key may sign no more"
    if settings.delegation:
        words += "; delegate again, a new file is taken without a restart"
    yield Check("roughtime key", above(left_s, limit_s, 0.0), left_s, limit_s, SECONDS, words)


def outputs(looks: Looks) -> Iterator[Check]:
    """A line an `[[output]]`: how far off it was at its newest turn, or why it was given nothing."""
    every_s = {name: output.every_s for name, output in zip(looks.now.feeds, looks.now.config.outputs, strict=True)}
    for name, page in looks.now.feeds.items():
        age_s = None if page is None else looks.now.age_s(page)
        if page is None or age_s is None or page.outcome == NOT_YET:
            yield Check(name, FAIL, None, None, SECONDS, "the feeder has not written its counters")
        elif age_s > STILL_S + 3 * every_s[name]:
            yield Check(name, FAIL, age_s, STILL_S + 3 * every_s[name], SECONDS, "the feeder stands still")
        else:
            yield _output(name, page)


def _output(name: str, page: FeedPage) -> Check:
    outcome = Outcome(page.outcome)
    if outcome != Outcome.GIVEN:
        state = WARN if outcome in (Outcome.WITHHELD, Outcome.AT_A_LEAP, Outcome.INTERRUPTED) else FAIL
        return Check(name, state, None, None, SECONDS, OUTCOME_WORDS[outcome])
    return Check(name, OK, page.offset_s, None, SECONDS, f"served time minus what is fed; {page.given} times given")
