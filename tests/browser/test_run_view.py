"""The run view in a real browser, with a made-up run: python -m tests.browser.test_run_view serves the same page."""

import argparse
import base64
import io
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.app_process import PATIENCE, ROOT, running_app
from ui.components.views import RunView

TOTAL = 12  # steps of a run
PAUSE = 0.2  # seconds between them
SIDE = 64  # pixels of the pictures
PATCHES = 7
PLAIN = ("red cat", "blue car")
HOSTILE = ("${alert(1)} {{value}} {{ }}", "<img src=x onerror=alert(1)></script>")
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00")
PALETTE = [f"#{level:02x}{level // 2:02x}{255 - level:02x}" for level in np.linspace(0, 255, 32).astype(int)]


go_on = threading.Semaphore(0)


def made_up_run(
    phrases: tuple[str, ...],
    compare: bool = True,
    stop_at: int | None = None,
    held: tuple[int, ...] = (),
) -> Iterator[Any]:
    """What Python gives while blobs form in noise: one value more for every step. It waits for "Go on" after the steps
    `held`; -1: before the first.
    """
    value = {
        "state": "waiting",
        "status": "",
        "total": TOTAL,
        "width": SIDE,
        "height": SIDE,
        "boxes": [box for order in range(len(phrases)) for box in boxes_of(phrases, order)],
        "targets": [{"phrase": phrase, "colour": COLOURS[order]} for order, phrase in enumerate(phrases)],
        "palette": PALETTE,
        "frames": [],
        "alone": None,
        "words": [],
        "notes": [],
    }
    yield value
    if -1 in held:
        go_on.acquire(timeout=PATIENCE / 1000)
    frames: list[dict[str, Any]] = []
    for index in range(TOTAL + 1):
        frames.append(frame(phrases, index / TOTAL, index, skipped=index == 3))
        yield value | {"state": "running", "frames": list(frames), "seconds_left": PAUSE * (TOTAL - index)}
        if index in held:
            go_on.acquire(timeout=PATIENCE / 1000)
        time.sleep(PAUSE)
        if index == stop_at:
            yield value | {"state": "stopped", "frames": list(frames), "status": f"Stopped at step {index}."}
            return
    yield value | {
        "state": "finished",
        "frames": list(frames),
        "seconds": 2.6,
        "alone": frame(phrases, 0.3, TOTAL) if compare else None,
        "words": [
            {"text": word, "strength": 1 / (1 + order), "percent": f"{40 // (1 + order)} %"}
            for order, word in enumerate(" ".join(phrases).split())
        ],
        "notes": [f"The box of “{phrase}” is small." for phrase in phrases[:1]],
    }


def boxes_of(phrases: tuple[str, ...], order: int) -> list[dict[str, Any]]:
    """The last phrase has two boxes, which are one target."""
    left = 0.05 + 0.9 * order / len(phrases)
    wide = 0.8 / len(phrases)
    tops = (0.05, 0.55) if order == len(phrases) - 1 else (0.3,)
    same = {"phrase": phrases[order], "colour": COLOURS[order], "left": left, "right": left + wide}
    return [same | {"top": top, "bottom": top + 0.4} for top in tops]


def frame(phrases: tuple[str, ...], progress: float, index: int, skipped: bool = False) -> dict[str, Any]:
    random = np.random.default_rng(index)
    picture = random.uniform(60, 200, (SIDE, SIDE, 3)) * (1 - progress) + 200 * progress
    maps = []
    for order in range(len(phrases)):
        colour = [int(COLOURS[order][at : at + 2], 16) for at in (1, 3, 5)]
        for box in boxes_of(phrases, order):
            blob = progress * bump(box, SIDE)[..., None]
            picture = picture * (1 - blob) + np.array(colour) * blob
        heat = progress * bump(boxes_of(phrases, order)[0], PATCHES) + random.uniform(
            0, 0.3, (PATCHES, PATCHES)
        )
        maps.append(levels((255 * heat / heat.max()).astype(np.uint8), as_text=order % 2 == 0))
    file = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return {
        "index": index,
        "src": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(),
        "maps": maps,
        "similarity": [round(0.15 + 0.2 * progress - 0.03 * order, 4) for order in range(len(phrases))],
        "inside": [round(0.1 + 0.7 * progress - 0.02 * order, 4) for order in range(len(phrases))],
        "share": [round(0.2 + 0.5 * progress, 4) for _ in phrases],
        "losses": {} if index == TOTAL else {"total": round(2 - progress, 4)},
        "skipped": skipped,
    }


def levels(heat: np.ndarray, as_text: bool) -> str | list[list[int]]:
    """A map in one of the two forms that the run view reads."""
    return " ".join(bytes(row).hex() for row in heat) if as_text else heat.tolist()


def bump(box: dict[str, Any], side: int) -> np.ndarray:
    """A soft spot in the middle of a box."""
    places = (np.arange(side) + 0.5) / side
    across = (places - (box["left"] + box["right"]) / 2) / (box["right"] - box["left"])
    down = (places - (box["top"] + box["bottom"]) / 2) / (box["bottom"] - box["top"])
    return np.exp(-6 * (across[None] ** 2 + down[:, None] ** 2))


RUNS = {
    "Run": lambda: (yield from made_up_run(PLAIN)),
    "Run in parts": lambda: (yield from made_up_run(PLAIN, held=(4, 8))),
    "Run later": lambda: (yield from made_up_run(("moon",), held=(-1,))),
    "Run hostile": lambda: (yield from made_up_run(HOSTILE)),
    "Run many": lambda: (yield from made_up_run((*PLAIN, "a green tree by the sea", "moon", "sun"), False)),
    "Run and stop": lambda: (yield from made_up_run(PLAIN, stop_at=5)),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7861)
    asked = parser.parse_args()
    with gr.Blocks(fill_width=True, analytics_enabled=False) as demo:
        with gr.Row():
            buttons = {name: gr.Button(name, min_width=100) for name in RUNS}
            gr.Button("Go on", min_width=100).click(lambda: go_on.release(), api_visibility="private")
        view = RunView()
        for name, run in RUNS.items():
            buttons[name].click(run, outputs=view, show_progress="hidden", api_visibility="private")
    styles: list[str | Path] = [ROOT / "ui" / "static" / name for name in ("page.css", "run_view.css")]
    demo.queue().launch(
        server_name=asked.host, server_port=asked.port, css_paths=styles, ssr_mode=False, quiet=True
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with running_app(
        tmp_path_factory.mktemp("run") / "app.log", ["-m", "tests.browser.test_run_view"]
    ) as address:
        yield address


def start(page: Page, address: str, run: str = "Run") -> None:
    page.goto(address)
    empty = page.locator(".tl-run-main .tl-run-empty")
    expect(empty).to_have_text("The picture appears here, step by step.", timeout=PATIENCE)
    page.get_by_role("button", name=run, exact=True).click()


def reach(page: Page, step: int) -> None:
    """Waits until a run in parts is held at a step."""
    expect(page.locator(".tl-run-headline")).to_have_text(f"Step {step} of {TOTAL}", timeout=PATIENCE)


def go(page: Page) -> None:
    page.get_by_role("button", name="Go on").click()


def finish(page: Page, said: str = "Finished") -> None:
    expect(page.locator(".tl-run-headline")).to_have_text(said, timeout=PATIENCE)
    page.locator(f".tl-run-page[data-state={said.lower()}]").wait_for(timeout=PATIENCE)


def pixels(page: Page, where: str = ".tl-run-main") -> str:
    """What a canvas shows, once nothing more is painted on it."""
    canvas, shown = page.locator(f"{where} canvas").first, []
    while len(shown) < 3 or len(set(shown[-3:])) > 1:
        page.wait_for_timeout(100)
        shown.append(canvas.evaluate("canvas => canvas.toDataURL()"))
    return shown[-1]


def shown_step(page: Page) -> int:
    return int(page.locator(".tl-run-track input").input_value())


def test_the_picture_is_seen_while_it_is_made(page, address):
    start(page, address, "Run in parts")
    reach(page, 4)
    assert page.locator(".tl-run-page").get_attribute("data-state") == "running"
    canvas = page.locator(".tl-run-main canvas")
    expect(canvas).to_be_visible()
    assert canvas.evaluate("canvas => canvas.width") >= 300
    early = pixels(page)
    expect(page.locator(".tl-run-progress")).to_be_visible()
    expect(page.locator(".tl-run-left")).to_have_text("about 2 seconds left")
    expect(page.locator(".tl-run-said")).to_have_text("A quarter is done.")
    go(page)
    reach(page, 8)
    assert pixels(page) != early
    go(page)
    finish(page)
    expect(page.locator(".tl-run-step")).to_have_text("Finished picture")
    expect(page.locator(".tl-run-head")).to_contain_text("12 steps in 2.6 seconds")
    expect(page.locator(".tl-run-progress")).to_be_hidden()
    expect(page.locator(".tl-run-said")).to_have_text("The picture is finished.")


def test_scrubbing_back_stays_while_steps_arrive(page, address):
    start(page, address, "Run in parts")
    reach(page, 4)
    slider = page.locator(".tl-run-track input")
    slider.fill("2")
    expect(page.locator(".tl-run-step")).to_have_text("Step 2 of 12")
    earlier = pixels(page)
    go(page)
    reach(page, 8)
    assert shown_step(page) == 2
    assert pixels(page) == earlier
    page.get_by_role("button", name="Follow the run").click()
    assert shown_step(page) == 8
    expect(page.get_by_role("button", name="Follow the run")).to_be_hidden()
    go(page)
    finish(page)
    assert shown_step(page) == TOTAL
    assert pixels(page) != earlier
    slider.fill("2")
    assert pixels(page) == earlier
    expect(page.locator(".tl-run-unguided")).to_be_hidden()
    slider.fill("3")
    expect(page.locator(".tl-run-unguided")).to_be_visible()


def test_steps_that_are_not_there_yet_cannot_be_chosen(page, address):
    start(page, address, "Run in parts")
    reach(page, 4)
    page.locator(".tl-run-track input").fill("12")
    assert shown_step(page) == 4
    go(page)
    reach(page, 8)
    assert shown_step(page) == 8  # the newest was chosen, so it follows
    go(page)
    finish(page)


def test_it_plays(page, address):
    page.clock.install()
    start(page, address)
    finish(page)
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    page.get_by_role("button", name="Play").click()
    assert shown_step(page) == 0
    page.clock.run_for(1250)  # 0.3 seconds a step
    assert shown_step(page) == 4
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(1000)
    assert shown_step(page) == 4
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(3000)
    expect(page.locator(".tl-run-step")).to_have_text("Finished picture")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_who_wants_no_motion_takes_one_step_at_a_time(page, address):
    page.emulate_media(reduced_motion="reduce")
    start(page, address)
    finish(page)
    for step in range(3):
        page.get_by_role("button", name="Next step").click()
        assert shown_step(page) == step
    page.wait_for_timeout(600)
    assert shown_step(page) == 2


def test_heatmaps_and_boxes_are_chosen(page, address):
    start(page, address)
    finish(page)
    bare, alone = pixels(page), pixels(page, ".tl-run-alone")
    overlays = page.locator(".tl-run-overlay")
    expect(overlays).to_have_text(["Picture", "1 red cat", "2 blue car"])
    overlays.nth(1).click()
    first = pixels(page)
    assert first != bare
    assert pixels(page, ".tl-run-alone") != alone
    page.locator(".tl-run-tile").nth(1).click()
    expect(overlays.nth(2)).to_have_attribute("aria-pressed", "true")
    assert pixels(page) not in (bare, first)
    page.locator(".tl-run-tile").nth(1).click()
    expect(overlays.first).to_have_attribute("aria-pressed", "true")
    assert pixels(page) == bare
    expect(page.locator(".tl-run-main .tl-run-box")).to_have_count(3)  # two of one phrase
    expect(page.locator(".tl-run-main .tl-run-box .tl-run-chip")).to_have_text(["1", "2", "2"])
    page.get_by_label("Show boxes").uncheck()
    expect(page.locator(".tl-run-main .tl-run-box").first).to_be_hidden()


def test_numbers_are_those_of_the_step_that_is_shown(page, address):
    start(page, address)
    finish(page)
    tile = page.locator(".tl-run-tile").first
    expect(tile.locator(".tl-number")).to_have_text(["0.35", re.compile(r"80\s%")])
    expect(tile).to_contain_text(re.compile(r"without guidance 0\.21 and 31\s%"))
    expect(page.locator(".tl-run-tile").nth(1)).to_contain_text("inside its boxes")
    page.locator(".tl-run-track input").fill("0")
    expect(tile.locator(".tl-number")).to_have_text(["0.15", re.compile(r"10\s%")])
    charts = page.locator(".tl-run-chart svg")
    expect(charts).to_have_count(3)
    expect(charts.first).to_have_attribute(
        "aria-label", re.compile("red cat: from 0.15 to 0.35; blue car: from 0.12")
    )
    expect(charts.last).to_have_attribute("aria-label", re.compile("from 2.00 to 1.08"))
    box = charts.first.bounding_box()
    charts.first.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.5})
    assert 4 <= shown_step(page) <= 8


def test_the_picture_without_guidance_stands_beside(page, address):
    start(page, address)
    finish(page)
    expect(page.get_by_text("With guidance")).to_be_visible()
    expect(page.get_by_text("Same seed, no guidance")).to_be_visible()
    main, alone = (
        page.locator(f".{name} .tl-run-frame").bounding_box() for name in ("tl-run-main", "tl-run-alone")
    )
    assert alone["x"] > main["x"] + main["width"]
    assert [alone[key] for key in ("y", "width", "height")] == pytest.approx(
        [main[key] for key in ("y", "width", "height")], abs=1
    )
    expect(page.locator(".tl-run-alone .tl-run-box")).to_have_count(3)
    expect(page.locator(".tl-word span")).to_have_text(["red", "cat", "blue", "car"])
    expect(page.locator(".tl-note")).to_have_text("The box of “red cat” is small.")


def test_what_was_stopped_can_be_looked_at(page, address):
    start(page, address, "Run and stop")
    finish(page, "Stopped")
    expect(page.locator(".tl-run-head")).to_contain_text("Stopped at step 5.")
    assert shown_step(page) == 5
    page.locator(".tl-run-track input").fill("1")
    expect(page.locator(".tl-run-step")).to_have_text("Step 1 of 12")
    page.get_by_role("button", name="Run", exact=True).click()  # another run begins at its beginning
    finish(page)
    assert shown_step(page) == TOTAL


def test_the_run_before_stays_until_there_is_something_to_see(page, address):
    start(page, address)
    finish(page)
    before = pixels(page)
    page.get_by_role("button", name="Run later").click()
    expect(page.locator(".tl-run-headline")).to_have_text("Starting")
    assert pixels(page) == before
    expect(page.locator(".tl-run-tile")).to_have_count(2)
    page.locator(".tl-run-overlay").nth(1).click()
    assert pixels(page) != before
    go(page)
    finish(page)
    expect(page.locator(".tl-run-tile")).to_have_count(1)
    expect(page.locator(".tl-run-overlay").first).to_have_attribute("aria-pressed", "true")


def test_everything_can_be_done_with_the_keyboard(page, address):
    start(page, address)
    finish(page)
    page.locator(".tl-run-overlay").first.focus()
    page.keyboard.press("ArrowLeft")
    assert shown_step(page) == TOTAL - 1
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".tl-run-overlay").nth(1)).to_have_attribute("aria-pressed", "true")
    page.locator(".tl-run-track input").focus()
    for key, step in (("Home", 0), ("ArrowRight", 1), ("PageUp", 6), ("ArrowDown", 5), ("End", TOTAL)):
        page.keyboard.press(key)
        assert shown_step(page) == step
    expect(page.locator(".tl-run-track input")).to_have_attribute("aria-valuetext", "The finished picture")


def test_what_a_visitor_types_never_becomes_markup(page, address):
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    start(page, address, "Run hostile")
    finish(page)
    for order, phrase in enumerate(HOSTILE):
        expect(page.locator(".tl-run-tile").nth(order)).to_contain_text(phrase)
        expect(page.locator(".tl-run-overlay").nth(order + 1)).to_contain_text(phrase)
    expect(page.locator(".tl-note")).to_contain_text(HOSTILE[0])
    page.locator(".tl-run-overlay").nth(2).click()
    assert page.locator(".tl-run img").count() == 0
    assert dialogs == []


@pytest.mark.parametrize("width", [390, 768, 1366, 1920])
@pytest.mark.parametrize("run", ["Run", "Run many"])
def test_nothing_is_wider_than_the_screen(page, address, width, run):
    page.set_viewport_size({"width": width, "height": 844})
    start(page, address, run)
    finish(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator(".tl-run-main canvas")).to_be_visible()
    assert page.locator(".tl-run-curves").evaluate("details => details.open") == (width > 390)


if __name__ == "__main__":
    main()
