"""Metrics of the outputs beside the signal, each `[[output]]`: what became of its turns, and how far off it was.

The offset is served time minus what is fed.
"""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.metrics.metric import Sample, counter, gauge
from timeball.station.page.feedpage import OUTCOME_WORDS, FeedPage, Outcome
from timeball.station.reporting.view import View

TURNS = counter("timeball_feed_turns_total", "Turns of an output, each in one outcome", "output", "outcome")
OFFSET = gauge("timeball_feed_offset_seconds", "Served time minus what is fed, at the newest turn", "output")
BOUND = gauge("timeball_feed_bound_seconds", "Bound of served time that the newest turn met", "output")
RATE = gauge("timeball_feed_rate_ratio", "Correction of the rate of a PTP clock", "output")
STEPS = counter("timeball_feed_steps_total", "Times that a PTP clock was stepped", "output")
CLOCK_CLASS = gauge("timeball_feed_clock_class", "Class that ptp4l has confirmed last", "output")
AGE = gauge("timeball_feed_age_seconds", "Time since the newest turn", "output")

METRICS = (TURNS, OFFSET, BOUND, RATE, STEPS, CLOCK_CLASS, AGE)


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part, an output by its kind and its path."""
    for name, page in view.feeds.items():
        if page is not None:
            yield from _feed(name, page, view.age_s(page))


def _feed(name: str, page: FeedPage, age_s: float) -> Iterator[Sample]:
    for outcome in OUTCOME_WORDS:
        field = outcome.name.lower()
        yield from TURNS.at(getattr(page, field), name, field.replace("_", " "))
    yield from AGE.at(age_s, name)
    if page.outcome == Outcome.GIVEN:
        yield from OFFSET.at(page.offset_s, name)
        yield from BOUND.at(page.bound_s, name)
    yield from STEPS.at(page.steps, name)
    if page.rate:
        yield from RATE.at(page.rate, name)
    if page.clock_class:
        yield from CLOCK_CLASS.at(page.clock_class, name)
