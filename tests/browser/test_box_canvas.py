"""The box canvas in a real browser: drawn, moved, resized, named, removed, typed, touched, and set from Python."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.app_process import PATIENCE, running_app
from tests.browser.gestures import drag, point, swipe
from ui.components.box_canvas import MOST, canvas_value

CAT = {"phrase": "red cat", "left": 0.1, "top": 0.2, "right": 0.5, "bottom": 0.7}
CAR = {"phrase": "blue car", "left": 0.6, "top": 0.5, "right": 0.9, "bottom": 0.8}
HOSTILE = [
    "${window.hurt=1}",
    "<img src=x onerror=window.hurt=1>",
    "{{constructor}} {{#each value}}",
    "</script><script>window.hurt=1</script>",
    "`;window.hurt=1;`",
]

# A page with a canvas, what Python last received, and a button that sets the boxes. The browser counts the events.
APP = """
import argparse
import json
import gradio as gr
from ui.components.box_canvas import BoxCanvas
from ui.page import build_theme

parser = argparse.ArgumentParser()
parser.add_argument("--host")
parser.add_argument("--port", type=int)
asked = parser.parse_args()

COUNT = "() => {{ window.{0} = (window.{0} ?? 0) + 1; }}"

with gr.Blocks(analytics_enabled=False) as page:
    canvas = BoxCanvas(elem_id="canvas")
    received = gr.Textbox("[]", label="received", elem_id="received")
    given = gr.Textbox(label="given", elem_id="given")
    give = gr.Button("give", elem_id="give")
    canvas.input(lambda value: json.dumps(value["boxes"]), canvas, received, trigger_mode="always_last")
    canvas.input(None, js=COUNT.format("inputs"))
    canvas.change(None, js=COUNT.format("changes"))
    give.click(json.loads, given, canvas, show_progress="hidden", trigger_mode="multiple")

page.queue(default_concurrency_limit=1).launch(
    server_name=asked.host, server_port=asked.port, theme=build_theme(),
    css_paths=["ui/static/page.css", "ui/static/box_canvas.css"], ssr_mode=False, footer_links=[], run_history=False,
)
"""

# What says that the page is loading lies over it for a moment longer, and takes what is done with the mouse.
UNCOVERED = """() => {
    const frame = document.querySelector(".tl-canvas").getBoundingClientRect();
    return document.elementFromPoint(frame.left + frame.width / 2, frame.top + frame.height / 2)?.closest(".tl-canvas");
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("canvas") / "app.log", ["-c", APP]) as address:
        yield address


@pytest.fixture
def board(page, address) -> Locator:
    """An empty canvas on a page that has just been opened."""
    return opened(page, address)


def opened(page: Page, address: str) -> Locator:
    page.goto(address)
    board = page.locator(".tl-canvas")
    expect(board).to_be_visible(timeout=PATIENCE)
    expect(board).to_have_css("touch-action", "none")  # Gradio adds the styles after the component
    page.wait_for_function(UNCOVERED)
    return board


def give(page: Page, *boxes: dict, **value) -> None:
    """Python sets the boxes, and whatever else the value may hold."""
    value = {"boxes": list(boxes), "background": None, "aspect": 1, "alt": "", "most": MOST} | value
    page.locator("#given textarea").fill(json.dumps(value))
    page.locator("#give").click()
    expect(page.locator(".tl-box")).to_have_count(len(boxes))
    page.evaluate("scrollTo(0, 0)")


def received(page: Page, *expected: dict) -> None:
    """Waits until Python has these boxes, to within a pixel or two."""
    page.wait_for_function(
        """expected => {
            const boxes = JSON.parse(document.querySelector("#received textarea").value);
            const near = (a, b) => typeof a === "number" ? Math.abs(a - b) <= 0.006 : a === b;
            return boxes.length === expected.length && boxes.every((box, at) =>
                Object.keys(box).length === 5 && Object.keys(box).every(key => near(box[key], expected[at][key])));
        }""",
        arg=list(expected),
    )


def counted(page: Page) -> tuple[int, int]:
    """How often `input` and `change` came."""
    page.wait_for_timeout(300)
    return tuple(page.evaluate("[window.inputs ?? 0, window.changes ?? 0]"))


def click(page: Page, board: Locator, x: float, y: float) -> None:
    page.mouse.click(*point(board, x, y))


def test_a_box_is_drawn_and_named_at_once(page, board):
    expect(page.locator(".tl-canvas-hint")).to_be_visible()
    drag(page, board, (0.1, 0.2), (0.5, 0.7))
    name = page.get_by_placeholder("what is here?").first
    expect(page.locator(".tl-name")).to_be_focused()
    expect(page.locator(".tl-canvas-hint")).to_be_hidden()
    received(page, CAT | {"phrase": ""})
    page.keyboard.type("red cat")
    expect(page.locator(".tl-row-name input")).to_have_value("red cat")  # in step while it is typed
    page.keyboard.press("Enter")
    received(page, CAT)
    expect(name).not_to_be_visible()
    label = "red cat, box 1 of 1: from 10% to 50% across, 20% to 70% down"
    expect(page.locator(".tl-box")).to_have_attribute(
        "aria-label", re.compile(label.replace("10%", r"(9|10)\S*%")[:8])
    )
    assert counted(page) == (2, 2)  # drawn, named; nothing on the way


def test_a_box_may_stay_without_a_name(page, board):
    drag(page, board, (0.9, 0.9), (0.6, 0.5))  # from any corner
    page.keyboard.type("half a na")
    page.keyboard.press("Escape")
    expect(page.locator(".tl-chip")).to_have_text("1needs a name")
    received(page, {"phrase": "", "left": 0.6, "top": 0.5, "right": 0.9, "bottom": 0.9})
    expect(page.locator(".tl-box")).to_be_focused()
    page.keyboard.press("F2")
    page.keyboard.type("a tree")
    click(page, board, 0.2, 0.2)  # elsewhere: the name is kept
    expect(page.locator(".tl-chip")).to_have_text("1a tree")
    expect(page.locator(".tl-frame")).to_be_hidden()
    page.mouse.dblclick(*point(board, 0.75, 0.7))
    expect(page.locator(".tl-name")).to_have_value("a tree")


def test_a_small_drag_is_a_click(page, board):
    give(page, CAT)
    click(page, board, 0.3, 0.4)
    expect(page.locator(".tl-frame")).to_be_visible()
    drag(page, board, (0.8, 0.8), (0.803, 0.9))
    expect(page.locator(".tl-frame")).to_be_hidden()
    expect(page.locator(".tl-box")).to_have_count(1)
    assert counted(page)[0] == 0


def test_moving_stops_at_the_border(page, board):
    give(page, CAT, CAR)
    drag(page, board, (0.3, 0.5), (0.4, 0.3))
    received(page, {**CAT, "left": 0.2, "top": 0.0, "right": 0.6, "bottom": 0.5}, CAR)
    drag(page, board, (0.75, 0.6), (0.05, 0.99))
    received(
        page,
        {**CAT, "left": 0.2, "top": 0.0, "right": 0.6, "bottom": 0.5},
        {**CAR, "left": 0.0, "top": 0.7, "right": 0.3, "bottom": 1.0},
    )
    assert counted(page)[0] == 2


def test_eight_handles_resize(page, board):
    give(page, CAT)
    click(page, board, 0.3, 0.4)
    for handle, grip, end, moved in [
        ("se", (0.5, 0.7), (0.6, 0.9), {"right": 0.6, "bottom": 0.9}),
        ("n", (0.35, 0.2), (0.5, 0.1), {"top": 0.1}),
        ("w", (0.1, 0.5), (0.95, 0.5), {"left": 0.59}),  # no further than the least box
    ]:
        reach = page.locator(f"[data-handle={handle}]").bounding_box()
        assert min(reach["width"], reach["height"]) >= 24
        drag(page, board, grip, end)
        CAT_NOW = {**CAT, "right": 0.6, "bottom": 0.9} | ({"top": 0.1} if handle != "se" else {}) | moved
        received(page, CAT_NOW)


def test_the_smallest_box_under_the_pointer_is_meant(page, board):
    small = {"phrase": "eye", "left": 0.2, "top": 0.3, "right": 0.3, "bottom": 0.4}
    give(page, small, CAT)
    click(page, board, 0.25, 0.35)
    expect(page.locator(".tl-box.tl-chosen .tl-chip")).to_have_text("1eye")
    click(page, board, 0.4, 0.6)
    expect(page.locator(".tl-box.tl-chosen .tl-chip")).to_have_text("2red cat")
    click(page, board, 0.25, 0.35)
    expect(page.locator(".tl-box.tl-chosen .tl-chip")).to_have_text("1eye")


def test_keys_move_resize_remove_and_bring_back(page, board):
    give(page, CAT, CAR)
    page.locator(".tl-box").first.focus()
    expect(page.locator(".tl-box").first).to_have_attribute(
        "aria-label", "red cat, box 1 of 2: from 10% to 50% across, 20% to 70% down"
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    moved = {**CAT, "left": 0.11, "right": 0.51, "top": 0.25, "bottom": 0.75}
    received(page, moved, CAR)
    page.keyboard.press("Alt+ArrowLeft")
    page.keyboard.press("Alt+Shift+ArrowDown")
    resized = {**moved, "right": 0.5, "bottom": 0.8}
    received(page, resized, CAR)
    expect(page.locator(".tl-boxes > [role=status]")).to_have_text(
        "Box 1, red cat, resized: from 11% to 50% across, 25% to 80% down."
    )
    page.keyboard.press("Tab")
    expect(page.locator(".tl-box").nth(1)).to_be_focused()
    page.keyboard.press("Delete")
    received(page, resized)
    expect(page.locator(".tl-box").first).to_be_focused()
    page.keyboard.press("Backspace")
    received(page)
    expect(page.locator(".tl-canvas")).to_be_focused()
    page.keyboard.press("Control+z")
    received(page, resized)
    page.get_by_role("button", name="Undo").click()
    received(page, resized, CAR)
    expect(page.get_by_role("button", name="Undo")).to_be_hidden()
    expect(page.locator(".tl-box").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".tl-frame")).to_be_hidden()


def test_escape_and_a_lost_pointer_take_a_gesture_back(page, board):
    give(page, CAT)
    page.mouse.move(*point(board, 0.3, 0.4))
    page.mouse.down()
    page.mouse.move(*point(board, 0.5, 0.5), steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    page.mouse.move(*point(board, 0.3, 0.4))
    page.mouse.down()
    page.mouse.move(*point(board, 0.5, 0.5), steps=3)
    page.locator(".tl-canvas").evaluate(
        "node => node.dispatchEvent(new PointerEvent('pointercancel', { pointerId: 1, bubbles: true }))"
    )
    page.mouse.up()
    expect(page.locator(".tl-row-edge input").first).to_have_value("10")
    assert counted(page)[0] == 0


def test_fingers_draw_move_and_leave_the_page_where_it_is(browser, address):
    with browser.new_context(
        viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True
    ) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        board = opened(page, address)
        swipe(page, board, (0.1, 0.2), (0.5, 0.7))
        expect(page.locator(".tl-name")).to_be_focused()
        page.keyboard.type("red cat")
        page.keyboard.press("Enter")
        received(page, CAT)
        swipe(page, board, (0.3, 0.5), (0.4, 0.6))
        received(page, {**CAT, "left": 0.2, "top": 0.3, "right": 0.6, "bottom": 0.8})
        assert page.evaluate("scrollY") == 0
        fingers_on = point(board, 0.4, 0.5)
        page.touchscreen.tap(*fingers_on)
        page.touchscreen.tap(*fingers_on)
        expect(page.locator(".tl-name")).to_be_focused()


def test_the_list_and_the_picture_are_in_step(page, board):
    give(page, CAT)
    edges = page.locator(".tl-row-edge input")
    drag(page, board, (0.3, 0.5), (0.35, 0.5))
    expect(edges.nth(0)).to_have_value(re.compile(r"^15(\.\d)?$|^14\.\d$"))
    edges.nth(0).fill("20")
    edges.nth(0).press("Enter")
    box = page.locator(".tl-box")
    expect(box).to_have_attribute("style", re.compile(r"left: 20%"))
    page.locator(".tl-row-name input").fill("a fat cat")
    expect(page.locator(".tl-chip")).to_have_text("1a fat cat")
    edges.nth(1).focus()
    received(page, {**CAT, "phrase": "a fat cat", "left": 0.2, "right": 0.55})
    page.keyboard.press("ArrowUp")
    received(page, {**CAT, "phrase": "a fat cat", "left": 0.2, "right": 0.55, "top": 0.21})


def test_the_list_alone_adds_and_removes(page, board):
    page.get_by_role("button", name="Add a box").click()
    expect(page.locator(".tl-row-name input")).to_be_focused()
    page.keyboard.type("red cat")
    page.get_by_role("button", name="Add a box").click()
    page.keyboard.type("blue car")
    page.keyboard.press("Enter")
    expect(page.locator(".tl-chip")).to_have_text(["1red cat", "2blue car"])
    first, second = (node.bounding_box() for node in page.locator(".tl-box").all())
    assert (
        abs(first["x"] - second["x"]) > first["width"] - 2
        or abs(first["y"] - second["y"]) > first["height"] - 2
    )
    page.get_by_role("button", name="Remove box 1, red cat").click()
    expect(page.locator(".tl-chip")).to_have_text(["1blue car"])
    expect(page.get_by_role("button", name="Remove box 1, blue car")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator(".tl-box")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tl-chip")).to_have_text(["1red cat", "2blue car"])


@pytest.mark.parametrize(
    ("edge", "text", "sentence"),
    [
        (0, "60", "Left must be at least 1 less than right."),
        (2, "120", "Right: type a number from 0 to 100."),
        (3, "", "Bottom: type a number from 0 to 100."),
        (1, "-5", "Top: type a number from 0 to 100."),
    ],
)
def test_what_cannot_be_used_is_told_and_the_box_stays(page, board, edge, text, sentence):
    give(page, CAT)
    field = page.locator(".tl-row-edge input").nth(edge)
    field.fill(text)
    field.press("Tab")
    expect(page.locator(".tl-problem")).to_have_text(sentence)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value(text)
    expect(page.locator(".tl-box")).to_have_attribute(
        "aria-label", re.compile("from 10% to 50% across, 20% to 70%")
    )
    assert counted(page)[0] == 0
    if edge == 0:  # put right by the other number
        page.locator(".tl-row-edge input").nth(2).fill("90")
        page.keyboard.press("Enter")
        expect(page.locator(".tl-problem")).to_be_empty()
        received(page, {**CAT, "left": 0.6, "right": 0.9})


def test_python_sets_boxes_without_being_told_or_disturbing(page, board):
    give(page, CAT, CAR)
    click(page, board, 0.75, 0.65)
    expect(page.locator(".tl-box.tl-chosen .tl-chip")).to_have_text("2blue car")
    moved = {**CAR, "left": 0.5}
    give(page, moved, CAT)
    expect(page.locator(".tl-chip")).to_have_text(["1blue car", "2red cat"])
    expect(page.locator(".tl-box.tl-chosen .tl-chip")).to_have_text("1blue car")  # the same box
    expect(page.locator("#give")).to_be_focused()
    assert counted(page) == (0, 2)
    page.mouse.dblclick(*point(board, 0.75, 0.65))
    page.keyboard.type("a gre")
    for left in (0.5, 0.4):  # the same again, and then moved, while a name is typed
        given = json.dumps(canvas_value([{**CAR, "left": left}, CAT]))
        page.locator("#given textarea").evaluate(
            "(area, text) => { area.value = text; area.dispatchEvent(new Event('input')); }", given
        )
        page.locator("#give").evaluate("button => button.click()")
        expect(page.locator(".tl-box").first).to_have_attribute("style", re.compile(f"left: {left * 100:g}%"))
    page.keyboard.type("en car")
    page.keyboard.press("Enter")
    received(page, {**CAR, "left": 0.4, "phrase": "a green car"}, CAT)
    give(page)
    expect(page.locator(".tl-canvas-hint")).to_be_visible()
    expect(page.locator(".tl-undo")).to_be_hidden()


def test_sixteen_boxes_are_the_most(page, board):
    many = [
        {"phrase": f"thing {n}", "left": n / 20, "top": 0.1, "right": n / 20 + 0.04, "bottom": 0.3}
        for n in range(MOST)
    ]
    give(page, *many)
    drag(page, board, (0.2, 0.5), (0.5, 0.8))
    expect(page.locator(".tl-box")).to_have_count(MOST)
    full = "There are 16 boxes, and no more are possible. Remove one first."
    expect(page.locator(".tl-canvas-note")).to_have_text(full)
    expect(page.locator(".tl-boxes > [role=status]")).to_have_text(full)
    page.get_by_role("button", name="Add a box").click()
    expect(page.locator(".tl-box")).to_have_count(MOST)


def test_a_picture_lies_behind_in_its_own_shape(page, board):
    pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
    give(page, CAT, background=pixel, aspect=2, alt="a white field")
    expect(page.get_by_alt_text("a white field")).to_be_visible()
    expect(page.locator(".tl-backdrop")).to_have_class(re.compile("tl-crisp"))
    frame = board.bounding_box()
    assert frame["width"] == pytest.approx(2 * frame["height"], rel=0.01)
    for aspect in (0.0001, 0, None, 9000):
        give(page, CAT, background=pixel, aspect=aspect)
        frame = board.bounding_box()
        assert min(frame["width"], frame["height"]) > 40


def test_what_is_typed_or_set_never_becomes_markup(page, board):
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    boxes = [{**CAT, "phrase": text, "left": n / 10} for n, text in enumerate(HOSTILE)]
    give(page, *boxes, alt=HOSTILE[1])
    for n, text in enumerate(HOSTILE):
        expect(page.locator(".tl-chip span").nth(n)).to_have_text(text)
        expect(page.locator(".tl-row-name input").nth(n)).to_have_value(text)
    others = HOSTILE[1:] + HOSTILE[:1]
    for n, text in enumerate(others):
        page.locator(".tl-row-name input").nth(n).fill(text)
        page.keyboard.press("Enter")
        expect(page.locator(".tl-boxes > [role=status]")).to_contain_text(text)
    page.locator(".tl-box").first.focus()
    page.keyboard.press("F2")
    page.keyboard.type(HOSTILE[0])
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tl-chip span").first).to_have_text(HOSTILE[0])
    named = [HOSTILE[0], *others[1:]]
    received(page, *({**box, "phrase": text} for box, text in zip(boxes, named, strict=True)))
    assert page.evaluate("window.hurt") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1366])
def test_nothing_is_wider_than_the_screen(page, address, width):
    page.set_viewport_size({"width": width, "height": 844})
    board = opened(page, address)
    give(
        page,
        {**CAT, "phrase": "a very long name of a thing " * 7},
        {**CAR, "left": 0.85, "phrase": "x" * 200},
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    right = board.bounding_box()["x"] + board.bounding_box()["width"]
    for chip in page.locator(".tl-chip").all():
        assert chip.bounding_box()["x"] + chip.bounding_box()["width"] <= right + 6
    assert page.locator("details.tl-box-list").evaluate("list => list.open") == (width >= 768)
