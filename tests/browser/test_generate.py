"""The Generate tab in a real browser: boxes are drawn, a picture forms, is stopped, looked at again and kept."""

import json
import re
import time

from gradio_client import Client
from gradio_client.client import Job
from PIL import Image
from playwright.sync_api import Page, expect

from guidance.records import read_record
from tests.browser.app_process import PATIENCE, running_app
from tests.browser.gestures import Place, drag, swipe
from tests.pictures import same_picture

BOXES = json.dumps([["red cat", 0.05, 0.3, 0.45, 0.8], ["blue car", 0.53, 0.4, 0.95, 0.82]])
BOX = {"phrase": "red boat", "left": 0.1, "top": 0.2, "right": 0.5, "bottom": 0.7}
EMPTY = "?tab=generate&generator=toy-vqgan&steps=6&prompt=&boxes=[]"
QUICK = f"?tab=generate&generator=toy-vqgan&steps=6&prompt=a+red+cat+and+a+blue+car&boxes={BOXES}"


def opened(page: Page, address: str, query: str = QUICK) -> None:
    page.goto(address + query)
    expect(page.locator(".tl-canvas")).to_have_css("touch-action", "none", timeout=PATIENCE)
    expect(page.locator("#generator select")).to_have_value("toy-vqgan", timeout=PATIENCE)


def make(page: Page) -> None:
    page.locator("#make").click()


def set_steps(page: Page, before: str, steps: str) -> None:
    """The settings are put on the page when they are first opened: what is typed before the page has given them their
    values is lost.
    """
    page.locator("#more-settings button").first.click()
    expect(page.locator("#steps input")).to_have_value(before, timeout=PATIENCE)
    page.wait_for_timeout(1000)  # it gives them more than once
    page.locator("#steps input").fill(steps)
    page.keyboard.press("Tab")
    expect(page.locator("#steps input")).to_have_value(steps)


def finished(page: Page) -> None:
    """Waits for the end of the first run of a page, or of one after a run that was stopped."""
    expect(page.locator("#generate-status")).to_contain_text("guided by toy-vit", timeout=PATIENCE)
    page.locator(".tl-run-page[data-state=finished]").wait_for(timeout=PATIENCE)


def draw(page: Page, start: Place, end: Place, name: str, by=drag) -> None:
    by(page, page.locator(".tl-canvas"), start, end)
    expect(page.locator(".tl-name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")


def pixels(page: Page) -> str:
    return page.locator(".tl-run-main canvas").first.evaluate("canvas => canvas.toDataURL()")


def test_boxes_are_drawn_and_a_picture_is_made_kept_and_made_again(page, address, tmp_path):
    opened(page, address, EMPTY)
    expect(page.locator(".tl-box")).to_have_count(0)
    draw(page, (0.1, 0.2), (0.45, 0.7), "red boat")
    draw(page, (0.55, 0.4), (0.9, 0.85), "green tree")
    make(page)
    finished(page)
    assert page.locator(".tl-run-tile").count() == 2
    last = pixels(page)
    page.locator(".tl-run-track input").fill("1")
    assert pixels(page) != last
    expect(page.locator(".tl-run-step")).to_have_text("Step 1 of 6")
    page.get_by_role("button", name=re.compile("Save, share")).locator("visible=true").click()
    for kind, name in (("Picture, PNG", "a.png"), ("Settings, JSON", "a.json"), ("Animation, GIF", "a.gif")):
        with page.expect_download(timeout=PATIENCE) as download:
            page.get_by_role("button", name=kind).click()
        download.value.save_as(tmp_path / name)
    record = read_record(tmp_path / "a.png")
    assert record == read_record(tmp_path / "a.json")
    assert [box["phrase"] for box in record["boxes"]] == ["red boat", "green tree"]
    assert record["prompt"] == "red boat and green tree"
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 7
    link = page.locator("#generate-link textarea, #generate-link input").first.input_value()
    page.goto(link)
    expect(page.locator(".tl-box")).to_have_count(2, timeout=PATIENCE)
    make(page)
    finished(page)
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name=re.compile("Save, share")).locator("visible=true").click()
        page.get_by_role("button", name="Picture, PNG").click()
    download.value.save_as(tmp_path / "b.png")
    assert same_picture(Image.open(tmp_path / "a.png"), Image.open(tmp_path / "b.png"))


def test_the_picture_is_seen_while_it_forms_and_can_be_stopped(page, address):
    opened(page, address, QUICK.replace("steps=6", "steps=1000"))
    make(page)
    page.locator(".tl-run-page[data-state=running]").wait_for(timeout=PATIENCE)
    canvas = page.locator(".tl-run-main canvas").first
    expect(canvas).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".tl-run-headline")).to_have_text(re.compile("Step [1-9]"), timeout=PATIENCE)
    expect(canvas).to_be_visible()
    assert float(canvas.evaluate("node => getComputedStyle(node.closest('#run')).opacity")) > 0.9
    page.locator("#generate-stop").click()
    page.locator(".tl-run-page[data-state=stopped]").wait_for(timeout=PATIENCE)
    expect(page.locator("#generate-status")).to_contain_text("Stopped.")
    set_steps(page, "1000", "3")
    make(page)
    finished(page)
    expect(page.locator(".tl-run-track input")).to_have_attribute("max", "3")


def test_what_is_wrong_is_told_and_the_next_wish_works(page, address):
    opened(page, address, "?tab=generate&generator=toy-vqgan&steps=2&boxes=[]")
    page.locator("#make").click()
    expect(page.locator(".toast-body")).to_contain_text("There is no box yet", timeout=PATIENCE)
    page.get_by_role("button", name="Cat and car").click()
    expect(page.locator(".tl-box")).to_have_count(2)
    expect(page.locator("#generator select")).to_have_value("toy-sd")
    set_steps(page, "0", "2")
    make(page)
    finished(page)
    expect(page.locator(".tl-run-unguided, .tl-run-alone").first).to_be_visible()


def test_what_is_typed_never_runs(page, address):
    hostile = "${window.hurt=1} <img src=x onerror=window.hurt=1> {{ }} </script>"
    boxes = json.dumps([[hostile, 0.1, 0.1, 0.6, 0.6]])
    page.goto(
        address
        + "?tab=generate&generator=toy-vqgan&steps=2&prompt="
        + hostile.replace("&", "%26")
        + "&boxes="
        + boxes
    )
    expect(page.locator(".tl-chip")).to_contain_text("${window.hurt=1}", timeout=PATIENCE)
    make(page)
    finished(page)
    expect(page.locator(".tl-run-tile")).to_contain_text("<img src=x onerror=window.hurt=1>")
    assert page.evaluate("window.hurt") is None


def test_generators_that_need_a_gpu_are_greyed(page, address):
    opened(page, address)
    option = page.locator("#generator option[value='sd-1.5']")
    expect(option).to_be_disabled(timeout=PATIENCE)
    expect(option).to_contain_text("needs a GPU")


def test_a_finger_draws_on_a_phone(phone, address):
    opened(phone, address, EMPTY.replace("steps=6", "steps=2"))
    phone.locator(".tl-canvas").scroll_into_view_if_needed()
    draw(phone, (0.1, 0.2), (0.45, 0.7), "red boat", by=swipe)
    phone.locator("#make").tap()
    finished(phone)
    expect(phone.locator(".tl-run-tile")).to_contain_text("red boat")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_who_waits_is_told_how_many_are_before(page, address):
    other = Client(address, verbose=False)
    job = other.submit("", [dict(BOX)], "toy-vqgan", "fast", 0, 1, 1000, api_name="/generate")
    opened(page, address, QUICK.replace("steps=6", "steps=2"))
    make(page)
    expect(page.locator("#generate-status")).to_contain_text(re.compile(r"queue: \d+/\d+"), timeout=PATIENCE)
    job.cancel()
    finished(page)


def status(job: Job) -> str:
    return job.status().code.name


NARROW = """
import sys
import ui.page
ui.page.QUEUE = 12
import app
app.main()
"""


def test_a_full_queue_is_told(browser, tmp_path):
    """Neither the page nor the server takes harm: the wish can be made again."""
    with running_app(tmp_path / "app.log", ["-c", NARROW]) as address:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        opened(page, address, QUICK.replace("steps=6", "steps=2"))
        other = Client(address, verbose=False, httpx_kwargs={"timeout": PATIENCE / 1000})
        asked = ("", [dict(BOX)], "toy-vqgan", "fast", 0, 1, 1000)
        jobs = [other.submit(*asked, api_name="/generate")]
        while status(jobs[0]) != "PROCESSING":  # from then on nothing that waits for a model leaves the queue
            time.sleep(0.05)
        while not jobs[-1].done():
            jobs.append(other.submit(*asked, api_name="/generate"))
            while status(jobs[-1]) in ("STARTING", "JOINING_QUEUE"):
                time.sleep(0.05)
        assert len(jobs) <= 14  # one at work, 12 that wait, and the one that is refused
        make(page)
        expect(page.locator(".toast-body")).to_contain_text(re.compile("busy|full"), timeout=PATIENCE)
        for job in reversed(jobs):
            job.cancel()
        page.reload()
        opened(page, address, QUICK.replace("steps=6", "steps=2"))
        make(page)
        finished(page)
        page.close()
