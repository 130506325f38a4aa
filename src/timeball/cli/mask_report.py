"""How a record against a mask is told: the verdict in words first, a table, JSON, and a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeball.cli.deviation_report import left_out
from timeball.cli.measured import Measured, short_names
from timeball.cli.output import CommandError, format_seconds, format_table, format_tau
from timeball.cli.plotting import COLOURS, GRID, new_plot, plain_frame, sentences_below

if TYPE_CHECKING:
    from timeball.stability.masks import Judged, Mask

LIMIT = "#c92a2a"
DEVIATIONS = ("mtie", "tdev")


@dataclass(frozen=True, slots=True)
class MaskReport:
    """One record against one mask: MTIE, TDEV and, where it was asked for, the time error (verdict, largest in s)."""

    record: Measured
    mask: Mask
    judged: tuple[Judged, ...]
    time_error: tuple[str, float] | None

    @property
    def verdict(self) -> str:
        """FAIL when one fails, PASS when all pass, else too short."""
        verdicts = [*self._verdicts(), *([self.time_error[0]] if self.time_error else [])]
        if "FAIL" in verdicts:
            return "FAIL"
        return "PASS" if set(verdicts) == {"PASS"} else "too short"

    def _verdicts(self) -> list[str]:
        return [each.verdict for each in self.judged]

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`, SI units throughout."""
        record, mask = self.record, self.mask
        document: dict[str, Any] = {
            "file": record.file,
            "clock": record.clock,
            "against": record.against,
            "mask": mask.key,
            "source": mask.source,
            "verified": mask.verified,
            "verdict": self.verdict,
            "limits": [_judged_json(each) for each in self.judged],
            "samples": record.samples,
            "missing": record.grid.missing,
            "rejected_lines": record.rejected_lines,
            "recipe": record.treated.as_json(),
        }
        if self.time_error is not None:
            verdict, largest = self.time_error
            limit = mask.max_te_s
            document["time_error"] = {"verdict": verdict, "largest_s": largest, "limit_s": limit}
        return document

    def sentence(self, of: str | None = None) -> str:
        """The verdict, and of what it hangs on. of: what is judged."""
        told = f"{of or f'{self.record.clock} against {self.record.against}'}, {self.mask.key}: {self.verdict}"
        tight = [each for each in self.judged if math.isfinite(each.margin)]
        if self.time_error is not None and self.time_error[0] == "FAIL" and "FAIL" not in self._verdicts():
            return f"{told}; the time error reaches {format_seconds(self.time_error[1])}."
        if not tight:
            return f"{told}; the record shows nothing that the mask limits."
        worst = min(tight, key=lambda each: each.margin)
        side = "over" if worst.margin < 0 else "under"
        k = worst.tau_s.tolist().index(worst.worst_tau_s)
        share = 100 * abs(float(worst.value_s[k]) / float(worst.limit_s[k]) - 1.0)
        where = f"{worst.deviation.upper()} is {share:.3g} % {side} the limit at {format_tau(worst.worst_tau_s)} s"
        return f"{told}; {where}."


def judge_record(record: Measured, mask: Mask, *, time_error: bool) -> MaskReport:
    """Compute MTIE and TDEV where the mask asks for them, and judge. CommandError for what has no time error."""
    from timeball.stability import DEVIATIONS as ROOM
    from timeball.stability.masks import judge, judge_time_error, mask_factors

    grid = record.grid
    points = grid.values.size + (1 if record.kind == "frequency" else 0)
    judged = []
    for deviation in DEVIATIONS:
        factors = mask_factors(mask, deviation, grid.tau0_s, points)
        found = ROOM[deviation].function(record.values, grid.tau0_s, factors, kind=record.kind)
        judged.append(judge(mask, deviation, found, record.span_s))
    error = None
    if time_error:
        if record.kind != "phase":
            raise CommandError(f"{record.file}: --time-error is of phase, this is a record of frequency")
        error = judge_time_error(mask, record.values)
    return MaskReport(record, mask, tuple(judged), error)


def _judged_json(each: Judged) -> dict[str, Any]:
    rows = zip(each.tau_s.tolist(), each.value_s.tolist(), each.limit_s.tolist(), strict=True)
    return {
        "deviation": each.deviation,
        "verdict": each.verdict,
        "margin": each.margin,
        "worst_tau_s": each.worst_tau_s,
        "from_s": each.from_s,
        "to_s": each.to_s,
        "needed_s": each.needed_s,
        "points": [{"tau_s": tau, "value_s": value, "limit_s": limit} for tau, value, limit in rows],
    }


def as_text(report: MaskReport) -> str:
    """The sentence first, then what was judged, each limit in a row."""
    record, mask = report.record, report.mask
    lines = [report.sentence(), f"{mask.title}, {mask.source}", "; ".join([record.file, *left_out(record)])]
    if not mask.verified:
        lines.append("take care: the figures of this mask were not compared with the text of the recommendation")
    rows = []
    for each in report.judged:
        reach = f"{format_tau(each.from_s)} to {format_tau(each.to_s)} s" if each.tau_s.size else "nothing"
        margin = f"{each.margin:+.3g}" if math.isfinite(each.margin) else "?"
        at = f"{format_tau(each.worst_tau_s)} s" if math.isfinite(each.worst_tau_s) else "?"
        rows.append([each.deviation.upper(), each.verdict, margin, at, reach, f"{format_tau(each.needed_s)} s"])
    lines += ["", format_table(("", "verdict", "margin", "at", "judged", "asked for up to"), rows, left=2)]
    if report.time_error is not None and mask.max_te_s is not None:
        verdict, largest = report.time_error
        lines.append(f"largest time error: {format_seconds(largest)} of {format_seconds(mask.max_te_s)}, {verdict}")
    lines += ["", "margin: limit over value, less 1; negative where the limit is broken"]
    return "\n".join(lines)


def write_plot(reports: Sequence[MaskReport], path: Path) -> None:
    """Draw MTIE to the left and TDEV to the right: every record as points, every mask in red."""
    with new_plot(path, 13, 6.2, layout="constrained") as figure:
        for axes, deviation in zip(figure.subplots(1, 2), DEVIATIONS, strict=True):
            _draw(axes, reports, deviation)
        names = _names(reports)
        sentences_below(figure, [each.sentence(names[each.record.file, each.record.clock]) for each in reports])


def _names(reports: Sequence[MaskReport]) -> dict[tuple[str, str], str]:
    """Short names of the records, by file and clock."""
    records = [report.record for report in reports]
    return {(each.file, each.clock): name for each, name in zip(records, short_names(records), strict=True)}


def _draw(axes: Any, reports: Sequence[MaskReport], deviation: str) -> None:
    # masks ask for different τ: the curve of a record has those of all of them
    curves: dict[str, dict[float, float]] = {}
    names = _names(reports)
    for report in reports:
        each = next(each for each in report.judged if each.deviation == deviation)
        name = names[report.record.file, report.record.clock]
        curves.setdefault(name, {}).update(zip(each.tau_s.tolist(), each.value_s.tolist(), strict=True))
        _ring_what_breaks(axes, each)
    for (name, curve), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        if curve:
            tau_s = sorted(curve)
            axes.plot(tau_s, [curve[tau] for tau in tau_s], "o-", ms=4, lw=1.2, color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="observation interval τ (s)", ylabel=f"{deviation.upper()} (s)")
    for style, mask in zip(
        ("-", "--", ":", "-."), {report.mask.key: report.mask for report in reports}.values(), strict=False
    ):
        draw_mask(axes, mask, deviation, style)
    plain_frame(axes)
    axes.grid(which="major", color=GRID)
    axes.legend(fontsize=8, frameon=False)


def _ring_what_breaks(axes: Any, each: Judged) -> None:
    over = each.value_s > each.limit_s
    axes.plot(each.tau_s[over], each.value_s[over], "o", ms=8, mfc="none", mec=LIMIT, mew=1.2, zorder=4)


def draw_mask(axes: Any, mask: Mask, deviation: str, style: str = "-") -> None:
    """Draw a limit over the part of it that lies in the picture, or over all of it when nothing else is there."""
    import numpy as np

    left, right = axes.get_xlim() if axes.has_data() else (0.1, mask.needed_s(deviation))
    bottom, top = axes.get_ylim()
    label: str | None = f"{mask.key}, limit of {deviation.upper()}"
    for stretch in mask.stretches(deviation):
        low, high = max(left, stretch.from_s), min(right, stretch.to_s)
        if low < high:
            tau_s = np.geomspace(low, high, 40)
            axes.plot(tau_s, stretch.limit(tau_s), style, color=LIMIT, lw=1.6, label=label)
            label = None
            bottom, top = min(bottom, 0.7 * stretch.limit(tau_s).min()), max(top, 1.4 * stretch.limit(tau_s).max())
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
