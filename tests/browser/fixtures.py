"""One app and one Chromium for all browser tests."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.app_process import CHROMIUM_FLAGS, PATIENCE, chromium, running_app

FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("page") / "app.log") as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    path = chromium()
    if path is None:
        if os.environ.get("TOKENLIGHT_REQUIRE_BROWSER") == "1":
            pytest.fail("Chromium is missing (on Debian: apt-get install chromium)")
        pytest.skip("Chromium is missing (on Debian: apt-get install chromium)")
    expect.set_options(timeout=PATIENCE / 3)  # a machine that is busy paints late
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS + FAKE_CAMERA)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address) -> Iterator[Page]:
    """A page that fails its test on any console error and on any request outside this machine."""
    yield from _page(browser, address, viewport={"width": 1366, "height": 768}, accept_downloads=True)


@pytest.fixture
def phone(browser, address) -> Iterator[Page]:
    """The same in a hand: narrow, without a mouse."""
    yield from _page(browser, address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)


def _page(browser: Browser, address: str, **context_settings: Any) -> Iterator[Page]:
    context = browser.new_context(**context_settings)
    page, problems = context.new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: _note_foreign(request.url, address, problems))
    yield page
    context.close()
    assert problems == []


def _note_foreign(url: str, address: str, problems: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        problems.append(f"request to {url}")
