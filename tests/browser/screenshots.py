"""Takes the README's pictures of the page: python -m tests.browser.screenshots [FOLDER]."""

from __future__ import annotations

import re
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser.app_process import CHROMIUM_FLAGS, PATIENCE, ROOT, chromium, running_app

FOLDER = ROOT / "assets" / "screenshots"
SIZES = {
    "explain-desktop": (1366, 900),
    "compare-desktop": (1366, 1000),
    "words-desktop": (1366, 1000),
    "lesson-desktop": (1366, 900),
    "generate-desktop": (1366, 1000),
    "edit-desktop": (1366, 1000),
    "running-phone": (390, 1660),
}
COMPARE = "?tab=compare"
WORDS = "?tab=words"
GENERATE = "?tab=generate"


def main(folder: Path = FOLDER) -> None:
    """Starts the app and takes one picture for each of SIZES."""
    path = chromium()
    if path is None:
        sys.exit("Chromium is missing (on Debian: apt-get install chromium)")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_app(Path(scratch) / "app.log") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        for name, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            _OPENED[name.partition("-")[0]](page, address)
            taken = Image.open(BytesIO(page.screenshot())).convert("RGB")
            taken.save(folder / f"{name}.webp", quality=90, method=6)
            print(folder / f"{name}.webp")
        browser.close()


def _settled(page: Page, address: str) -> None:
    """The page with its first answer and its list of models."""
    page.goto(address)
    page.locator(".tl-map img").first.wait_for(timeout=PATIENCE)
    page.locator("#model optgroup").first.wait_for(state="attached", timeout=PATIENCE)
    page.wait_for_function("[...document.images].every(image => image.complete)")
    page.wait_for_timeout(500)  # animations end


def _compared(page: Page, address: str) -> None:
    """The Compare tab with all its tiles, and its list of models."""
    page.goto(address + COMPARE)
    page.locator("#compare-status", has_text="methods compared").wait_for(timeout=PATIENCE)
    page.locator("#compare-model optgroup").first.wait_for(state="attached", timeout=PATIENCE)
    page.wait_for_timeout(1000)  # animations end


def _worded(page: Page, address: str) -> None:
    """The Words tab with the answer that it opens with, and its list of models."""
    page.goto(address + WORDS)
    page.locator(".tl-matrix").wait_for(timeout=PATIENCE)
    page.locator("#words-model optgroup").first.wait_for(state="attached", timeout=PATIENCE)
    page.wait_for_timeout(1000)  # animations end


def _taught(page: Page, address: str) -> None:
    """The lesson below the Words tab's matrix, when its first example was learnt."""
    _worded(page, address)
    page.locator("#lesson-tab .class-pictures img").nth(39).wait_for(timeout=PATIENCE)
    page.locator("#teach").click()
    page.locator("#lesson-status", has_text="rounds").wait_for(timeout=PATIENCE)
    page.locator("#lesson-heading").evaluate("node => node.scrollIntoView()")
    page.wait_for_timeout(1000)  # animations end


def _generated(page: Page, address: str) -> None:
    """The Generate tab with the run that it opens with, and its list of generators."""
    page.goto(address + GENERATE)
    page.locator(".tl-run-page[data-state=finished]").wait_for(timeout=PATIENCE)
    page.locator("#generator optgroup").first.wait_for(state="attached", timeout=PATIENCE)
    page.wait_for_timeout(1000)  # animations end


def _edited(page: Page, address: str) -> None:
    """The Edit tab with the edit that it opens with, and its list of generators."""
    page.goto(address + "?tab=edit")
    page.locator(".tl-edit[data-state=finished]").wait_for(timeout=PATIENCE)
    page.locator("#edit-generator optgroup").first.wait_for(state="attached", timeout=PATIENCE)
    page.wait_for_timeout(1000)  # animations end


def _running(page: Page, address: str) -> None:
    """The Generate tab in the middle of a run."""
    _generated(page, address)
    page.locator("#make").click()
    page.locator(".tl-run-page[data-state=running]").wait_for(timeout=PATIENCE)
    page.locator(".tl-run-headline", has_text=re.compile(r"Step ([5-9]|1\d)")).wait_for(timeout=PATIENCE)


_OPENED = {
    "explain": _settled,
    "compare": _compared,
    "words": _worded,
    "lesson": _taught,
    "generate": _generated,
    "edit": _edited,
    "running": _running,
}

if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
