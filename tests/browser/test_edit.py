"""The Edit tab in a real browser: words are tapped, a picture changes, is stopped, compared and kept."""

import re

from PIL import Image
from playwright.sync_api import Page, expect

from guidance.records import read_record
from tests.browser.app_process import PATIENCE
from tests.browser.gestures import drag, swipe
from tests.pictures import same_picture
from ui.tabs.edit.examples import FIRST

QUICK = "?tab=edit&generator=toy-vqgan&way=latents&steps=3&boxes=[]&words=[]&prompt=a+yellow+tree+on+the+sand"
HOSTILE = "${window.hurt=1} <img src=x onerror=window.hurt=1> {{ }} </script>"


def opened(page: Page, address: str, query: str = QUICK) -> None:
    """With what the link asks: what is typed before it is on the page is lost."""
    page.goto(address + query)
    expect(page.locator("#edit-prompt textarea")).to_have_value("a yellow tree on the sand", timeout=PATIENCE)
    expect(page.locator("#edit-generator select")).to_have_value("toy-vqgan", timeout=PATIENCE)
    expect(page.locator(".tl-pick").first).to_be_visible(timeout=PATIENCE)


def typed(page: Page, box: str, text: str) -> None:
    """As somebody types: Gradio takes no single event for an answer that comes right after a value of its own."""
    field = page.locator(box)
    field.fill(text[:-2])
    field.press_sequentially(text[-2:], delay=150)


def finished(page: Page) -> None:
    """Waits for the end of the first edit of a page, or of one after an edit that was stopped."""
    expect(page.locator("#edit-status")).to_contain_text("guided by toy-vit", timeout=PATIENCE)
    page.locator(".tl-edit[data-state=finished]").wait_for(timeout=PATIENCE)


def after(page: Page) -> str | None:
    return page.locator(".tl-edit-main .tl-edit-after").get_attribute("src")


def line(page: Page) -> float:
    """Where the line between before and after is, in percent of the width."""
    text = page.locator(".tl-edit").evaluate("node => node.style.getPropertyValue('--at')")
    return float(text.rstrip("%"))


def test_the_tab_opens_with_a_finished_edit(page, address):
    page.goto(address)
    page.get_by_role("tab", name="Edit").click()
    expect(page.locator(".tl-edit-main .tl-edit-after")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".tl-edit-without")).to_be_visible()
    for word in FIRST.words:
        expect(page.locator(".tl-edit-counts")).to_contain_text([word])
        expect(page.locator(".tl-pick[aria-pressed=true]")).to_have_text([word])
    expect(page.locator("#edit-generator option[value='sd-1.5']")).to_be_disabled(timeout=PATIENCE)


def test_the_line_is_moved_by_hand_and_by_keys(page, address):
    opened(page, address)
    frame = page.locator(".tl-edit-main .tl-edit-frame")
    frame.scroll_into_view_if_needed()
    drag(page, frame, (0.3, 0.5), (0.75, 0.5))
    assert abs(line(page) - 75) < 2
    slider = page.locator(".tl-edit-slider")
    expect(slider).to_have_value("75")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert abs(line(page) - 76) < 2
    page.keyboard.press("Home")
    assert line(page) == 0
    shown = page.locator(".tl-edit-main .tl-edit-after").evaluate("node => getComputedStyle(node).clipPath")
    assert shown in ("inset(0px 0px 0px 0%)", "inset(0px)", "inset(0px 0px 0px 0px)")


def test_words_are_tapped_a_picture_is_edited_and_kept(page, address, tmp_path):
    opened(page, address)
    typed(page, "#edit-prompt textarea", "a blue tree and a red ring on the sand")
    expect(page.locator(".tl-pick[aria-pressed=true]")).to_have_text(["blue"], timeout=PATIENCE)
    page.locator(".tl-pick", has_text=re.compile("^tree$")).click()
    expect(page.locator(".tl-pick[aria-pressed=true]")).to_have_text(["blue", "tree"])
    typed(page, "#edit-prompt textarea", "a blue tree and a red ring on the wet sand")
    expect(page.locator(".tl-pick[aria-pressed=true]")).to_have_text(
        ["blue", "tree", "wet"], timeout=PATIENCE
    )
    before = after(page)
    page.locator("#edit-make").click()
    finished(page)
    assert after(page) != before
    expect(page.locator(".tl-edit-counts")).to_have_count(3)
    expect(page.locator(".tl-edit-without")).to_be_visible()
    page.locator("#edit-keep button").first.click()
    for kind, name in (("Picture, PNG", "a.png"), ("Settings, JSON", "a.json")):
        with page.expect_download(timeout=PATIENCE) as download:
            page.get_by_role("button", name=kind).locator("visible=true").click()
        download.value.save_as(tmp_path / name)
    record = read_record(tmp_path / "a.png")
    assert record == read_record(tmp_path / "a.json")
    assert list(record["words"]) == ["blue", "tree", "wet"]
    link = page.locator("#edit-link textarea, #edit-link input").first.input_value()
    page.goto(link)
    expect(page.locator(".tl-pick[aria-pressed=true]")).to_have_text(
        ["blue", "tree", "wet"], timeout=PATIENCE
    )
    page.locator("#edit-make").click()
    finished(page)
    page.locator("#edit-keep button").first.click()
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name="Picture, PNG").locator("visible=true").click()
    download.value.save_as(tmp_path / "b.png")
    assert same_picture(Image.open(tmp_path / "a.png"), Image.open(tmp_path / "b.png"))


def test_a_word_that_is_tapped_while_the_server_answers_stays_tapped(page, address):
    opened(page, address)
    held, holding = [], [True]
    page.route("**/queue/join*", lambda route: held.append(route) if holding[0] else route.continue_())
    typed(page, "#edit-prompt textarea", "a yellow tree on the wet sand")
    while not held:
        page.wait_for_timeout(50)
    page.locator(".tl-pick", has_text=re.compile("^tree$")).click()
    holding[0] = False
    for route in held:
        route.continue_()
    expect(page.locator(".tl-pick", has_text="wet")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".tl-pick[aria-pressed=true]")).to_have_text(["tree", "wet"])
    page.locator("#edit-make").click()
    finished(page)
    expect(page.locator(".tl-edit-counts th")).to_contain_text(["tree", "wet"])


def test_a_box_limits_the_change(page, address):
    opened(page, address)
    page.locator("#edit-where button").first.click()
    board = page.locator("#edit-box .tl-canvas")
    expect(board).to_have_css("touch-action", "none", timeout=PATIENCE)
    expect(page.locator("#edit-box .tl-backdrop")).to_have_attribute("src", re.compile("^data:image"))
    drag(page, board, (0.1, 0.4), (0.6, 0.95))
    page.keyboard.type("pink tree")
    page.keyboard.press("Enter")
    drag(page, board, (0.7, 0.1), (0.95, 0.3))
    expect(page.locator("#edit-box")).to_contain_text("no more are possible")
    page.locator("#edit-make").click()
    finished(page)
    expect(page.locator(".tl-edit-switch")).to_be_visible()
    page.locator(".tl-edit-switch input").check()
    expect(page.locator(".tl-edit-main .tl-edit-place")).to_be_visible()


def test_the_picture_is_seen_while_it_changes_and_can_be_stopped(page, address):
    opened(page, address, QUICK.replace("steps=3", "steps=1000"))
    page.locator("#edit-make").click()
    expect(page.locator(".tl-edit-head strong")).to_have_text(re.compile("Step [1-9]"), timeout=PATIENCE)
    expect(page.locator(".tl-edit-main .tl-edit-after")).to_be_visible()
    page.locator("#edit-stop").click()
    page.locator(".tl-edit[data-state=stopped]").wait_for(timeout=PATIENCE)
    expect(page.locator("#edit-status")).to_contain_text("Stopped.")
    stopped = after(page)
    page.wait_for_timeout(1500)
    assert after(page) == stopped


def test_what_is_wrong_is_told_and_nothing_is_lost(page, address):
    opened(page, address)
    shown = after(page)
    prompt = page.locator("#edit-prompt textarea")
    prompt.fill(" ")
    page.locator("#edit-make").click()
    expect(page.locator(".toast-body")).to_contain_text("not said yet", timeout=PATIENCE)
    assert after(page) == shown
    expect(page.locator("#edit-caption textarea")).to_have_value(FIRST.caption)
    page.locator("#take-made").click()
    expect(page.locator(".toast-body").last).to_contain_text("under Generate", timeout=PATIENCE)
    prompt.fill("a green tree and a red ring on the sand")
    page.locator("#edit-make").click()
    finished(page)


def test_a_picture_of_ones_own_and_a_corrupt_one(page, address, tmp_path):
    opened(page, address)
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    FIRST.picture.open().resize((200, 100)).save(good)
    bad.write_bytes(good.read_bytes()[:500])
    chosen = page.locator("#edit-picture input[type=file]")
    page.locator("#edit-picture button[aria-label='Remove Image']").click()
    chosen.set_input_files(bad)
    expect(page.locator(".toast-body")).to_contain_text("bad.png", timeout=PATIENCE)
    page.locator("#edit-picture button[aria-label='Remove Image']").click()
    chosen.set_input_files(good)
    expect(page.locator("#edit-caption textarea")).to_have_value("", timeout=PATIENCE)
    expect(page.locator("#edit-status")).not_to_contain_text("Now choose a picture", timeout=PATIENCE)
    page.wait_for_timeout(
        1500
    )  # canvas and words follow: Gradio's page may drop the stream of what is pressed meanwhile
    page.locator("#edit-make").click()
    finished(page)
    expect(page.locator("#edit")).to_contain_text("stretched from 200 x 100")


def test_what_is_typed_never_runs(page, address):
    opened(page, address)
    typed(page, "#edit-caption textarea", HOSTILE)
    typed(page, "#edit-prompt textarea", HOSTILE)
    expect(page.locator(".tl-pick", has_text="onerror")).to_be_visible(timeout=PATIENCE)
    page.locator("#edit-make").click()
    finished(page)
    expect(page.locator(".tl-edit-words")).to_contain_text("window")
    assert page.evaluate("window.hurt") is None


def test_a_finger_moves_the_line_on_a_phone(phone, address):
    opened(phone, address)
    frame = phone.locator(".tl-edit-main .tl-edit-frame")
    frame.scroll_into_view_if_needed()
    swipe(phone, frame, (0.2, 0.5), (0.7, 0.5))
    at = "parseFloat(document.querySelector('.tl-edit').style.getPropertyValue('--at'))"
    near = f"() => Math.abs({at} - 70) < 4"
    phone.wait_for_function(near, timeout=PATIENCE)  # touches come when the browser has time for them
    phone.locator("#edit-make").click()
    finished(phone)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
