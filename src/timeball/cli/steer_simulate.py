"""`timeball steer simulate`: closed loops with the bulletins' latency, and UTC(k) at the next Circular T with its band.

Sign: x is UTC(k) − UTC. `steer_study.py` holds what is computed, `steer_plot.py` what is drawn.
"""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CommandError, format_table, print_json
from timeball.cli.progress import progress_bar
from timeball.cli.steer_options import choice, law_options, read_points

if TYPE_CHECKING:
    from timeball.cli.steer_study import Study
    from timeball.simulation.models import ClockModel

LONGEST_DAYS = 3650
MOSTLY = 0.5
"""A loop of which more steers than this share are held back follows its limits and not its law."""


@click.command("simulate", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", default="active-maser", show_default=True, help="Without FILES: model of the free scale.")
@click.option("--runs", type=click.IntRange(1, 20_000), default=200, show_default=True, help="Simulated laboratories.")
@click.option(
    "--days", type=click.IntRange(120, LONGEST_DAYS), default=365, show_default=True, help="Days before looking ahead."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of all noise.")
@law_options
def command(
    files: tuple[Path, ...],
    model: str,
    runs: int,
    days: int,
    seed: int,
    confidence: float,
    drift: bool,
    lab: str | None,
    plot: Path | None,
    as_json: bool,
    **laws: Any,
) -> None:
    """Steer UTC(k) in closed loop, and state how far it will be from UTC at the next Circular T.

    UTCr comes each Wednesday for the week up to Sunday, Circular T on about the 11th for the month before. Without
    FILES the free scales are simulated; with FILES (series or bulletins of UTC − UTC(k)) their values are taken as a
    free scale: what would the law have made of it, and where will it be? The band allows for coefficients and rate
    being known from the past alone, and for the steers to come.

    \b
    timeball steer simulate --law lqg --model active-maser --plot steer.png
    timeball steer simulate utcraus.txt --lab AUS --law weekly --max-change 5e-14
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.steer_study import study_model, study_series

    options = choice(laws)
    assumed = ""
    if drift and not files:
        raise CommandError("--drift is for FILES; of a model it is known whether it drifts")
    if files:
        points = read_points(files, lab)
        study = study_series(options, points, seed, confidence, drifts=drift)
        assumed = taken_as(options.law, {point.source for point in points})
    else:
        with progress_bar("laboratories steered") as tell:
            study = study_model(options, _model(model), runs, days, seed, confidence, tell)
    if plot is not None:
        from timeball.cli.steer_plot import draw_study

        draw_study(study, plot, sentence(study, confidence))
    if as_json:
        told = {"law": options.law, "seed": seed, "confidence": confidence, "plot": str(plot) if plot else None}
        what = {"runs": study.x.shape[1], "days": study.x.shape[0], "filled_days": study.filled}
        print_json({**told, **what, "assumed": assumed or None, **study.numbers(), "bands": bands(study)})
        return
    click.echo(sentence(study, confidence) + "\n")
    click.echo(_table(study))
    click.echo("\n" + _told(study, confidence))
    if assumed:
        click.echo(assumed)
    if plot is not None:
        click.echo(f"\nDrawn: {plot}")


def taken_as(law: str, sources: Set[str]) -> str:
    """What is taken for the bulletin that the law answers where the files hold the other one alone; empty elsewhere."""
    from timeball.steering.bulletins import CIRCULAR_T, UTCR

    if law == "none" or len(sources) != 1:
        return ""
    wanted, (have,) = (CIRCULAR_T if law == "monthly" else UTCR), sources
    if have == wanted:
        seen = "the outlook is from the last week of its values, as if UTCr had told them"
        return f"The files hold {have} alone: {seen}." if have == CIRCULAR_T else ""
    between = ", drawn straight between its dates" if have == CIRCULAR_T else ""
    return (
        f"The files hold {have} alone, and this law answers {wanted}: it is steered as if {wanted} had come at its own "
        f"times and said what {have} says{between}. How far the two are apart is not in this."
    )


def bands(study: Study) -> list[dict[str, Any]]:
    """Median, edges by epoch of the next Circular T: medians over the runs."""
    import numpy as np

    rows = zip(study.target_mjds, study.middle, study.low, study.high, strict=True)
    return [
        {"mjd": mjd, "median_s": float(np.median(m)), "low_s": float(np.median(a)), "high_s": float(np.median(b))}
        for mjd, m, a, b in rows
    ]


def sentence(study: Study, confidence: float) -> str:
    """The verdict in words: where UTC(k) will be."""
    from timeball.cli.steer_study import day_text

    n = study.numbers()
    out = day_text(_published_mjd(study))
    if study.x.shape[1] > 1:
        near = f"{confidence:.0%} will be within {n['half_width_s'] * 1e9:.1f} ns of what is predicted for"
        return (
            f"Of {study.x.shape[1]} laboratories, {near} {day_text(n['target_mjd'])}, as the next Circular T ({out}) "
            f"will tell; seen from {day_text(study.now)}."
        )
    return (
        f"UTC(k) will be {n['low_s'] * 1e9:+.1f} ns to {n['high_s'] * 1e9:+.1f} ns from UTC on "
        f"{day_text(n['target_mjd'])} with probability {confidence:.0%}, "
        f"as the next Circular T ({out}) will tell; seen from {day_text(study.now)}."
    )


def _published_mjd(study: Study) -> int:
    from timeball.steering.bulletins import mjd_at

    return mjd_at(study.published)


def _table(study: Study) -> str:
    from timeball.cli.steer_study import day_text

    rows = [
        [day_text(each["mjd"]), *(f"{each[key] * 1e9:+.2f}" for key in ("median_s", "low_s", "high_s"))]
        for each in bands(study)
    ]
    return format_table(["UTC(k) − UTC at", "median (ns)", "from (ns)", "to (ns)"], rows)


def _told(study: Study, confidence: float) -> str:
    n = study.numbers()
    lines = [
        f"In closed loop: rms {n['rms_s'] * 1e9:.2f} ns, 95 % within {n['p95_s'] * 1e9:.2f} ns, "
        f"at most {n['max_s'] * 1e9:.2f} ns; unsteered rms {n['free_rms_s'] * 1e9:.1f} ns.",
        f"{n['steers']} steers of {n['change_rms']:.1e} (rms); {n['limited']:.0%} held back by the limits.",
    ]
    if n["limited"] > MOSTLY:
        lines.append(
            "So the loop does not settle: it needs a larger --max-change, or a rate that is near from the start."
        )
    if n["covered"] is not None:
        lines.append(
            f"The band held the outcome in {n['covered']:.1%} of {study.x.shape[1]} runs (stated: {confidence:.0%})."
        )
    if study.filled:
        lines.append(f"{study.filled} days without a value were drawn straight.")
    return "\n".join(lines)


def _model(name: str) -> ClockModel:
    from timeball.readings.names import did_you_mean
    from timeball.simulation.models import MODELS

    if name not in MODELS:
        raise CommandError(f"no model {name!r}; there are: {', '.join(MODELS)}{did_you_mean(name, MODELS)}")
    return MODELS[name]
