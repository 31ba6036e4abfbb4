"""The Compare tab in a real browser: tiles stream in, sort, follow the experiments, are saved and reopened."""

import csv
import re

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

import toyland
from explain import METHODS
from tests.browser.app_process import PATIENCE

QUICK = [name for name, method in METHODS.items() if not method.own_forwards]
LINK = "?tab=compare&seed=18&prompts=a+pink+fish"


def compared(page: Page, methods: int = len(QUICK)) -> None:
    """Waits until the tiles of one answer are all there."""
    expect(page.locator("#compare-status")).to_contain_text(f"{methods} methods compared", timeout=PATIENCE)
    expect(page.locator(".tl-tile:not(.tl-plain)")).to_have_count(methods)


def contrasts(page: Page) -> list[int]:
    facts = page.locator(".tl-tile:not(.tl-plain) .tl-fact:first-child .tl-number").all_inner_texts()
    return [int(fact.replace("−", "-")) for fact in facts]


def titles(page: Page) -> list[str]:
    return page.locator(".tl-tile:not(.tl-plain) h4").all_inner_texts()


def test_the_other_tabs_question_is_compared_and_sorted(page, address):
    page.goto(address + "?seed=18&prompts=a+blue+boat%0Aa+pink+fish")
    expect(page.locator(".tl-card h3").first).to_have_text("a blue boat", timeout=PATIENCE)
    page.get_by_role("tab", name="Compare").click()
    compared(page)
    expect(page.locator("#compare-prompt input, #compare-prompt textarea").first).to_have_value("a blue boat")
    assert contrasts(page) == sorted(contrasts(page), reverse=True)
    by_contrast = titles(page)
    page.locator("#order select").select_option("kind")
    expect(page.locator(".tl-tile:not(.tl-plain) h4").first).to_contain_text("Image-Text Similarity Map")
    assert sorted(titles(page)) == sorted(by_contrast)
    expect(page.locator(".tl-tile").nth(1)).to_have_attribute("data-rank", "")


def test_a_link_without_a_prompt_asks_for_what_the_scene_shows(page, address):
    page.goto(address + "?tab=compare&seed=16")
    compared(page)
    expect(page.locator(".tl-tiles-head h3")).to_have_text("a pink heart")
    page.wait_for_timeout(3000)  # the Explain tab answers the same link meanwhile
    expect(page.locator(".tl-tiles-head h3")).to_have_text("a pink heart")
    page.get_by_role("tab", name="Explain").click()
    expect(page.locator(".tl-card h3").first).to_have_text("a pink heart", timeout=PATIENCE)


def test_the_slider_goes_through_the_blocks(page, address):
    page.goto(address + LINK)
    compared(page)
    depth = page.locator(".tl-depth")
    expect(depth.locator("output")).to_contain_text("After block 5 of 5: the map itself")
    last = depth.locator("img").get_attribute("src")
    depth.locator("input[type=range]").fill("1")
    expect(depth.locator("output")).to_contain_text("After block 1 of 5")
    assert depth.locator("img").get_attribute("src") != last
    page.locator("#compare-colormap select").select_option("cividis")
    expect(depth.locator("output")).to_contain_text(
        "After block 1 of 5"
    )  # a redraw leaves the slider where it is


def test_experiments_change_the_maps_and_remember_what_was(page, address):
    page.goto(address + LINK)
    compared(page)
    before = page.locator(".tl-tile img").first.get_attribute("src")
    page.get_by_label("Random weights").check()
    expect(page.locator(".tl-remark")).to_contain_text("it has learnt nothing", timeout=PATIENCE)
    compared(page)
    expect(page.locator(".tl-fact").filter(has_text="was").first).to_be_visible()
    page.get_by_label("Random weights").uncheck()
    expect(page.locator(".tl-remark")).to_have_count(0, timeout=PATIENCE)
    compared(page)
    page.get_by_label("Unusual for it").check()
    expect(page.locator(".tl-remark")).to_contain_text("where one would not expect them", timeout=PATIENCE)
    compared(page)
    assert page.locator(".tl-tile img").first.get_attribute("src") != before
    page.get_by_label("Shuffle the words").check()
    expect(page.locator(".tl-tiles-head h3")).not_to_have_text("a pink fish", timeout=PATIENCE)


def test_an_uploaded_picture_is_ranked_once_it_has_a_mask(page, address, tmp_path):
    scene = toyland.sample_scene(18)
    toyland.draw_scene(scene, 600).save(tmp_path / "mine.png")
    (about,) = toyland.match_things(scene, "a pink fish")
    mask = 255 * toyland.scene_masks(scene, 300)[about].astype(np.uint8)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    page.goto(address + LINK)
    compared(page)
    page.locator("#compare-picture button[aria-label='Remove Image']").click()
    page.locator("#compare-picture input[type=file]").set_input_files(tmp_path / "mine.png")
    expect(page.locator(".tl-remark")).to_contain_text("upload one", timeout=PATIENCE)
    expect(page.locator(".tl-tile").nth(1)).to_have_attribute("data-rank", "")
    expect(page.locator("#background")).to_be_hidden()
    page.get_by_text("Where is the thing? Give a mask").click()
    page.locator("#mask input[type=file]").set_input_files(tmp_path / "mask.png")
    expect(page.locator(".tl-remark")).to_have_count(0, timeout=PATIENCE)
    compared(page)
    assert contrasts(page) == sorted(contrasts(page), reverse=True)


def test_what_the_model_cannot_do_is_greyed_with_the_reason(page, address):
    page.goto(address + LINK + "&model=toy-rn")
    expect(page.locator("#compare-status")).to_contain_text("methods compared", timeout=PATIENCE)
    expect(page.locator(".tl-lacking li").first).to_contain_text("Relevance, all layers")
    expect(page.locator(".tl-depth")).to_have_count(0)


def test_files_and_the_link(page, address):
    page.goto(address + LINK + "&shuffled=1&sort=overlap")
    compared(page)
    page.locator("#compare-keep").get_by_text("Save, share, repeat in Python").click()
    with page.expect_download() as saving:
        page.locator("#compare-keep").get_by_role("button", name="Table, CSV").click()
    assert saving.value.suggested_filename == "tokenlight-methods.csv"
    with open(saving.value.path(), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["method"] for row in rows) == sorted(QUICK)
    overlaps = [float(row["overlap"]) for row in rows]
    assert overlaps == sorted(overlaps, reverse=True)
    with page.expect_download() as saving:
        page.locator("#compare-keep").get_by_role("button", name="Figure, PDF").click()
    assert saving.value.suggested_filename == "tokenlight-methods.pdf"
    link = page.locator("#compare-link textarea, #compare-link input").first
    expect(link).to_have_value(re.compile(r"tab=compare.*seed=18.*shuffled=1.*sort=overlap"))
    shown = page.locator(".tl-tile img").nth(1).get_attribute("src")
    page.goto(link.input_value())
    compared(page)
    expect(page.get_by_label("Shuffle the words")).to_be_checked()
    assert page.locator(".tl-tile img").nth(1).get_attribute("src") == shown


def test_stopping_keeps_what_has_come(page, address):
    page.goto(address + LINK + "&model=toy-rn")
    status = page.locator("#compare-status")
    expect(status).to_contain_text("methods compared", timeout=PATIENCE)
    page.get_by_label("Slow methods too").check()
    expect(status).to_contain_text("so far", timeout=PATIENCE)
    page.locator("#stop").click()
    expect(status).to_contain_text("Stopped.", timeout=PATIENCE)
    count = page.locator(".tl-tile:not(.tl-plain)").count()
    assert 1 <= count < len(METHODS)
    page.get_by_label("Slow methods too").uncheck()  # and the next question is answered meanwhile
    expect(status).to_contain_text("methods compared", timeout=PATIENCE)


def test_a_prompt_never_becomes_markup(page, address):
    page.goto(address + LINK)
    compared(page)
    typed = "<img src=x onerror=window.hurt=1> ${window.hurt=1} {{constructor}}"
    page.locator("#compare-prompt input, #compare-prompt textarea").first.fill(typed)
    page.locator("#compare").click()
    expect(page.locator(".tl-tiles-head h3")).to_have_text(typed, timeout=PATIENCE)
    compared(page)
    page.locator(".tl-tile .tl-picture").nth(1).click()
    expect(page.locator(".tl-large img")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("window.hurt") is None


def test_nothing_is_wider_than_a_phone(page, address):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address + LINK)
    compared(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
