"""Scripts of the components in a browser, without the app: what they say, keep and read out."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from explain.stability.one_picture import PhrasedText, RatedWord, Stability
from ui.components.base import DrawnHTML
from ui.components.box_canvas import BoxCanvas, canvas_value
from ui.components.views import EditView, LessonView, RunView, WordsMatrix
from ui.components.word_picker import WordPicker, picker_value
from ui.shared import text as wording
from ui.shared.pictures import Picture
from ui.tabs.words.drawing import matrix
from ui.tabs.words.question import WordsAnswer, WordsAsked

# Gradio's part: the element, `props` that tell who watches when Python sets them, and events that nobody hears.
STAND = """([root, script, value]) => {
  document.body.innerHTML = `<div id="component"><div class="${root}"></div></div>`;
  const watching = [];
  window.props = { value };
  window.give = (next) => {
    props.value = next;
    watching.forEach((told) => told());
  };
  const names = ["element", "props", "watch", "trigger"];
  const run = new Function(...names, script);
  run(document.getElementById("component"), props, (_, told) => watching.push(told), () => {});
}"""


@pytest.fixture
def bare(browser) -> Iterator[Page]:
    """A page of nothing."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    page.close()
    assert problems == []


def stand(page: Page, component: type[DrawnHTML], value: dict[str, Any]) -> None:
    page.evaluate(STAND, [component.ROOT, component.script(), value])


def give(page: Page, value: dict[str, Any]) -> None:
    """As Python does: by JSON."""
    page.evaluate("value => give(value)", json.loads(json.dumps(value)))


def called(page: Page, component: type[DrawnHTML], call: str) -> Any:
    """What a function of a component's scripts gives."""
    arguments = "const [element, props, watch, trigger] = [document.body, {}, () => {}, () => {}];"
    return page.evaluate(f"() => {{ {arguments} {component.script()}\n return {call}; }}")


@pytest.mark.parametrize("component", [EditView, LessonView, RunView], ids=lambda one: one.__name__)
def test_shares_are_said_as_python_says_them(bare, component):
    shares = [None, 0, 0.001, 0.004, 0.005, 0.045, 0.125, 0.375, 0.5, 0.625, 0.994, 0.996, 1]
    bare.set_content(f'<div class="{component.ROOT}"></div>')
    said = called(bare, component, f"{json.dumps(shares)}.map(percent)")
    assert said == [wording.percent(share) for share in shares]


@pytest.mark.parametrize("component", [EditView, RunView], ids=lambda one: one.__name__)
def test_long_times_are_said_in_minutes(bare, component):
    bare.set_content(f'<div class="{component.ROOT}"></div>')
    said = called(bare, component, "[null, 1, 20, 89, 90, 300].map(timeSaid)")
    expected = ["", "nearly there", "about 20 seconds left", "about 89 seconds left"]
    assert said == [*expected, "about 2 minutes left", "about 5 minutes left"]


def test_an_edit_of_minutes_says_minutes(bare):
    running = {"state": "running", "index": 2, "total": 1000, "seconds_left": 300.0}
    stand(bare, EditView, {**running, "before": {"src": ""}, "after": {"src": ""}, "width": 1, "height": 1})
    expect(bare.locator(".tl-edit-head")).to_contain_text("about 5 minutes left")


def pressed(page: Page) -> list[str]:
    return page.locator(".tl-pick[aria-pressed=true]").all_inner_texts()


def held(page: Page) -> dict[str, Any]:
    """What Python would be sent."""
    found: dict[str, Any] = page.evaluate("props.value")
    return found


def test_a_tap_is_kept_when_an_answer_comes_late(bare):
    caption, prompt = "a red cat", "a blue cat on grass"
    stand(bare, WordPicker, picker_value(prompt, caption))
    asked = held(bare)
    bare.locator(".tl-pick", has_text="cat").click()
    bare.locator(".tl-pick", has_text="blue").click()
    answer = picker_value(f"{prompt} here", caption, asked["taps"], asked.get("seen") or 0)
    give(bare, answer)
    assert pressed(bare) == ["cat", "grass"]
    assert held(bare)["taps"] == {"cat": True, "blue": False}
    give(bare, answer)  # again the same
    assert pressed(bare) == ["cat", "grass"]
    asked = held(bare)  # one that has seen all is taken as it is
    give(bare, picker_value(prompt, caption, {**asked["taps"], "blue": True}, asked["seen"]))
    assert pressed(bare) == ["blue", "cat", "grass"]


def test_an_example_forgets_what_was_tapped(bare):
    stand(bare, WordPicker, picker_value("a blue cat", "a red cat"))
    bare.locator(".tl-pick", has_text="cat").click()
    give(bare, picker_value("a pink cat", "a red cat", {"pink": True}))
    assert pressed(bare) == ["pink"]
    bare.locator(".tl-pick", has_text="pink").click()
    give(bare, picker_value("a pink cat sleeps", "a red cat", {"pink": True}, seen=0))  # asked before the tap
    assert pressed(bare) == ["sleeps"]


def test_a_canvas_that_is_full_still_says_what_can_be_done(bare):
    box = {"phrase": "red heart", "left": 0.1, "top": 0.1, "right": 0.5, "bottom": 0.5}
    stand(bare, BoxCanvas, canvas_value([box], most=1))
    expect(bare.locator(".tl-canvas-below")).to_contain_text("Drag the box to move it.")
    give(bare, canvas_value([box], most=2))
    expect(bare.locator(".tl-canvas-below")).to_contain_text("or a free place to draw another")


LESSON = {
    "waiting": "",
    "finished": False,
    "verdict": "Learnt: step 3 of 50",
    "tried": "the other pictures",
    "total": 50,
    "ways": [{"name": "plain", "title": "Plain", "sentence": "", "accuracy": 0.5, "share": 0.2, "words": []}],
    "classes": [
        {"name": "cat", "pictures": 2, "right": [0.5], "share": [0.2]},
        {"name": "dog", "pictures": 0, "right": [None], "share": [None]},
    ],
    "curves": [],
    "notes": [],
}


def test_a_lesson_shows_what_is_not_known_and_reads_out_its_end(bare):
    stand(bare, LessonView, {"waiting": "Press Teach", "finished": False, "ways": []})
    live = bare.locator("[aria-live=polite]")
    expect(live).to_have_text("")
    give(bare, LESSON)
    assert bare.locator("tbody tr", has_text="dog").locator("td").all_inner_texts() == ["–", "–"]
    assert bare.locator("thead th", has_text="Class").get_attribute("scope") == "col"
    expect(live).to_have_text("")  # not every step
    bare.evaluate("() => { window.node = document.querySelector('[aria-live=polite]'); }")
    give(bare, {**LESSON, "finished": True, "verdict": "50 % of them."})
    expect(live).to_have_text("50 % of them.")
    assert bare.evaluate("node === document.querySelector('[aria-live=polite]')")


def test_the_matrix_reads_out_its_verdict_and_can_be_read(bare):
    stand(bare, WordsMatrix, {"rows": [], "waiting": "data:,"})
    expect(bare.locator("#component")).to_contain_text("table of answers")
    word = RatedWord("cat", content=True, named=True, relevance=1.0, neglected=False, drop=0.1)
    text = PhrasedText("a cat", 0.3, 1.0, (word,))
    found = Stability("toy", ("cat",), ("a {}",), 0.7, ((text,),), (1.0,), ())
    give(bare, matrix(WordsAnswer(WordsAsked(Picture(), "cat", "a {}", "toy-vit"), found, 0.1)))
    expect(bare.locator("[aria-live=polite]")).to_have_text("The one phrasing says “cat”.")
    assert (
        bare.locator("td.tl-wins").first.evaluate("node => parseInt(node.style.getPropertyValue('--share'))")
        <= 75
    )
