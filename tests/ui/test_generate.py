"""The Generate tab: what is asked, how a run is kept and drawn, links and files."""

import json
import math
from dataclasses import replace
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from guidance.generators.diffusion.candidates import Search
from guidance.records import read_record
from ui.components import choices
from ui.components.box_canvas import canvas_value
from ui.events import streaming
from ui.events.streaming import paced
from ui.models import generator_jobs
from ui.tabs.generate import examples, share, text
from ui.tabs.generate import handlers as events
from ui.tabs.generate import run as making
from ui.tabs.generate.drawing import RunDrawing
from ui.tabs.generate.examples import EXAMPLES, FIRST
from ui.tabs.generate.run import Run, Wish, make

QUICK = replace(FIRST, generator="toy-vqgan", steps=3, seed=0)


def page(wish: Wish, **changes):
    """What the page holds for a wish, in the order of the handler."""
    held = {
        "prompt": wish.prompt,
        "canvas": canvas_value(wish.boxes),
        "generator": wish.generator,
        "preset": wish.preset,
        "clip": wish.clip,
        "seed": wish.seed,
        "weight": wish.weight,
        "steps": wish.steps,
    }
    return list((held | changes).values())


@pytest.fixture(scope="module")
def runs():
    """A run as it grows."""
    return list(make(QUICK))


@pytest.fixture(scope="module")
def run(runs) -> Run:
    return runs[-1]


def test_a_run_grows_step_by_step_and_ends_with_its_words(runs):
    assert [len(run.steps) for run in runs] == [1, 2, 3, 4, 4]
    last = runs[-1]
    assert last.finished
    assert last.last.finished
    assert [reading.phrase for reading in last.last.readings] == ["red cat", "blue car"]
    assert [word.text for word in last.words] == last.recipe.layout.prompt.split()
    assert sum(word.share for word in last.words) == pytest.approx(1, abs=1e-3)
    assert last.alone is None  # a VQGAN makes nothing by itself
    assert runs[0].seconds_left is None
    assert runs[2].seconds_left > 0


def test_the_same_seed_is_the_same_picture(run):
    *_, again = make(QUICK)
    assert np.array_equal(again.last.image, run.last.image)
    *_, other = make(replace(QUICK, seed=1))
    assert not np.array_equal(other.last.image, run.last.image)


def test_closing_a_run_ends_it():
    steps = make(QUICK)
    next(steps)
    steps.close()
    assert next(steps, None) is None


def test_of_a_long_run_some_steps_are_kept(monkeypatch, run):
    monkeypatch.setattr(streaming, "MOST_KEPT", 4)
    first = run.steps[0]
    now = Run(run.recipe)
    for index in range(11):
        now = making._with(now, replace(first, index=index, total=10))
        assert now.last.index == index
    assert [step.index for step in now.steps] == [0, 3, 6, 9, 10]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": ()}, "no box yet"),
        ({"boxes": "red cat"}, "the boxes are"),
        ({"boxes": [5]}, "box 1: it is 5"),
        ({"boxes": [{"phrase": "red cat"}]}, "box 1: 'left' is missing"),
        ({"boxes": [dict(FIRST.boxes[0], left="0.1")]}, "left is '0.1'"),
        ({"boxes": [dict(FIRST.boxes[0], left=math.nan)]}, "left is nan"),
        ({"boxes": [dict(FIRST.boxes[0], left=0.9)]}, "left less than right"),
        ({"boxes": [dict(FIRST.boxes[0], phrase="")]}, "phrase is empty"),
        ({"boxes": [FIRST.boxes[0]] * 50}, "50 boxes"),
        ({"generator": "sd-9"}, "unknown generator 'sd-9'"),
        ({"generator": "../../etc"}, "unknown generator"),
        ({"preset": "good"}, "unknown preset 'good'"),
        ({"clip": "ViT-9"}, "unknown model 'ViT-9'"),
        ({"clip": "/tmp"}, "unknown model"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"weight": math.inf}, "weight is inf"),
        ({"weight": "1"}, "weight is '1'"),
        ({"steps": 5000}, "steps is 5000"),
        ({"prompt": "a " * 5000}, "the prompt has"),
    ],
)
def test_what_cannot_be_made_is_told(changes, message):
    with pytest.raises(ValueError, match=message):
        list(make(replace(QUICK, **changes)))


def test_boxes_beyond_the_picture_are_cut_and_said(run):
    cut = replace(QUICK, boxes=[dict(FIRST.boxes[0], right=1.2)], steps=1)
    *_, found = make(cut)
    assert "the box of 'red cat' was cut" in found.notes[0]
    assert RunDrawing().value(found)["notes"][0].startswith("The box of 'red cat' was cut")


def test_what_the_page_is_shown(runs):
    drawing = RunDrawing()
    for number, run in enumerate(runs):
        value = drawing.value(run)
        assert json.loads(json.dumps(value)) == value
        assert len(value["frames"]) == len(run.steps)
        assert value["state"] == ("finished" if number == 4 else "running")
    assert (value["width"], value["height"], value["total"]) == (64, 64, 3)
    assert [box["phrase"] for box in value["boxes"]] == ["red cat", "blue car"]
    assert value["boxes"][0]["colour"] != value["boxes"][1]["colour"]
    frame = value["frames"][-1]
    assert frame["src"].startswith("data:image/png;base64,")
    for rows, heatmap in zip(frame["maps"], runs[-1].last.maps, strict=True):
        levels = np.array([list(bytes.fromhex(row)) for row in rows.split()])
        assert levels.shape == heatmap.shape
        assert (levels.min(), levels.max()) == (0, 255)
        assert levels.argmax() == heatmap.argmax()
    assert max(word["strength"] for word in value["words"]) == 1
    assert RunDrawing().value(runs[1], stopped=True)["state"] == "stopped"
    assert text.run_status(runs[1], stopped=True) == ("At step 1 of 3. What is there can still be looked at.")


def test_between_two_looks_steps_are_left_out_but_never_the_last(runs):
    assert list(paced(iter(runs), 0.0)) == runs
    assert list(paced(iter(runs), 1e9)) == [runs[0], *runs[-2:]]


def test_the_handler_streams_what_the_page_shows():
    answers = list(events.make(*page(QUICK)))
    run, drawn, status, code, query, _ = answers[-1]
    assert run.finished
    assert drawn["state"] == "finished"
    assert answers[0][2] == ""  # what was said before is no longer true
    assert status.endswith("by Toyland VQGAN (built in), guided by toy-vit.")
    assert "Box('red cat', 0.05, 0.3, 0.45, 0.8)" in code
    assert dict(parse_qsl(query[1:]))["generator"] == "toy-vqgan"


@pytest.mark.parametrize(
    "changes",
    [
        {"canvas": None},
        {"canvas": "boxes"},
        {"canvas": {"boxes": "many"}},
        {"canvas": {"boxes": [[0, 0, 1, 1]]}},
        {"seed": 1.5},
        {"seed": math.nan},
        {"steps": "7"},
        {"weight": [1]},
        {"generator": None},
        {"preset": 5},
    ],
)
def test_whatever_a_browser_sends_is_told_and_not_a_crash(changes):
    with pytest.raises(gr.Error) as told:
        list(events.make(*page(QUICK, **changes)))
    assert "allowed" in told.value.message or "yet" in told.value.message


def test_an_empty_number_is_the_usual_one(run):
    *_, last = events.make(*page(QUICK, seed=None, weight=None, steps=3.0))
    assert np.array_equal(last[0].last.image, run.last.image)


def test_links_bring_back_what_was_asked():
    wish = replace(QUICK, prompt="${a} <b> & 船", seed=5, weight=0.5)
    query = share.write_query(wish, FIRST)
    found, problem = share.read_query(dict(parse_qsl(query[1:])), FIRST)
    assert problem is None
    assert replace(found, boxes=tuple(found.boxes)) == wish
    plain, _ = share.read_query({"tab": "generate"}, FIRST)
    assert plain == FIRST


@pytest.mark.parametrize(
    "query",
    [
        {"seed": "many"},
        {"seed": "9" * 30},
        {"steps": "-" + "9" * 30},
        {"weight": "strong"},
        {"weight": "nan"},
        {"weight": "inf"},
        {"boxes": "[[["},
        {"boxes": "[" * 5000},
        {"boxes": "5"},
        {"boxes": '[["red cat", 0.1]]'},
        {"boxes": '[["red cat", "a", 0, 1, 1]]'},
        {"boxes": '[["red cat", NaN, 0, 1, 1]]'},
        {"boxes": f'[["red cat", 0, 0, 1, {"9" * 400}]]'},
        {"boxes": '[["\\ud83d", 0, 0, 1, 1]]'},
        {"boxes": "x" * 100_000},
    ],
)
def test_a_link_that_cannot_be_read_opens_the_usual_page(query):
    wish, problem = share.read_query(query, FIRST)
    assert wish == FIRST
    assert "link" in problem


def test_files_hold_the_run(run, tmp_path):
    for save in share.SAVERS.values():
        save(run, tmp_path)
    picture, record = tmp_path / "tokenlight-picture.png", tmp_path / "tokenlight-run.json"
    assert np.array_equal(Image.open(picture), run.last.image)
    assert read_record(picture) == read_record(record)
    assert read_record(record)["sampling"]["steps"] == 3
    with Image.open(tmp_path / "tokenlight-run.gif") as animation:
        assert animation.n_frames == 4


def test_the_python_that_is_shown_makes_the_same_picture(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(share.as_python(run), "shown", "exec"), {})
    assert np.array_equal(Image.open("picture.png"), run.last.image)


def test_nothing_can_be_saved_before_there_is_a_run():
    with pytest.raises(gr.Error, match="nothing to save yet"):
        list(events.save_as("Picture, PNG", None))


def test_examples_are_wishes_that_can_be_read():
    for name, wish in EXAMPLES.items():
        recipe, notes = wish.read()
        assert not notes, name
        assert len(recipe.layout.targets) == len(wish.boxes)
        assert events.show_example(name)["prompt"] == wish.prompt


def test_generators_that_cannot_be_had_are_greyed_with_the_reason(monkeypatch):
    listed = {
        option["name"]: option["reason"]
        for group in choices.generators("toy-vqgan")["groups"]
        for option in group["options"]
    }
    assert listed["toy-vqgan"] is None
    assert listed["sd-1.5"] == "needs a GPU"
    monkeypatch.setattr(generator_jobs.device, "ZERO_GPU", True)
    monkeypatch.setattr("explain.clip.weights.hub_reachable", lambda: False)
    listed = {
        option["name"]: option["reason"]
        for group in choices.generators("toy-vqgan")["groups"]
        for option in group["options"]
    }
    assert listed["sd-1.5"] == "cannot be downloaded now"


def test_a_generator_that_does_not_exist_leaves_a_list():
    listed, note = events.show_generators("no such")
    assert (listed["selected"], note) == ("no such", "")
    assert len(listed["groups"]) == 2


def test_a_visitor_who_looks_at_the_tab_finds_the_generator_open():
    generator_jobs._open.cache_clear()
    for wrong in ("", "no such", "sd-1.5"):  # nothing to open, and nothing to complain of
        generator_jobs.warm(wrong, "")
    assert generator_jobs._open.cache_info().currsize == 0
    generator_jobs.warm("toy-vqgan", "")
    generator_jobs.warm("toy-sd", "")  # one is enough, and another visitor's may be in use
    assert generator_jobs._open.cache_info().misses == 1
    assert generator_jobs._open("toy-vqgan").name == "toy-vqgan"
    assert generator_jobs._open.cache_info().hits == 1
    generator_jobs.warm("toy-vqgan", "no such model")


def test_out_of_memory_says_what_would_fit(monkeypatch):
    import torch

    from guidance import generating as library

    def fails(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(library.BoxObjective, "__call__", fails)
    with pytest.raises(ValueError, match=r"did not fit in memory\. What needs less"):
        list(make(QUICK))
    monkeypatch.undo()
    assert list(make(replace(QUICK, steps=1)))[-1].finished


def test_the_page_opens_with_a_finished_run():
    """One of the wish that stands beside it, with all that a run on the page has."""
    value = examples.stored()
    recipe, _ = examples.STORED_WISH.read()
    assert value["state"] == "finished"
    sampling = recipe.preset.sampling
    rounds = len(Search(1, sampling.candidates).rounds)
    steps = rounds + sampling.steps - round(sampling.judged_at * sampling.steps)
    assert [frame["index"] for frame in value["frames"]] == list(range(steps + 1))
    for edge in ("left", "top", "right", "bottom"):
        assert [box[edge] for box in value["boxes"]] == [box[edge] for box in examples.STORED_WISH.boxes]
    assert value["alone"]["src"] != value["frames"][-1]["src"]
    assert " ".join(word["text"] for word in value["words"]) == examples.STORED_WISH.prompt
    assert all(len(frame["maps"]) == 2 for frame in value["frames"])
