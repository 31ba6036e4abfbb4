"""Who asks whom in a real browser: what stood on the page at the press is answered, the last press counts; and Stop."""

import re
import time
from contextlib import contextmanager

from gradio_client import Client
from playwright.sync_api import Page, expect

from tests.browser.app_process import PATIENCE, running_app
from tests.browser.test_edit import QUICK, finished, opened
from tests.browser.test_words import answered
from ui.components.picture_chooser import GALLERY, SCENES
from ui.tabs.edit.examples import FIRST
from ui.tabs.words.question import suggested_labels

LONG = QUICK.replace("steps=3", "steps=1000")
BOX = {"phrase": "red cat", "left": 0.1, "top": 0.1, "right": 0.9, "bottom": 0.9}

SLOW_DOWNLOAD = """
import pathlib, sys, time
import app
from ui.models import generator_jobs as generators

fetch, arrived = generators.fetch, pathlib.Path(sys.argv.pop(1))

def fetch_slowly(name, progress=None):
    while not arrived.exists():
        progress(0.4, "downloading a generator")
        time.sleep(0.05)
    fetch(name, progress)

generators.fetch = fetch_slowly
sys.exit(app.main())
"""

# What is pressed is answered at once, while the page already listens for another answer.
QUICK_ANSWER = """
import argparse, time
import gradio as gr
from ui.events import requests as turns
from ui.components.box_canvas import BoxCanvas, canvas_value

parser = argparse.ArgumentParser()
parser.add_argument("--host")
parser.add_argument("--port", type=int)
asked = parser.parse_args()

def answer():
    yield canvas_value([dict(phrase="cat", left=0.1, top=0.2, right=0.5, bottom=0.7)]), "answered"

with gr.Blocks(analytics_enabled=False) as page:
    turn = gr.State(turns.Turn())
    canvas, status, press = BoxCanvas(), gr.Markdown(elem_id="status"), gr.Button("press", elem_id="press")
    turns.ask(turn, press.click, answer, [], [canvas, status], status)
    page.load(lambda: time.sleep(600), concurrency_id="another")

page.queue().launch(server_name=asked.host, server_port=asked.port, ssr_mode=False)
"""


@contextmanager
def models_taken(address: str):
    """Somebody else has them."""
    client = Client(address, verbose=False)
    asked = ("a red cat", [BOX], "toy-vqgan", "fast", 0, 1, 1000)
    job = client.submit(*asked, api_name="/generate")
    next(iter(job))
    yield
    job.cancel()


def link(page: Page, keep: str) -> str:
    page.locator(f"#{keep}-keep button").first.click()
    box = page.locator(f"#{keep}-link textarea, #{keep}-link input").first
    expect(box).to_have_value(re.compile("tab="))
    return box.input_value()


def test_the_picture_of_the_press_is_edited(page, address):
    opened(page, address)
    with models_taken(address):
        page.locator("#edit-make").click()
        expect(page.locator("#edit-status")).to_contain_text("queue", timeout=PATIENCE)
        page.locator("#edit-gallery button.thumbnail-item").nth(3).click()
        expect(page.locator("#edit-prompt textarea")).not_to_have_value(
            "a yellow tree on the sand", timeout=PATIENCE
        )
    finished(page)
    query = link(page, "edit")
    assert f"seed={FIRST.picture.scene.seed}&" in query
    assert "prompt=a+yellow+tree+on+the+sand" in query


def test_of_two_scenes_the_last_is_asked_about(page, address):
    page.goto(address + "?tab=words")
    answered(page, 80)
    with models_taken(address):
        for number in (1, 2):
            shown = page.locator("#words-picture img").get_attribute("src")
            page.locator("#words-gallery button.thumbnail-item").nth(GALLERY.index(SCENES[number])).click()
            expect(page.locator("#words-picture img")).not_to_have_attribute("src", shown, timeout=PATIENCE)
        page.wait_for_timeout(1000)
    labels = suggested_labels(SCENES[2]).split(", ")
    expect(page.locator(".tl-matrix thead .tl-label")).to_have_text(labels, timeout=PATIENCE)
    page.wait_for_timeout(1500)
    expect(page.locator(".tl-matrix thead .tl-label")).to_have_text(labels)
    assert f"seed={SCENES[2].scene.seed}&" in link(page, "words")


def test_another_press_ends_the_run_before_it_and_stop_both(page, address):
    opened(page, address, LONG)
    running, step = page.locator(".tl-edit[data-state=running]"), page.locator(".tl-edit-head strong")
    page.locator("#edit-make").click()
    expect(step).to_have_text(re.compile("Step [1-9]"), timeout=PATIENCE)
    page.locator("#edit-settings button").first.click()
    expect(page.locator("#edit-steps input")).to_have_value("1000", timeout=PATIENCE)
    page.wait_for_timeout(1000)  # what is typed before the page has put its values there is lost
    page.locator("#edit-steps input").fill("3")
    page.locator("#edit-make").click()
    expect(page.locator("#edit-status")).to_contain_text("guided by toy-vit", timeout=PATIENCE)
    page.locator("#edit-steps input").fill("1000")
    page.locator("#edit-make").click()
    running.wait_for(timeout=PATIENCE)
    page.locator("#edit-make").click()
    page.locator("#edit-stop").click()
    page.locator(".tl-edit[data-state=stopped]").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(2000)
    expect(running).to_have_count(0)
    page.locator("#edit-make").click()
    running.wait_for(timeout=PATIENCE)
    page.locator("#edit-prompt textarea").fill(" ")
    page.locator("#edit-make").click()  # nothing comes of it, and what ran is over
    expect(page.locator(".toast-body")).to_contain_text("not said yet", timeout=PATIENCE)
    page.locator(".tl-edit[data-state=stopped]").wait_for(timeout=PATIENCE)
    with models_taken(address):
        pass  # they are free


def test_what_is_stopped_while_its_files_come_does_not_begin(browser, tmp_path):
    arrived, problems = tmp_path / "arrived", []
    with (
        running_app(tmp_path / "app.log", ["-c", SLOW_DOWNLOAD, str(arrived)]) as address,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        opened(page, address, LONG)
        page.locator("#edit-make").click()
        expect(page.locator("#edit-status")).to_contain_text("downloading a generator", timeout=PATIENCE)
        page.locator("#edit-stop").click()
        expect(page.locator("#edit-status")).to_contain_text("Stopped.", timeout=PATIENCE)
        arrived.touch()
        page.wait_for_timeout(3000)
        expect(page.locator(".tl-edit[data-state=finished]")).to_be_visible()
        expect(page.locator("#edit-status")).to_contain_text("Stopped.")
        assert problems == []


def test_an_answer_that_comes_before_the_press_is_confirmed_is_shown(browser, tmp_path):
    """Gradio's client then reads all messages at once, and writes each difference into the message before it."""

    def late(route):
        confirmed = route.fetch()
        time.sleep(1)
        route.fulfill(response=confirmed)

    with (
        running_app(tmp_path / "app.log", ["-c", QUICK_ANSWER]) as address,
        browser.new_context() as context,
    ):
        page = context.new_page()
        page.goto(address)
        page.locator(".tl-canvas").wait_for()
        page.route("**/queue/join*", late)
        page.locator("#press").click()
        expect(page.locator("#status")).to_have_text("answered", timeout=PATIENCE)
        expect(page.locator(".tl-chip")).to_have_text("1cat")
