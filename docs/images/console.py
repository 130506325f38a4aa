"""Make console.png anew: the whole page of a station that runs (`make run`), as a browser shows it.

.venv/bin/python docs/images/console.py [http://127.0.0.1:8123]
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).with_suffix(".png")
WIDTH, HEIGHT, COLOURS = 1600, 900, 256
SETTLED_MS = 5000


def photograph(url: str) -> bytes:
    """The page once it is live and its charts are drawn, as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(url)
        page.wait_for_selector('[data-link="live"]')
        page.wait_for_timeout(SETTLED_MS)
        return page.screenshot(full_page=True)


def main() -> None:
    """Write the picture with few colours, which makes it half as large."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8123"
    picture = Image.open(io.BytesIO(photograph(url))).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
