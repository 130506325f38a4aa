"""The console in a real browser over a station of invented figures."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytestmark = pytest.mark.system

FAKES = Path(__file__).resolve().parent.parent / "fakes"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FAKES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


playwright_sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
checks = load("console_checks")
fake = load("console_station")


@pytest.fixture(scope="module")
def browser():
    if checks.chromium_path() is None:
        pytest.skip("Chromium is not installed: the console is not opened in a browser")
    with playwright_sync.sync_playwright() as playwright:
        opened = checks.launch(playwright)
        yield opened
        opened.close()


@pytest.fixture
def station():
    return fake.FakeStation()


@pytest.fixture
def console(station):
    with fake.serve(station) as (address, _server):
        yield address


@pytest.fixture(scope="module")
def modules(browser):
    """A page in which our JavaScript modules can be called one by one."""
    with fake.serve(fake.FakeStation()) as (address, _server), checks.open_page(browser, address) as watched:

        def call(module: str, expression: str, argument: object = None) -> object:
            script = f"async (arg) => {{ const m = await import('/static/{module}.js'); return {expression}; }}"
            return watched.page.evaluate(script, argument)

        yield call


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_value_is_the_stations_and_nothing_is_left_out(browser, console, station, scheme):
    with checks.open_page(browser, console, color_scheme=scheme) as watched:
        watched.wait_live()
        watched.wait_charts()
        body = checks.check_numbers_equal_api(watched)
        checks.check_everything_is_shown(watched, body)
        checks.check_numbers_equal_status(watched, station.status)
        checks.check_changes_live(watched)
        checks.check_contrast(watched)
        checks.check_clean(watched)


def test_the_comparison_itself_can_fail(browser, console, station):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()

        def tampered() -> dict:
            status = station.status()
            status["clocks"][0]["weight"] += 1e-12
            return status

        with pytest.raises(AssertionError, match=r"clocks\.0\.weight"):
            checks.check_numbers_equal_status(watched, tampered)
        watched.page.eval_on_selector("[data-path='ledger.origin']", "e => e.dataset.path = 'ledger.elsewhere'")
        with pytest.raises(AssertionError, match="elsewhere"):
            checks.check_numbers_equal_api(watched)
        with pytest.raises(AssertionError, match=r"ledger\.origin"):
            checks.check_everything_is_shown(watched, station.status())


def test_turns_grey_when_the_server_stops_and_lives_again_when_it_is_back(browser, station):
    with fake.serve(station) as (address, _server):
        port = int(address.rsplit(":", 1)[1])
        opened = checks.open_page(browser, address)
        watched = opened.__enter__()
        watched.wait_live()
    try:
        checks.check_stale(watched, "cannot reach the station: no answer")
        with fake.serve(station, port):
            watched.wait_live()
            checks.check_numbers_equal_api(watched)
            assert watched.page.is_hidden("#stale")
            assert "In spec" in watched.page.text_content("#verdict")
            assert watched.page.get_attribute(".verdict .lamp", "data-lamp") == "green"
    finally:
        opened.__exit__(None, None, None)


def test_turns_grey_when_the_station_cannot_be_read_and_says_why(browser, console, station):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()
        station.failure = RuntimeError("the ledger's newest checkpoint has a wrong signature")
        checks.check_stale(watched, "newest checkpoint has a wrong signature")


def test_a_station_whose_time_stands_still_does_not_look_alive(browser, console, station):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()
        station.frozen = True
        checks.check_stale(watched, "stands still")


def test_an_answer_that_cannot_be_shown_does_not_look_alive(browser, console, station):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()
        station._scale = lambda _up_s: {"epoch_utc": 5}  # a number where a text belongs
        checks.check_stale(watched, "cannot reach the station")


def test_withdrawn_time_is_shown_as_nobodys(browser):
    with fake.serve(fake.FakeStation("withdrawn")) as (address, _), checks.open_page(browser, address) as watched:
        watched.wait_live()
        page = watched.page
        assert page.get_attribute(".verdict .lamp", "data-lamp") == "red"
        assert page.text_content("[data-path='time.bound_s']") == "none"
        assert page.text_content("#clock-age") == "nobody claims this time"
        assert page.text_content("[data-path='leases.observer.valid']") == "not running"
        assert page.locator("[data-lamp-path='leases.observer.valid']").get_attribute("data-lamp") == "red"
        assert page.locator("[data-lamp-path='output']").get_attribute("data-lamp") == "red"
        assert page.locator("[data-rows=alarms] li").count() == 3
        assert page.eval_on_selector("#ball", "e => e.style.transform") == "translateY(0px)"
        checks.check_numbers_equal_api(watched)
        checks.check_clean(watched)


def test_a_station_without_any_figures_yet(browser):
    with fake.serve(fake.FakeStation("empty")) as (address, _), checks.open_page(browser, address) as watched:
        watched.wait_live()
        watched.wait_charts()
        page = watched.page
        assert page.text_content("#date") == "no time yet"
        assert page.get_attribute(".verdict .lamp", "data-lamp") == "grey"
        assert page.is_visible("[data-none=clocks]")
        assert "no phases recorded yet" in page.text_content("#phase-chart")
        assert "NaN" not in page.inner_text("body")
        assert "undefined" not in page.inner_text("body")
        checks.check_clean(watched)


def test_the_clock_shows_the_stations_time_not_this_computers(browser, console, station):
    with checks.open_page(browser, console, init="Date.now = () => 0;") as watched:
        watched.wait_live()
        for _ in range(5):
            earliest = station.status()["time"]["utc"][11:19]
            shown = watched.page.text_content("#clock")
            latest = station.status()["time"]["utc"][11:19]
            # Half the way of the question and the polling grain are all it may be off; a second's edge may fall
            # between.
            seconds = [
                sum(int(p) * w for p, w in zip(t.split(":"), (3600, 60, 1), strict=True))
                for t in (earliest, shown, latest)
            ]
            assert seconds[0] - 1 <= seconds[1] <= seconds[2] + 1, (earliest, shown, latest)
            time.sleep(0.37)
        assert watched.page.text_content("#date").endswith("2026-11-22, day 326")


def test_nothing_jumps_and_nothing_sticks_out(browser, console):
    rects = """() => [...document.querySelectorAll("section, article, figure, td, th")]
        .map((e) => e.getBoundingClientRect()).map((r) => [r.x, r.y, r.width, r.height])"""
    for width, height in ((1280, 800), (390, 844)):
        with checks.open_page(browser, console, viewport={"width": width, "height": height}) as watched:
            watched.wait_live()
            watched.wait_charts()
            before = np.array(watched.page.evaluate(rects))
            watched.page.wait_for_timeout(3200)
            np.testing.assert_allclose(np.array(watched.page.evaluate(rects)), before, atol=0.6)
            assert watched.page.evaluate("document.documentElement.scrollWidth") == width
            wide = """() => [...document.querySelectorAll(".panel")].filter((e) => e.scrollWidth > e.clientWidth)
                .map((e) => e.getAttribute("aria-labelledby"))"""
            assert watched.page.evaluate(wide) == []


def test_clocks_are_toggled_with_the_keyboard(browser, console):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()
        watched.wait_charts()
        page = watched.page
        names = "id => document.getElementById(id).data.map((trace) => trace.name)"
        page.wait_for_function("document.getElementById('oadev-chart').data.length === 8")
        assert len(page.evaluate(names, "phase-chart")) == 8
        page.get_by_label("HM1").focus()
        page.keyboard.press("Space")
        for chart in ("phase-chart", "oadev-chart"):
            assert page.evaluate(names, chart) == ["Cs1", "Cs2", "Cs3", "Cs4", "Cs5", "HM2", "HM3"]
        page.keyboard.press("Space")
        assert "HM1" in page.evaluate(names, "phase-chart")


def test_the_phase_chart_is_the_history_without_its_line(browser, console, station):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()
        watched.wait_charts()
        watched.page.wait_for_function("document.getElementById('phase-chart').data.length === 8")
        drawn = watched.page.evaluate("document.getElementById('phase-chart').data.map((t) => [t.name, t.x, t.y])")
        title = watched.page.evaluate("document.getElementById('phase-chart').layout.yaxis.title.text")
        assert title == "clock − scale, ns"
        history = station.history(0)
        for name, x_ms, y_ns in drawn:
            t = np.array(history["epoch_s"])[: len(x_ms)]
            np.testing.assert_array_equal(np.array(x_ms) / 1000, t)
            x = np.array([np.nan if v is None else v for v in history["clocks"][name]])[: len(x_ms)]
            good = np.isfinite(x)
            line = np.polynomial.Polynomial.fit(t[good], x[good], 1)
            shown = np.array([np.nan if v is None else v for v in y_ns])
            assert np.array_equal(np.isfinite(shown), good)
            np.testing.assert_allclose(shown[good], (x - line(t))[good] * 1e9, atol=1e-6)
        check_frequency(watched, history)


def rates_of_lines(t: np.ndarray, x: np.ndarray) -> list[float]:
    """Rates of the line of a history and of those a few values shorter: the page may have asked a little before."""
    good = np.flatnonzero(np.isfinite(x))
    return [
        float(np.polynomial.Polynomial.fit(t[some], x[some], 1).deriv()(0.0))
        for some in (good[: good.size - fewer] for fewer in range(6))
    ]


def check_frequency(watched, history) -> None:
    """The same chart as frequency: over 7200 s, four places, each clock without the rate of its line."""
    page = watched.page
    page.get_by_label("as frequency").check()
    page.wait_for_function("document.getElementById('phase-chart').layout.yaxis.title.text.startsWith('frequency')")
    assert page.text_content("#phase-title") == "Frequency against the scale"
    assert "each 2\u202fh 0\u202fmin" in page.text_content("#phase-words")
    power = int(
        page.evaluate("document.getElementById('phase-chart').layout.yaxis.title.text")
        .split("10")[1]
        .translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    )
    drawn = page.evaluate("document.getElementById('phase-chart').data.map((t) => [t.name, t.x, t.y])")
    assert len(drawn) == 8
    for name, x_ms, y in drawn:
        t = np.array(history["epoch_s"])
        x = np.array([np.nan if v is None else v for v in history["clocks"][name]])
        by_time = dict(zip(t.tolist(), x.tolist(), strict=True))
        known = [(at / 1000, value * 10.0**power) for at, value in zip(x_ms, y, strict=True) if value is not None]
        both = [(by_time.get(at - 3600, np.nan), by_time.get(at + 3600, np.nan)) for at, _ in known]
        slopes = np.diff(both)[:, 0] / 7200
        there = np.isfinite(slopes)
        assert there.sum() >= len(known) - 1, "only the stretch in which a gap ends begins later than the others"
        slopes, taken_off = slopes[there], (slopes - [value for _, value in known])[there]
        assert np.ptp(taken_off) <= 1e-12 * np.abs(slopes).max(), "the same for all"
        assert min(abs(taken_off[0] / rate - 1) for rate in rates_of_lines(t, x)) < 1e-9
        gaps = len(y) - len(known)
        assert gaps == (1 if name == "Cs5" else 0)
    page.get_by_label("as frequency").uncheck()
    page.wait_for_function("document.getElementById('phase-chart').layout.yaxis.title.text === 'clock − scale, ns'")
    assert page.text_content("#phase-title") == "Phase residuals against the scale"
    checks.check_clean(watched)


def test_the_bars_reach_from_one_limit_to_the_other_and_slopes_are_guides(browser, console, station):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()
        watched.wait_charts()
        watched.page.wait_for_function("document.getElementById('oadev-chart').data.length === 8")
        drawn = watched.page.evaluate(
            "document.getElementById('oadev-chart').data"
            ".map(({ name, y, error_y }) => [name, y, error_y.array, error_y.arrayminus])"
        )
        answer = station.deviations()
        for name, sigma, up, down in drawn:
            clock = answer["clocks"][name]
            assert sigma == clock["sigma"]
            high, low = (np.array(clock[key][:-1]) for key in ("high", "low"))
            np.testing.assert_allclose(np.array(sigma[:-1]) + up[:-1], high, rtol=1e-12)
            np.testing.assert_allclose(np.array(sigma[:-1]) - down[:-1], low, rtol=1e-12)
            assert (up[-1], down[-1]) == (0, 0), "no bar where the limits are not known"
        assert watched.page.locator("#oadev-chart .errorbar .yerror").count() == 8 * len(drawn[0][1])
        texts = watched.page.locator("#oadev-chart .annotation-text").all_text_contents()
        assert texts == ["1/τ", "1/√τ", "level"]
        for line in watched.page.evaluate("document.getElementById('oadev-chart').layout.shapes"):
            slope = np.log(line["y1"] / line["y0"]) / np.log(line["x1"] / line["x0"])
            assert min(abs(slope - each) for each in (-1.0, -0.5, 0.0)) < 1e-9
        assert "68.3" in watched.page.text_content("#oadev-words")
        checks.check_clean(watched)


def test_one_line_of_every_history_answer_is_asked_for_once(browser, console, station):
    with checks.open_page(browser, console) as watched:
        watched.wait_live()
        watched.page.wait_for_timeout(11_500)
        asked = [url.split("since=")[1] for url in watched.requests if "/api/history" in url]
        assert asked[0] == "0"
        assert len(asked) >= 2
        assert int(asked[1]) > 10_000
        checks.check_clean(watched)


FORMATS = [
    ("percent", 0.0312, "3.1 %"),
    ("percent", 0.0, "0.0 %"),
    ("percent", 0.0002, "< 0.1 %"),
    ("percent", 1.0, "100.0 %"),
    ("ns", 1.2e-8, "+12.000"),
    ("ns", -3.37758e-6, "−3 377.580"),
    ("ns", 0.0, "0.000"),
    ("ps", 2e-11, "+20.0"),
    ("ps", -4.12e-8, "−41 200.0"),
    ("rate", 3.1e-14, "+3.10 × 10⁻¹⁴"),
    ("rate", -2.345e-5, "−2.35 × 10⁻⁵"),
    ("rate", 0, "0"),
    ("bound", 6.2e-9, "± 6.2 ns"),
    ("bound", 6.21e-9, "± 6.3 ns"),
    ("bound", 9.95e-7, "± 1000 ns"),
    ("bound", 2.5e-5, "± 25 µs"),
    ("bound", None, "none"),
    ("offset", 3e-11, "+30.0 ps"),
    ("offset", -2.03e-8, "−20.3 ns"),
    ("offset", 1.1e-9, "+1.10 ns"),
    ("offset", 0, "0.00 ns"),
    ("offset", None, "–"),
    ("span_ns", 5e-9, "5 ns"),
    ("span_ns", 4e-10, "400 ps"),
    ("count", 1234567, "1 234 567"),
    ("count", 0, "0"),
    ("plain", 4120, "4120"),
    ("span", 88.9, "1 min 28 s"),
    ("span", 3.2, "3 s"),
    ("span", 7260, "2 h 1 min"),
    ("span", 2 * 86400 + 3600, "2 d 1 h"),
    ("mjd", 61366.841, "61366.84100"),
    ("tai", "1795378310680000000", "1 795 378 310.68 s"),
    ("moment", "2026-11-22T20:11:05.123Z", "2026-11-22 20:11:05"),
    ("day", "2027-06-28T00:00:00Z", "2027-06-28"),
    ("at", None, ""),
    ("s1", 6.14, "6.1 s"),
    ("s0", 21.4, "21 s"),
    ("root", "abcdefghijklmnopqrstuvwxyz", "abcdefghij…vwxyz"),
    ("list", ["a", "b"], "a, b"),
    ("list", [], "nowhere"),
    ("sync", False, "not in sync"),
    ("lease", True, "left"),
    ("expired", True, "expired"),
]


def test_numbers_are_written_as_people_read_them(modules):
    written = modules(
        "format", "arg.map(([kind, value]) => m.format(kind, value))", [[kind, value] for kind, value, _ in FORMATS]
    )
    narrow = "\u202f"
    wrong = [(case, got) for case, got in zip(FORMATS, written, strict=True) if got.replace(narrow, " ") != case[2]]
    assert wrong == []


def test_a_bound_is_never_written_smaller_than_it_is(modules):
    rng = np.random.default_rng(7)
    bounds = (10.0 ** rng.uniform(-12, 0, 500)).tolist()
    units = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}
    for bound, text in zip(bounds, modules("format", "arg.map((b) => m.format('bound', b))", bounds), strict=True):
        _, number, unit = text.split("\u202f")
        shown = float(number) * units[unit]
        assert bound * (1 - 1e-8) <= shown <= bound * 1.101, (bound, text)


LEAPS = [
    # station's UTC, ms later, leap state, expected
    ("2026-11-22T23:59:59.500Z", 600, {}, "00:00:00 Monday 2026-11-23, day 327"),
    (
        "2026-12-31T23:59:58.500Z",
        1600,
        {"next_utc": "2027-01-01T00:00:00Z", "tai_minus_utc_s": 37},
        "23:59:60 Thursday 2026-12-31, day 365",
    ),
    (
        "2026-12-31T23:59:58.500Z",
        2600,
        {"next_utc": "2027-01-01T00:00:00Z", "tai_minus_utc_s": 37},
        "00:00:00 Friday 2027-01-01, day 1",
    ),
    ("2026-12-31T23:59:60.500Z", 400, {}, "23:59:60 Thursday 2026-12-31, day 365"),
    ("2026-12-31T23:59:60.500Z", 600, {}, "00:00:00 Friday 2027-01-01, day 1"),
    (
        "2026-12-31T23:59:58.500Z",
        600,
        {"next_utc": "2027-01-01T00:00:00Z", "tai_minus_utc_s": 37, "next_tai_minus_utc_s": 36},
        "00:00:00 Friday 2027-01-01, day 1",
    ),
    (
        "2026-12-31T22:59:58.500Z",
        1600,
        {"next_utc": "2027-01-01T00:00:00Z", "tai_minus_utc_s": 37},
        "23:00:00 Thursday 2026-12-31, day 365",
    ),
    ("2028-02-28T23:59:59Z", 1000, {}, "00:00:00 Tuesday 2028-02-29, day 60"),
]


@pytest.mark.parametrize(("utc", "later_ms", "leap", "expected"), LEAPS)
def test_utc_runs_on_through_midnights_and_leap_seconds(modules, utc, later_ms, leap, expected):
    shown = modules("utc", "m.advance(m.parseUTC(arg[0]), arg[1], arg[2])", [utc, later_ms, leap])
    assert f"{shown['time']} {shown['date']}" == expected


def test_utc_that_is_none_is_no_moment(modules):
    assert modules("utc", "[m.parseUTC(null), m.parseUTC('soon')]") == [None, None]


def test_series_are_joined_once_and_a_station_that_went_back_starts_anew(modules):
    def part(through: int, epochs: list[float], **clocks: list[float]) -> dict:
        return {
            "through": through,
            "epoch_s": epochs,
            "clocks": clocks,
            "output_residual_s": [0.5] * len(epochs),
            "utck_minus_utc": {"epoch_s": epochs[:1], "x_s": [1.0] * len(epochs[:1]), "u_s": [2.0] * len(epochs[:1])},
        }

    joined = modules(
        "series",
        "m.join(m.join(null, arg[0]), arg[1])",
        [part(5, [1, 2, 3], A=[1, 2, 3]), part(9, [3, 4], A=[9, 4], B=[9, 8])],
    )
    assert joined["epoch_s"] == [1, 2, 3, 4]
    assert joined["clocks"] == {"A": [1, 2, 3, 4], "B": [None, None, None, 8]}
    assert joined["utck_minus_utc"]["epoch_s"] == [1, 3]
    assert modules("series", "m.join(arg[0], arg[1])", [part(5, [1]), part(4, [1])]) is None


def test_frequency_is_not_computed_across_a_stretch_without_values(modules):
    t = [0, 30, 60, 90, 120, 150, 240, 270, 300]
    x = [0, None, 6, 7, None, 12, 30, None, 33]
    assert modules("series", "m.slopes(arg[0], arg[1], 60)", [t, x]) == {
        "t": [30, 105, 195, 270],
        "x": [0.1, 6 / 90, None, 0.05],
    }


def test_thinning_loses_no_excursion_and_no_gap(modules):
    rng = np.random.default_rng(3)
    x: list[float | None] = rng.normal(size=50_000).tolist()
    x[31_234] = 50.0
    x[40_000:42_000] = [None] * 2000
    thinned = modules("series", "m.thin(arg.map((_, i) => i), arg)", x)
    assert len(thinned["x"]) < 2000
    assert 50.0 in thinned["x"]
    assert None in thinned["x"]
    assert thinned["t"] == sorted(thinned["t"])
    assert all(x[t] == value for t, value in zip(thinned["t"], thinned["x"], strict=True))


def test_status_of_the_fake_is_json_and_whole(station):
    assert json.loads(json.dumps(station.status())).keys() == {
        "station",
        "time",
        "leases",
        "clocks",
        "scale",
        "output",
        "ledger",
        "witnessing",
        "ntp",
        "nts",
        "roughtime",
        "outputs",
        "processes",
        "alarms",
        "anomalies",
    }
