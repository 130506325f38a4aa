"""UTC against the UTC that satellites broadcast: the parameters, the day's mean, and the sum of section 4."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.cli.root import run
from timeball.formats import FormatError
from timeball.formats.broadcast_utc import BroadcastUTC, read_broadcast_utc
from timeball.formats.bulletin import LabPoints
from timeball.instants import from_gps
from timeball.transfer import StationTracks
from timeball.transfer.broadcast import against_broadcast

Find = Callable[[str], Path]
NAVIGATION = """\
     3.04           N: GNSS NAV DATA    M: MIXED            RINEX VERSION / TYPE
GPUT -1.8626451492E-09-8.881784197E-16 503808 2399          TIME SYSTEM CORR
GAUT  9.3132257462E-10 1.776356839E-15  61440 2400          TIME SYSTEM CORR
BDUT  9.3132257462E-10 1.776356839E-15  61440 1044          TIME SYSTEM CORR
GLUT  9.3132257462E-10 0.000000000E+00      0    0          TIME SYSTEM CORR
                                                            END OF HEADER
G01 2026 01 01 00 00 00 4.691267386079E-04-1.034639353747E-11 0.000000000000E+00
"""
MIDNIGHT = from_gps(2399, 4 * 86_400 + 18).ns  # 2026-01-01 0h UTC: GPST − UTC is 18 s
DAY = 86_400 * 10**9


def tracks(refsys_s: Callable[[np.ndarray], np.ndarray], days: tuple[float, float] = (-0.5, 1.5)) -> StationTracks:
    start = np.arange(int(days[0] * 90), int(days[1] * 90)) * 960 * 10**9 + MIDNIGHT
    n = start.size
    columns = {name: np.zeros(n) for name in ("srsys", "mdio_s", "msio_s")}
    columns |= {"elevation_deg": np.full(n, 45.0), "azimuth_deg": np.zeros(n), "dsg_s": np.full(n, 1e-9)}
    value = refsys_s((start + 390 * 10**9 - MIDNIGHT) / 1e9)
    whole = {"source": np.zeros(n, np.int64), "line": np.arange(n) + 20, "ioe": np.zeros(n, np.int64)}
    texts = {"satellite": np.full(n, "G05", "U3"), "frc": np.full(n, "L3P", "U3")}
    return StationTracks(
        "UTC(TB)",
        ("f",),
        epoch=start,
        track_s=np.full(n, 780.0),
        refsys_s=value,
        refsv_s=value,
        **columns,
        **whole,
        **texts,
    )


def message(mjd: int, a0_s: float, a1: float = 0.0) -> BroadcastUTC:
    return BroadcastUTC("G", mjd, a0_s, a1, MIDNIGHT // 10**9)


def test_the_sum_of_section_4() -> None:
    """A clock that drifts 10 ns a day, 4 ns ahead of GPS time at 0h; GPS time 6 and 8 ns ahead of its own UTC."""
    utc = LabPoints("TB", np.array([MIDNIGHT - 2 * DAY, MIDNIGHT + 3 * DAY]), np.array([-1e-9, 4e-9]),
                    np.full(2, 0.2e-9), np.full(2, 1.2e-9))  # fmt: skip
    told = [message(61040, 6e-9), message(61041, 8e-9)]
    days, rejected = against_broadcast(
        tracks(lambda t: 4e-9 + 10e-9 * t / 86_400), told, [(61041, MIDNIGHT), (61042, MIDNIGHT + DAY)], utc, 2e-9
    )
    first = days[0]
    assert first.lab_minus_system_s == pytest.approx(4e-9, abs=0.06e-9)  # the tracks lie nearly evenly about 0h
    assert first.system_minus_broadcast_s == pytest.approx(7e-9)
    assert first.utc_minus_lab_s == pytest.approx(1e-9)  # two fifths of the way
    assert first.utc_minus_broadcast_s == pytest.approx(12e-9, abs=0.06e-9)
    assert first.u_s == pytest.approx(math.sqrt(first.u_a_s**2 + 1e-18 + (2.0**-30) ** 2 / 12 + 1.44e-18 + 4e-18))
    assert (first.n, first.why, len(rejected)) == (90, "", 0)
    assert days[1].system_minus_broadcast_s == pytest.approx(8e-9)  # one of the two days has a message


def test_the_parameters_are_carried_to_the_moment() -> None:
    later = message(61041, 0.0, 1e-14)
    assert later.system_minus_utc_s(MIDNIGHT + 2 * DAY) == pytest.approx(2 * 86_400e-14)
    assert later.system_minus_utc_s(MIDNIGHT - 2 * DAY) == pytest.approx(-2 * 86_400e-14)


def test_far_tracks_are_left_out_and_half_a_day_is_no_mean() -> None:
    rng = np.random.default_rng(9)

    def noisy(t: np.ndarray) -> np.ndarray:
        x = rng.normal(0.0, 1e-9, t.size)
        x[10] += 50e-9
        return x

    days, rejected = against_broadcast(tracks(noisy), [], [(61041, MIDNIGHT)])
    assert [(each.line, each.reason) for each in rejected] == [(30, "more than 6 σ from the day's others")]
    assert abs(days[0].lab_minus_system_s) < 5 * days[0].u_a_s
    assert days[0].why == "no navigation message of this day or the day before"
    (half,), _ = against_broadcast(tracks(noisy, (0.0, 1.0)), [message(61041, 0.0)], [(61041, MIDNIGHT)])
    assert math.isnan(half.lab_minus_system_s)
    assert math.isnan(half.u_s)
    assert half.why == "the tracks lie on one side of 0h"


def test_a_navigation_file() -> None:
    found, defects = read_broadcast_utc(NAVIGATION.encode(), "nav")
    assert not defects
    assert [(each.system, each.mjd, each.a0_s, each.a1) for each in found] == [
        ("G", 61041, -1.8626451492e-09, -8.881784197e-16),
        ("E", 61041, 9.3132257462e-10, 1.776356839e-15),
        ("C", 61041, 9.3132257462e-10, 1.776356839e-15),
    ]
    assert found[0].reference_tai_s == from_gps(2399, 503808).seconds
    assert found[2].reference_tai_s == found[1].reference_tai_s + 14  # BDT began 1356 GPS weeks in, 14 s behind
    broken = NAVIGATION.replace("503808 2399", "99999999999").replace("E-15  61440", "E-05  61440")
    with pytest.raises(FormatError):
        read_broadcast_utc(broken.replace("BDUT", "XXUT").encode(), "nav")


def test_real_parameters_of_a_month(shared: Find) -> None:
    data = shared("groundstate-utck-tools/GPS.TimeSysCorr.txt").read_bytes()
    found, defects = read_broadcast_utc(data, "GPS")
    rows = [line.split() for line in data.decode().splitlines()]
    assert not defects
    assert [(each.mjd, each.a0_s, each.a1) for each in found] == [(int(r[0]), float(r[1]), float(r[2])) for r in rows]
    assert len(found) == 33
    # both days' messages speak of the 0h between them
    at = [(mjd - 40_587) * DAY + 37 * 10**9 for mjd in range(61041, 61073)]
    gaps = [a.system_minus_utc_s(t) - b.system_minus_utc_s(t) for a, b, t in zip(found, found[1:], at, strict=False)]
    assert max(map(abs, gaps)) < 5e-9
    by_hand = float(rows[0][1]) + float(rows[0][2]) * (at[0] / 1e9 - (315_964_819 + 2399 * 604_800 + 503_808))
    assert found[0].system_minus_utc_s(at[0]) == pytest.approx(by_hand, abs=1e-16)


CUT = st.tuples(st.integers(0, len(NAVIGATION)), st.binary(max_size=9))


@given(
    st.binary(max_size=200)
    | CUT.map(lambda cut: NAVIGATION.encode()[: cut[0]] + cut[1] + NAVIGATION.encode()[cut[0] + 3 :])
)
def test_whatever_the_bytes_are_only_a_format_error_escapes(data: bytes) -> None:
    try:
        found, _ = read_broadcast_utc(data, "bytes")
    except FormatError:
        return
    assert found
    assert all(math.isfinite(each.system_minus_utc_s(MIDNIGHT)) for each in found)


def test_the_command_says_what_it_can_and_what_is_missing(
    shared: Find, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two real days of GPS, with parameters made up for them: the mean of all tracks around 0h is found by hand."""
    files = [shared(f"openttp-validation/javad.5749{day}.cctf") for day in (0, 1)]
    told = tmp_path / "told.txt"
    told.write_text("57490 2.0e-09 0 0 1892\n57491 4.0e-09 0 0 1892\n")
    series = tmp_path / "utc.txt"
    series.write_text("57489 -3.0\n57494 -8.0\n")
    arguments = ["transfer", "broadcast", ",".join(map(str, files)), "--message", str(told)]
    limits = ["--elevation", "0", "--min-track", "0", "--max-dsg", "1000"]
    assert run([*arguments, *limits, "--utc", str(series), "--lab", "AUS", "--json"]) == 0
    days = {day["mjd"]: day for day in json.loads(capsys.readouterr().out)["days"]}
    values = []
    for number, path in enumerate(files):
        for line in path.read_text(encoding="latin-1").splitlines():
            match = re.match(r" *\d+ FF \d{5} (\d\d)(\d\d)(\d\d) +(\d+) +\d+ +\d+ +\S+ +\S+ +(\S+)", line)
            if match:
                hours, minutes, seconds, length, refsys = (int(each) for each in match.groups())
                at = number * 86_400 + hours * 3600 + minutes * 60 + seconds + length / 2
                if 43_200 <= at < 129_600:
                    values.append(refsys / 10)
    day = days[57491]
    assert day["n"] == len(values)
    assert day["lab_minus_system_s"] * 1e9 == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert day["system_minus_broadcast_s"] == pytest.approx(3e-9)
    assert day["utc_minus_lab_s"] == pytest.approx(-5e-9)
    assert day["utc_minus_broadcast_s"] == pytest.approx(day["lab_minus_system_s"] - 2e-9)
    assert run([*arguments, *limits]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^57490 +– .*the tracks lie on one side of 0h", out, re.MULTILINE)
    assert re.search(r"^57491 .*UTC − UTC\(k\) is not published for this day", out, re.MULTILINE)
    assert run([*arguments, "--utc", str(files[0])]) == 1
