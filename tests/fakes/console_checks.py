"""Checks of the console in a real browser, against any station: the fake one or a live one.

Each takes a `Watched` page (`open_page(browser, base_url)`) and, where it compares, a `status()` callable that gives
what `timeball status --json` gives. They raise AssertionError with words. No check reads the browser's wall clock.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Playwright, Response

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

# Lamps and the badge are shown as such, not as text with a data-value.
SHOWN_OTHERWISE = ("station.simulated", "station.lamp", "clocks.*.lamp")

WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) =>
  window.violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
"""

SNAPSHOT = """() => ({
  answer: document.documentElement.dataset.answer ?? null,
  link: document.documentElement.dataset.link,
  cells: [...document.querySelectorAll("[data-path]")].map((e) => [e.dataset.path, e.dataset.value, e.textContent]),
})"""

# The contrast of every visible text against the ground it stands on (WCAG 2.2, relative luminance).
CONTRASTS = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const lum = ([r, g, b]) => [r, g, b].map((c) => linear(c / 255))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const out = [];
  for (const e of document.querySelectorAll("body *:not(svg *, .chart *, template, script, .lamp)")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility()) continue;
    const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(ground(e))].sort((x, y) => y - x);
    const ratio = Number(((a + 0.05) / (b + 0.05)).toFixed(2));
    out.push([ratio, `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 40)}`]);
  }
  return out;
}"""


def chromium_path() -> str | None:
    """Give the path of Debian's Chromium, or None."""
    return shutil.which("chromium")


def launch(playwright: Playwright) -> Browser:
    """Start the system's Chromium without a window."""
    path = chromium_path()
    assert path is not None, "Chromium is not installed"
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


@dataclass
class Watched:
    """A page under observation: what it complained about, whom it asked, what the API answered it."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    navigations: int = 0

    def wait_live(self) -> None:
        """Wait until the page shows an answer."""
        self.page.wait_for_selector("html[data-link=live][data-answer]", timeout=20_000)

    def wait_charts(self) -> None:
        """Wait until all four charts are drawn."""
        self.page.wait_for_function("document.querySelectorAll('.chart.js-plotly-plot').length === 4", timeout=30_000)

    def snapshot(self) -> dict[str, Any]:
        """Give every shown value at one moment."""
        return self.page.evaluate(SNAPSHOT)

    def _navigated(self) -> None:
        self.navigations += 1


@contextmanager
def open_page(browser: Browser, base_url: str, *, init: str = "", **context_options: Any) -> Iterator[Watched]:
    """Open the console in a fresh context and watch it."""
    context = browser.new_context(**context_options)
    page = context.new_page()
    watched = Watched(page, "{0.scheme}://{0.netloc}".format(urlsplit(base_url)))
    page.add_init_script(WATCH_POLICY + init)
    page.on(
        "console",
        lambda message: watched.complaints.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("response", lambda answer: watched.answers.append(answer) if "/api/status" in answer.url else None)
    page.on("framenavigated", lambda _frame: watched._navigated())
    try:
        page.goto(base_url)
        yield watched
    finally:
        context.close()


def value_at(data: Any, path: str) -> Any:
    """Give the value at a dotted path of a status, None where there is none."""
    for key in path.split("."):
        if isinstance(data, list):
            data = len(data) if key == "length" else data[int(key)] if int(key) < len(data) else None
        else:
            data = None if data is None else data.get(key)
    return data


def leaves(data: Any, path: str = "") -> Iterator[str]:
    """Give the dotted paths of all values in a status; a list of addresses is one value."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(data, list) and not path.endswith("listen"):
        for i, value in enumerate(data):
            yield from leaves(value, f"{path}.{i}")
    else:
        yield path


def same(shown: str | None, value: Any) -> bool:
    """Tell whether a `data-value` is exactly this JSON value."""
    if value is None:
        return shown == ""
    if isinstance(value, bool):
        return shown == str(value).lower()
    if isinstance(value, int | float):
        return shown not in (None, "") and float(shown) == value
    if isinstance(value, str):
        return shown == value
    return json.loads(shown or "null") == value


def check_numbers_equal_api(watched: Watched) -> dict[str, Any]:
    """Every value on the page is, at one moment, the one in the API answer the page shows. Gives that answer."""
    for _ in range(40):
        shown = watched.snapshot()
        for response in watched.answers[-5:]:
            body = response.json()
            if shown["answer"] and body["time"]["tai_ns"] == shown["answer"]:
                wrong = [
                    (path, raw, value_at(body, path))
                    for path, raw, _ in shown["cells"]
                    if not same(raw, value_at(body, path))
                ]
                assert not wrong, f"shown ≠ answered: {wrong}"
                assert len(shown["cells"]) > 40, "hardly anything is shown"
                return body
        watched.page.wait_for_timeout(150)
    raise AssertionError("the page never showed an answer of the API")


def check_everything_is_shown(watched: Watched, body: dict[str, Any]) -> None:
    """Every value of the answer has its place on the page."""
    shown = {path for path, _, _ in watched.snapshot()["cells"]}

    def otherwise(path: str) -> bool:
        return ".".join("*" if part.isdigit() else part for part in path.split(".")) in SHOWN_OTHERWISE

    missing = [path for path in leaves(body) if path not in shown and not otherwise(path)]
    assert not missing, f"in the answer, nowhere on the page: {missing}"


def check_numbers_equal_status(watched: Watched, status: Callable[[], dict[str, Any]], at_least: int = 30) -> None:
    """Every value that did not move between two `status()` around the page's answer is what the page shows."""
    wrong: list[Any] = []
    for _ in range(5):
        before = status()
        for _ in range(60):
            shown = watched.snapshot()
            if int(shown["answer"] or 0) > int(before["time"]["tai_ns"] or 0):
                break
            watched.page.wait_for_timeout(100)
        after = status()
        still = [cell for cell in shown["cells"] if value_at(before, cell[0]) == value_at(after, cell[0])]
        wrong = [(path, raw, value_at(after, path)) for path, raw, _ in still if not same(raw, value_at(after, path))]
        if not wrong and len(still) >= at_least:
            return
    raise AssertionError(f"the page and the status differ (or too little stood still): {wrong}")


def check_changes_live(watched: Watched) -> None:
    """Clock and figures move while the document stays the same one."""
    before, navigations = watched.snapshot(), watched.navigations
    clock = watched.page.text_content("#clock")
    watched.page.wait_for_function(
        "(old) => document.querySelector('#clock').textContent !== old", arg=clock, timeout=5_000
    )
    watched.page.wait_for_function(
        "(old) => document.documentElement.dataset.answer !== old", arg=before["answer"], timeout=8_000
    )
    after = watched.snapshot()
    moved = {new[0] for old, new in zip(before["cells"], after["cells"], strict=False) if old[1] != new[1]}
    assert {"time.utc", "time.mjd", "time.tai_ns"} <= moved, f"only these moved: {sorted(moved)}"
    assert watched.navigations == navigations, "the page was loaded again"


def check_clean(watched: Watched) -> None:
    """No error, no warning, no violation of the policy, and nobody asked but the console itself."""
    assert watched.complaints == []
    assert watched.page.evaluate("window.violations") == []
    foreign = [url for url in watched.requests if not url.startswith((f"{watched.origin}/", "data:"))]
    assert foreign == []


def check_contrast(watched: Watched, least: float = 4.5) -> None:
    """All text stands out from its ground (WCAG AA)."""
    measured = watched.page.evaluate(CONTRASTS)
    assert len(measured) > 60
    assert [entry for entry in measured if entry[0] < least] == []


def check_stale(watched: Watched, words: str) -> None:
    """The page says that it is old, and looks it: lamps out, clock stopped, colours gone."""
    page = watched.page
    page.wait_for_selector("html[data-link=stale]", timeout=15_000)
    assert words in (page.text_content("#stale") or "")
    assert page.is_visible("#stale")
    lamps = page.eval_on_selector_all("[data-lamp-path]", "all => all.map((e) => [e.dataset.lamp, e.textContent])")
    assert lamps
    assert all(lamp == ["grey", "no answer"] for lamp in lamps), lamps
    assert "old" in (page.text_content("#verdict") or "")
    page.wait_for_timeout(400)
    assert "grayscale(1)" in page.eval_on_selector("main", "e => getComputedStyle(e).filter")
    assert float(page.eval_on_selector("main", "e => getComputedStyle(e).opacity")) < 0.7
    clock = page.text_content("#clock")
    page.wait_for_timeout(1500)
    assert page.text_content("#clock") == clock, "the clock goes on without a station"
