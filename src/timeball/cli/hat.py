"""`timeball hat`: the noise of each of three clocks out of their differences.

It parses its arguments, calls `stability.hat`, and prints. Sign: x_ab = x_a − x_b, x_bc, x_ca.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.measured import Choices, Measured, chosen_factors, measured_records, record_options
from timeball.cli.output import CommandError, format_seconds, format_table, format_tau, print_json
from timeball.cli.plotting import COLOURS, GRID, PLOT, new_plot, plain_frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from timeball.stability.hat import Hat

KEYS = ("oadev", "mdev", "tdev", "ohdev")


@dataclass(frozen=True, slots=True)
class HatReport:
    """Three clocks told apart by one method."""

    names: tuple[str, str, str]
    type: str
    method: str
    tau0_s: float
    hat: Hat

    def as_json(self) -> dict[str, Any]:
        """The document of `--json`: variances may be negative, sigma is then null."""
        found = self.hat
        clocks = [
            {"clock": name, "sigma": found.sigma[i], "variance": found.variance[i], "u_variance": found.u_variance[i]}
            for i, name in enumerate(self.names)
        ]
        return {
            "type": self.type,
            "method": self.method,
            "tau0_s": self.tau0_s,
            "tau_s": found.tau_s,
            "n": found.n,
            "edf": found.edf,
            "closure": found.closure,
            "clocks": clocks,
        }

    def sentence(self) -> str:
        """Say which clock is quietest at the shortest and at the longest time that all show."""
        import numpy as np

        known = np.flatnonzero(np.isfinite(self.hat.sigma).all(axis=0))
        if not known.size:
            return "At no averaging time can all three be told apart."
        ends = []
        for k in dict.fromkeys((int(known[0]), int(known[-1]))):
            best = int(np.argmin(self.hat.sigma[:, k]))
            value = self.sigma_text(float(self.hat.sigma[best, k]))
            ends.append(f"{self.names[best]} at {format_tau(float(self.hat.tau_s[k]))} s ({value})")
        return f"Quietest is {' and '.join(ends)}."

    def sigma_text(self, sigma: float) -> str:
        """A value for people; a negative variance has none."""
        if sigma != sigma:  # noqa: PLR0124 (NaN)
            return "below 0"
        return format_seconds(sigma) if self.type == "tdev" else f"{sigma:.3e}"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--type", "deviation", type=click.Choice(KEYS), default="oadev", show_default=True, help="Deviation.")
@click.option(
    "--method",
    type=click.Choice(["groslambert", "hat"]),
    default="groslambert",
    show_default=True,
    help="Groslambert covariance, or the classical three-cornered hat.",
)
@click.option("--names", metavar="A,B,C", help="Names of the three clocks, else as the files say.")
@click.option(
    "--tau",
    default="octave",
    show_default=True,
    metavar="octave|decade|all|S,S,...",
    help="As `stability`.",
)
@record_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--plot", type=PLOT, help="Draw to a file (.png, .svg, .pdf).")
def command(
    files: tuple[Path, ...],
    deviation: str,
    method: str,
    names: str | None,
    tau: str,
    as_json: bool,
    plot: Path | None,
    **reading: object,
) -> None:
    """Tell three clocks apart: one file of three clocks with three --clock, or files of A − B, B − C and C − A.

    Clocks that are compared with one and the same fourth are differenced first. A variance may come out negative: that
    is its uncertainty, and no deviation is given for it.

    \b
    timeball hat day.clk.gz --clock AMC2 --clock WTZR --clock NRC1
    timeball hat ab.txt bc.txt ca.txt --unit ns --names H1,H2,Cs --plot hat.png
    """  # noqa: D301 (click wants the backspace itself)
    records = list(measured_records(files, Choices(**reading)))  # type: ignore[arg-type]
    if len(records) != 3:
        raise click.UsageError(f"a hat has three corners: {len(records)} records given, in files or with --clock")
    report = _report(records, len(files), deviation, method, names, tau)
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(_as_text(report))
    if plot is not None:
        _write_plot(report, plot)
        click.echo(f"plot written to {plot}", err=True)


def _report(records: list[Measured], files: int, deviation: str, method: str, names: str | None, tau: str) -> HatReport:
    from timeball.stability.hat import three_clocks

    tau0_s = records[0].grid.tau0_s
    if any(abs(each.grid.tau0_s / tau0_s - 1.0) > 1e-9 for each in records) or len({each.kind for each in records}) > 1:
        raise CommandError("the three records must have one interval, and all be of phase or all of frequency")
    x, y, z = _aligned(records)
    if files == 1:
        # three clocks against one and the same: their differences
        if len({each.against for each in records}) != 1:
            raise CommandError("the three clocks of the file must be compared with one and the same clock")
        x, y, z = x - y, y - z, z - x
    called = _names(records, files, names)
    factors = chosen_factors(tau, tau0_s)
    found = three_clocks(x, y, z, tau0_s, factors, key=deviation, method=method, kind=records[0].kind)
    return HatReport(called, deviation, method, tau0_s, found)


def _aligned(records: list[Measured]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Put three records on the epochs that all of them cover; missing is NaN."""
    tau0_ns = records[0].grid.tau0_s * 1e9
    start = max(each.grid.start_ns for each in records)
    cut = []
    for each in records:
        places = (start - each.grid.start_ns) / tau0_ns
        if abs(places - round(places)) > 0.1:
            raise CommandError(f"{each.file}: its samples are not of the same epochs as those of the others")
        cut.append(each.values[round(places) :])
    size = min(each.size for each in cut)
    if size < 3:
        raise CommandError("the three records have no time in common")
    return cut[0][:size], cut[1][:size], cut[2][:size]


def _names(records: list[Measured], files: int, names: str | None) -> tuple[str, str, str]:
    given = [each.clock for each in records] if names is None else [each.strip() for each in names.split(",")]
    if len(given) != 3:
        raise click.BadParameter("three names, with commas between them", param_hint="--names")
    if names is None and files == 3 and len(set(given)) < 3:
        given = ["A", "B", "C"]
    return given[0], given[1], given[2]


def _as_text(report: HatReport) -> str:
    found = report.hat
    rows = []
    for k, tau in enumerate(found.tau_s.tolist()):
        cells = [report.sigma_text(float(found.sigma[i, k])) for i in range(3)]
        rows.append([format_tau(tau), *cells, report.sigma_text(float(found.closure[k])), str(int(found.n[k]))])
    table = format_table(("tau (s)", *report.names, "closure", "n"), rows, left=0)
    method = "Groslambert covariance" if report.method == "groslambert" else "three-cornered hat"
    return "\n".join([f"{report.type.upper()} of three clocks, {method}", "", table, "", report.sentence()])


def _write_plot(report: HatReport, path: Path) -> None:
    """Draw the three clocks and the closure, with k = 1 bars."""
    import numpy as np

    found = report.hat
    if not np.isfinite(found.sigma).any():
        raise CommandError(f"{path}: nothing to draw: no clock's variance is above zero at any averaging time")
    with new_plot(path, 8, 6, layout="constrained") as figure:
        axes = figure.subplots()
        for i, name in enumerate(report.names):
            top = np.sqrt(np.maximum(found.variance[i] + found.u_variance[i], 0.0)) - found.sigma[i]
            bottom = found.sigma[i] - np.sqrt(np.maximum(found.variance[i] - found.u_variance[i], 0.0))
            bars = np.nan_to_num(np.stack([np.minimum(bottom, 0.999 * found.sigma[i]), top]))
            axes.errorbar(
                found.tau_s, found.sigma[i], yerr=bars, fmt="o-", ms=4, capsize=3, color=COLOURS[i], label=name
            )
        known = found.sigma[np.isfinite(found.sigma)]
        if np.any(found.closure > 1e-6 * known.max()):
            axes.plot(found.tau_s, found.closure, ":", color=COLOURS[10], label="closure: the comparators")
        unit = " (s)" if report.type == "tdev" else ""
        axes.set(xscale="log", yscale="log", xlabel="averaging time τ (s)", ylabel=f"{report.type.upper()}{unit}")
        # a bar that ends at zero has no end on this scale: it leaves the picture
        axes.set_ylim(known.min() / 4.0, known.max() * 3.0)
        plain_frame(axes)
        axes.grid(which="major", color=GRID)
        axes.legend(frameon=False, title="bars: k = 1; where the variance is negative there is no point")
        figure.supxlabel(report.sentence(), fontsize=9)
