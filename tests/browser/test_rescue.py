"""Rescue in a real browser: a picture, the button, and both pictures with their words."""

from playwright.sync_api import expect

from tests.browser.app_process import PATIENCE
from tests.browser.test_generate import finished, make, opened


def test_neglected_words_are_rescued_beside_the_picture_before(page, address):
    opened(page, address)
    expect(page.locator("#rescue")).to_be_disabled()  # a stored picture
    make(page)
    finished(page)
    expect(page.locator("#rescue")).to_be_enabled()
    assert page.locator("#run .tl-words").count() == 1
    page.locator("#rescue").click()
    expect(page.locator("#generate-status")).to_contain_text("Words that count beside", timeout=PATIENCE)
    page.locator(".tl-run-page[data-state=finished]").wait_for(timeout=PATIENCE)
    beside = page.locator(".tl-run-alone")
    expect(beside).to_be_visible()
    expect(beside).to_contain_text("Before: words neglected")
    expect(page.locator(".tl-run-main")).to_contain_text("Words rescued")
    expect(page.locator("#run .tl-words")).to_have_count(2)
    expect(page.locator("#run .tl-words").last).to_contain_text("the picture before")
