"""Classes taught in a real browser: examples, own pictures, curves and table, Stop, files, hostile names, a phone."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.app_process import PATIENCE, running_app
from toyland.tasks import TASKS
from ui.shared.text import percent
from ui.tabs.lesson.examples import EXAMPLES, FIRST

EXAMPLE = EXAMPLES[FIRST]

ENDLESS = """
import sys
from guidance.tuning import settings
from ui.tabs.lesson import lesson, tab
settings.MAX_EPOCHS = lesson.MAX_EPOCHS = tab.MAX_EPOCHS = 1_000_000
import app
sys.exit(app.main())
"""


def opened(page: Page, address: str) -> None:
    """The Words tab, when the first example stands in the rows and the matrix above is answered."""
    page.goto(address)
    page.get_by_role("tab", name="Words").click()
    expect(names(page).first).to_have_value(EXAMPLE.names[0], timeout=PATIENCE)
    expect(page.locator("#words-status")).to_contain_text("texts read", timeout=PATIENCE)
    expect(page.locator("#lesson-tab .class-pictures img")).to_have_count(40, timeout=PATIENCE)


def names(page: Page):
    return page.locator(".class-name").locator("input, textarea")


def set_epochs(page: Page, count: int) -> None:
    box = page.locator("#epochs input[type=number]")
    box.fill(str(count))
    box.press("Tab")


def taught(page: Page) -> None:
    expect(page.locator("#lesson-status")).to_contain_text("rounds", timeout=PATIENCE)


def percents(page: Page) -> list[str]:
    return page.locator(".tl-lesson-table .tl-total td").all_inner_texts()


def test_an_example_is_taught_and_kept(page, address):
    opened(page, address)
    expect(names(page).locator("visible=true")).to_have_count(5)
    expect(page.locator("#shots input[type=number]")).to_have_value(str(EXAMPLE.shots))
    set_epochs(page, 3)
    page.locator("#teach").click()
    taught(page)
    expect(page.locator(".tl-lesson-chart")).to_have_count(2)
    assert page.locator(".tl-lesson-table tbody th").all_inner_texts() == [*EXAMPLE.names, "All"]
    page.locator("#lesson-keep button").first.click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Figures, JSON").click()
    record = json.loads(waiting.value.path().read_text())
    assert [each["name"] for each in record["classes"]] == EXAMPLE.names
    ways = [record["ways"][way] for way in ("plain", "coop", "names")]
    shown = [percent(way[key]) for key in ("accuracy", "name_share") for way in ways]
    assert percents(page) == shown
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Learnt prompt").click()
    assert waiting.value.suggested_filename == "tokenlight-prompt.safetensors"
    assert waiting.value.path().stat().st_size > 1000
    expect(page.locator("#lesson-code")).to_contain_text("TuningSettings(weight=5")


def test_own_pictures_are_taught(page, address, tmp_path):
    opened(page, address)
    page.get_by_role("button", name="Begin with empty classes").click()
    expect(names(page).locator("visible=true")).to_have_count(2)
    expect(page.locator("#lesson-tab .class-pictures img")).to_have_count(0)
    task = TASKS["company"]
    hostile = "<b>cat</b>"
    for row, (label, name) in enumerate(((0, hostile), (8, "car"))):
        paths = []
        for number in range(2):
            paths.append(tmp_path / f"{label} {number}.png")
            task.picture("balanced", label, number).save(paths[-1])
        names(page).nth(row).fill(name)
        page.locator("#lesson-tab .class-pictures input[type=file]").nth(row).set_input_files(
            [str(path) for path in paths]
        )
        expect(page.locator("#lesson-tab .class-pictures").nth(row).locator("img")).to_have_count(
            2, timeout=PATIENCE
        )
    set_epochs(page, 2)
    page.locator("#teach").click()
    taught(page)
    assert page.locator(".tl-lesson-table tbody th").all_inner_texts() == [hostile, "car", "All"]
    assert page.locator(".tl-lesson-table b").count() == 0
    page.get_by_role("button", name="Add a class").click()
    expect(names(page).locator("visible=true")).to_have_count(3)


def test_what_is_missing_is_said_and_nothing_is_lost(page, address):
    opened(page, address)
    names(page).nth(1).fill("")
    page.locator("#teach").click()
    expect(page.get_by_text("Class 2 has pictures and no name")).to_be_visible(timeout=PATIENCE)
    expect(names(page).first).to_have_value(EXAMPLE.names[0])
    expect(page.locator("#lesson-tab .class-pictures img")).to_have_count(40)
    page.get_by_role("button", name="In pencil").click()
    expect(names(page).nth(1)).to_have_value(EXAMPLES["In pencil"].names[1], timeout=PATIENCE)


def test_a_lesson_is_stopped_and_begun_anew(browser, tmp_path):
    """An app of its own, which allows more rounds than any machine finishes before Stop is pressed."""
    with running_app(tmp_path / "app.log", ["-c", ENDLESS]) as address:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        opened(page, address)
        set_epochs(page, 1_000_000)
        page.locator("#teach").click()
        expect(page.locator("#lesson .tl-verdict")).to_contain_text(
            re.compile(r"step \d+ of 1000000"), timeout=PATIENCE
        )
        page.locator("#lesson-stop").click()
        expect(page.locator("#lesson-status")).to_contain_text("Stopped", timeout=PATIENCE)
        set_epochs(page, 2)
        page.locator("#teach").click()
        taught(page)
        expect(page.locator("#lesson .tl-verdict")).to_contain_text("are put in the right class")
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it(phone, address, scheme):
    opened(phone, f"{address}?__theme={scheme}")
    set_epochs(phone, 2)
    phone.locator("#teach").click()
    taught(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    for part in ("#teach", ".tl-lesson-chart >> nth=0", ".class-name >> nth=0", ".tl-lesson-scroll"):
        box = phone.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
