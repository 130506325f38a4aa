"""Pairs of real receivers: the figures of every link, found here a second time with a dictionary and plain sums.

openttp: a Javad and a Trimble at one clock (V1 and V1, another column each), MJD 57490 and 57491. GMRX01 and GMRX02:
two Javads, one file in version 2E and one in version 1. UGR: one receiver, Galileo and GPS in a file each.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median, stdev
from typing import NamedTuple

import numpy as np
import pytest

from timeball.formats.cggtts import read_cggtts
from timeball.station.hosttime.leaps import load_leap_table
from timeball.transfer import (
    Limits,
    Link,
    NoLinkError,
    Options,
    StationTracks,
    all_in_view,
    by_reason,
    common_view,
    join_tracks,
    station_tracks,
)

Find = Callable[[str], Path]
JAVAD = ["openttp-validation/javad.57490.cctf", "openttp-validation/javad.57491.cctf"]
TRIMBLE = ["openttp-validation/trimble.57490.cctf", "openttp-validation/trimble.57491.cctf"]
GMRX = ["groundstate-time-transfer-tools/GMRX0157.607", "groundstate-time-transfer-tools/GMRX0257.607"]
UGR = ["pycggtts-ugr/data/dual/EZUG0060.600", "pycggtts-ugr/data/dual/GZUG0060.600"]
ALL = Limits(elevation_deg=0.0, dsg_s=1.0, track_s=0.0, srsys=1.0)
PLAIN = Options(limits=ALL, weights="equal", sigmas=0.0)
EQUAL = Options(weights="equal")
LINE = re.compile(r"^ *([A-Z]?) *(\d+) (?:FF|99) +(\d{5}) (\d{6}) +(.*)$")


class Seen(NamedTuple):
    """What a line says, in the file's own units."""

    track_s: int
    elevation: int
    refsv: int
    refsys: int
    slope: int
    dsg: int


def plainly(*paths: Path) -> dict[tuple[str, str, str], Seen]:
    """Tracks by satellite, day and start, read with one regular expression; of a repeated one the first."""
    found: dict[tuple[str, str, str], Seen] = {}
    for path in paths:
        for line in path.read_text(encoding="latin-1").splitlines():
            match = LINE.match(line)
            if match:
                letter, number, day, start, rest = match.groups()
                track, elevation, _, refsv, _, refsys, slope, dsg = (int(word) for word in rest.split()[:8])
                key = (f"{letter or 'G'}{int(number):02d}", day, start)
                found.setdefault(key, Seen(track, elevation, refsv, refsys, slope, dsg))
    return found


def good(tracks: dict[tuple[str, str, str], Seen]) -> dict[tuple[str, str, str], Seen]:
    """What the default limits let through: 10°, 750 s, DSG 20 ns, 1000 ps/s."""
    return {
        key: seen
        for key, seen in tracks.items()
        if seen.elevation >= 100 and seen.track_s >= 750 and seen.dsg <= 200 and abs(seen.slope) <= 10_000
    }


def tracks_of(name: str, *paths: Path) -> StationTracks:
    leaps = load_leap_table()
    return join_tracks(
        [station_tracks(read_cggtts(path.read_bytes(), path.name, leaps), path.name) for path in paths], name
    )


def pair(shared: Find, a: list[str], b: list[str]) -> tuple[list[Path], list[Path], StationTracks, StationTracks]:
    left, right = [shared(each) for each in a], [shared(each) for each in b]
    return left, right, tracks_of("A", *left), tracks_of("B", *right)


@pytest.mark.parametrize(("a", "b", "n", "mean_ns", "spread_ns"), [
    (JAVAD, TRIMBLE, 1436, -2447.3090, 6.4124),
    (JAVAD[:1], TRIMBLE[:1], 709, -2447.3014, 6.3628),
    (GMRX[:1], GMRX[1:], 717, -16.9492, 2.7809),
])  # fmt: skip
def test_common_view_of_all_tracks_is_a_dictionary_match(
    shared: Find, a: list[str], b: list[str], n: int, mean_ns: float, spread_ns: float
) -> None:
    left, right, tracks_a, tracks_b = pair(shared, a, b)
    first, second = plainly(*left), plainly(*right)
    both = sorted(set(first) & set(second))
    differences = [(first[key].refsys - second[key].refsys) / 10 for key in both]
    link = common_view(tracks_a, tracks_b, PLAIN)
    assert (link.n, len(both)) == (n, n)
    assert link.mean_s * 1e9 == pytest.approx(mean(differences), abs=1e-6)
    assert link.spread_s * 1e9 == pytest.approx(stdev(differences), abs=1e-6)
    assert (link.mean_s * 1e9, link.spread_s * 1e9) == pytest.approx((mean_ns, spread_ns), abs=1e-4)
    assert by_reason(link.rejected) == {"not observed by B": len(first) - n, "not observed by A": len(second) - n}


@pytest.mark.parametrize(("a", "b", "n", "mean_ns", "spread_ns", "reasons"), [
    (JAVAD, TRIMBLE, 1303, -2446.9530, 5.8042, {
        "shorter than 750 s": 164, "not observed by B": 127, "not observed by A": 28,
        "below 10° of elevation": 20, "with DSG above 20 ns": 8,
    }),
    (GMRX[:1], GMRX[1:], 699, -17.0183, 2.6977, {
        "not observed by B": 61, "not observed by A": 34, "shorter than 750 s": 27, "below 10° of elevation": 1,
    }),
])  # fmt: skip
def test_common_view_within_the_limits_and_every_reason(
    shared: Find, a: list[str], b: list[str], n: int, mean_ns: float, spread_ns: float, reasons: dict[str, int]
) -> None:
    left, right, tracks_a, tracks_b = pair(shared, a, b)
    first, second = good(plainly(*left)), good(plainly(*right))
    both = sorted(set(first) & set(second))
    differences = [(first[key].refsys - second[key].refsys) / 10 for key in both]
    link = common_view(tracks_a, tracks_b, EQUAL)
    assert (link.n, link.mean_s * 1e9, link.spread_s * 1e9) == pytest.approx((n, mean_ns, spread_ns), abs=1e-4)
    assert link.mean_s * 1e9 == pytest.approx(mean(differences), abs=1e-6)
    assert by_reason(link.rejected) == reasons
    assert reasons["not observed by B"] == len(first) - len(both)
    assert 2 * link.n + len(link.rejected) == len(tracks_a) + len(tracks_b)  # nobody is lost without a word
    assert len({(each.file, each.line) for each in link.rejected}) == len(link.rejected)


def test_elevation_weights_are_those_of_both_ends(shared: Find) -> None:
    left, right, tracks_a, tracks_b = pair(shared, GMRX[:1], GMRX[1:])
    first, second = good(plainly(*left)), good(plainly(*right))
    weight = total = 0.0
    for key in set(first) & set(second):
        parts = [1 / math.sin(math.radians(each[key].elevation / 10)) ** 2 for each in (first, second)]
        weight += 1 / sum(parts)
        total += (first[key].refsys - second[key].refsys) / 10 / sum(parts)
    link = common_view(tracks_a, tracks_b)
    assert link.mean_s * 1e9 == pytest.approx(total / weight, abs=1e-6)
    assert link.mean_s * 1e9 == pytest.approx(-17.6121, abs=1e-4)


def test_all_in_view_is_a_mean_of_means(shared: Find) -> None:
    left, right, tracks_a, tracks_b = pair(shared, GMRX[:1], GMRX[1:])
    sides: list[dict[tuple[str, str], float]] = []
    for paths in (left, right):
        at: dict[tuple[str, str], list[float]] = {}
        for (_, day, start), seen in good(plainly(*paths)).items():
            at.setdefault((day, start), []).append(seen.refsys / 10)
        sides.append({key: mean(values) for key, values in at.items()})
    differences = [sides[0][key] - sides[1][key] for key in sorted(set(sides[0]) & set(sides[1]))]
    link = all_in_view(tracks_a, tracks_b, Options(weights="equal", sigmas=0.0))
    assert link.mean_s * 1e9 == pytest.approx(mean(differences), abs=1e-6)
    assert link.spread_s * 1e9 == pytest.approx(stdev(differences), abs=1e-6)
    assert link.epoch.size == len(differences) == 89
    assert link.n + len(link.rejected) == len(tracks_a) + len(tracks_b)


@pytest.mark.parametrize("method", [common_view, all_in_view])
def test_both_ways_of_looking_agree_within_their_uncertainty(shared: Find, method: Callable[..., Link]) -> None:
    _, _, tracks_a, tracks_b = pair(shared, JAVAD, TRIMBLE)
    link, turned = method(tracks_a, tracks_b), method(tracks_b, tracks_a)
    assert turned.mean_s == pytest.approx(-link.mean_s, abs=1e-15)
    assert Counter(by_reason(turned.rejected).values()) == Counter(by_reason(link.rejected).values())
    # one clock feeds both receivers: the median of all pairs is a third, robust answer
    first, second = (plainly(*(shared(each) for each in side)) for side in (JAVAD, TRIMBLE))
    robust = median((first[key].refsys - second[key].refsys) / 10 for key in set(first) & set(second))
    assert abs(link.mean_s * 1e9 - robust) < 3 * link.u_a_s * 1e9 + 0.1


def as_version_2e(text: str) -> str:
    """Write a V1 file as version 2E, by hand: letters before the numbers, channels and code, and both checksums."""
    lines = text.splitlines()
    heading = next(number for number, line in enumerate(lines) if "STTIME" in line)
    header = [line for line in lines[: heading - 1] if not line.startswith("CKSUM")]
    header[0] = "CGGTTS     GENERIC DATA FORMAT VERSION = 2E"
    header = [line + " GPS C1     CAL_ID = none" if line.startswith("INT DLY") else line for line in header]
    total = (sum(sum(line.encode("latin-1")) for line in header) + sum(b"CKSUM = ")) % 256
    names = lines[heading].replace("PRN", "SAT").replace("REFGPS", "REFSYS").replace("SRGPS", "SRSYS")
    out = [*header, f"CKSUM = {total:02X}", "", names.replace(" CK", " FR HC FRC CK"), lines[heading + 1]]
    for line in lines[heading + 2 :]:
        body = f"G{int(line[:3]):02d}{line[3:-2]} 0  0 L1C "
        out.append(f"{body}{sum(body.encode('latin-1')) % 256:02X}")
    return "\n".join(out) + "\n"


@pytest.mark.parametrize(("a", "b"), [(JAVAD[0], TRIMBLE[0]), (GMRX[1], GMRX[0])])
def test_a_file_in_version_1_and_in_version_2e_gives_the_same_link(shared: Find, a: str, b: str) -> None:
    leaps = load_leap_table()
    old = shared(a).read_bytes()
    new = as_version_2e(old.decode("latin-1")).encode("latin-1")
    first, second = read_cggtts(old, "V1", leaps), read_cggtts(new, "V2E", leaps)
    assert (first.header.version, second.header.version) == ("01", "2E")
    assert not second.defects
    assert set(first.tracks.frc) == {""}
    assert set(second.tracks.frc) == {"L1C"}
    other = tracks_of("B", shared(b))
    links = [common_view(station_tracks(each, "A", "A"), other) for each in (first, second)]
    assert np.array_equal(links[0].x_s, links[1].x_s)
    assert np.array_equal(links[0].epoch, links[1].epoch)
    assert np.array_equal(links[0].u_s, links[1].u_s)
    assert (links[0].mean_s, links[0].spread_s, links[0].n) == (links[1].mean_s, links[1].spread_s, links[1].n)
    assert by_reason(links[0].rejected) == by_reason(links[1].rejected)


def test_two_systems_of_one_receiver_have_no_common_view(shared: Find) -> None:
    _, _, galileo, gps = pair(shared, UGR[:1], UGR[1:])
    with pytest.raises(NoLinkError) as caught:
        common_view(galileo, gps)
    assert caught.value.reasons == {"not observed by A": 671, "not observed by B": 621, "with DSG above 20 ns": 14}
    assert (len(galileo), len(gps)) == (634, 672)
    with pytest.raises(
        NoLinkError, match="669 of GPS, of which A has no track; 616 of Galileo, of which B has no track"
    ):
        all_in_view(galileo, gps)


def test_across_systems_one_receiver_sees_how_far_their_times_differ(shared: Find) -> None:
    left, right, galileo, gps = pair(shared, UGR[:1], UGR[1:])
    link = all_in_view(galileo, gps, Options(limits=ALL, weights="equal", sigmas=0.0), across=True)
    sides = []
    for paths in (left, right):
        at: dict[tuple[str, str], list[float]] = {}
        for (_, day, start), seen in plainly(*paths).items():
            at.setdefault((day, start), []).append(seen.refsys / 10)
        sides.append(at)
    common = sorted(set(sides[0]) & set(sides[1]))
    differences = [mean(sides[0][key]) - mean(sides[1][key]) for key in common]
    assert link.epoch.size == len(common)
    assert link.mean_s * 1e9 == pytest.approx(mean(differences), abs=1e-6)
    # GST and GPST stayed within a few ns of each other; the receiver's own offset is in it too
    assert abs(all_in_view(galileo, gps, across=True).mean_s) < 5e-9
