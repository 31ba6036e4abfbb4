"""The Edit tab: what is asked, the words that count, how an edit is kept and drawn, links and files."""

import json
import math
from dataclasses import replace
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from guidance import __main__ as cli
from guidance.editing.settings import EDITS
from guidance.records import read_record
from ui.components import word_picker
from ui.components.box_canvas import canvas_value
from ui.events import streaming
from ui.models import generator_jobs
from ui.shared.pictures import Picture, new_scene_picture, scene_picture
from ui.tabs.edit import api, examples, share, text
from ui.tabs.edit import handlers as events
from ui.tabs.edit.drawing import drawn
from ui.tabs.edit.examples import EXAMPLES, FIRST
from ui.tabs.edit.run import LAMBDA, EditRun, EditWish, edit
from ui.tabs.generate.run import Wish, make

BOX = {"phrase": "pink tree", "left": 0.1, "top": 0.4, "right": 0.6, "bottom": 1.0}
QUICK = replace(EXAMPLES["Recolour"], generator="toy-sd", seed=0, steps=3, boxes=(BOX,))
LATENTS = replace(QUICK, generator="toy-vqgan", way="latents", boxes=())
HOSTILE = "<script>window.hurt=1</script> ${window.hurt=1} {{ }}"


def page(wish: EditWish, **changes):
    """What the page holds for a wish, in the order of the handler."""
    taps = word_picker.as_tapped(wish.prompt, tuple(wish.words))
    held = {
        "picture": wish.picture,
        "prompt": wish.prompt,
        "picker": word_picker.picker_value(wish.prompt, wish.caption, taps),
        "caption": wish.caption,
        "canvas": canvas_value(wish.boxes),
        "generator": wish.generator,
        "way": wish.way,
        "strength": wish.strength,
        "word_weight": wish.word_weight,
        "seed": wish.seed,
        "steps": wish.steps,
    }
    assert not set(changes) - set(held)
    return list((held | changes).values())


@pytest.fixture(scope="module")
def runs():
    """An edit as it goes on."""
    return list(edit(QUICK))


@pytest.fixture(scope="module")
def run(runs) -> EditRun:
    return runs[-1]


# Edits


def test_an_edit_grows_step_by_step_and_ends_with_the_same_without_words(runs):
    first, *steps, compared, last = runs
    assert first.before is not None
    assert first.steps == ()
    assert [len(run.steps) for run in steps] == list(range(1, len(steps) + 1))
    assert [run.finished for run in runs] == [False] * (len(runs) - 1) + [True]
    assert steps[-1].last.finished
    assert steps[-1].without is None
    assert compared.without is last.without is not None
    for step in (last.before, last.last, last.without):
        assert [word.text for word in step.reading.words] == QUICK.prompt.split()
        assert sum(word.share for word in step.reading.words) == pytest.approx(1, abs=1e-3)
        assert step.image.size == (64, 64)
    assert [word.text for word in last.last.reading.words if word.weight] == ["pink"]


def test_outside_the_box_the_picture_stays(run):
    before, after = (np.asarray(step.image) for step in (run.before, run.last))
    assert np.array_equal(before[:16], after[:16])
    assert not np.array_equal(before, after)


def test_what_is_compared_differs_in_the_words_alone(run):
    *_, bare = edit(replace(QUICK, word_weight=0))
    assert bare.without is None  # the same twice would say nothing
    assert np.array_equal(bare.last.image, run.without.image)
    assert text.NO_WORDS in text.edited(bare, "it")
    *_, wordless = edit(replace(QUICK, words=()))
    assert wordless.without is None
    assert np.array_equal(wordless.last.image, run.without.image)


def test_noises_are_tried_once_for_both(monkeypatch):
    from guidance.generators import run_cache

    known = []
    found = run_cache.Ways.of

    def of(self, numbers, walk):
        known.append((id(self), sorted(numbers), len(self._found)))
        return found(self, numbers, walk)

    monkeypatch.setattr(run_cache.Ways, "of", of)
    list(edit(replace(QUICK, steps=5, boxes=())))
    assert len({shared for shared, *_ in known}) == 1
    assert [there > 0 for *_, there in known].count(False) == 1


def test_the_same_seed_is_the_same_picture(run):
    *_, again = edit(QUICK)
    assert np.array_equal(again.last.image, run.last.image)
    *_, other = edit(replace(QUICK, seed=1))
    assert not np.array_equal(other.last.image, run.last.image)


def test_alone_it_is_the_better_of_both(run):
    """Where nobody sees both, CLIP says which."""
    *_, alone = edit(replace(QUICK, compare=False))
    assert alone.without is None
    assert alone.recipe.settings.guarded
    assert not run.recipe.settings.guarded
    better = max(run.last, run.without, key=lambda step: step.reading.similarity)
    assert np.array_equal(alone.last.image, better.image)


def test_latents_are_a_way_of_both_kinds_of_generator():
    *_, vqgan = edit(LATENTS)
    assert vqgan.finished
    assert len(vqgan.steps) == 4
    assert (edit(replace(LATENTS, way="")).__next__()).recipe.settings.way == "latents"
    *_, diffusion = edit(replace(LATENTS, generator="toy-sd", steps=1, compare=False))
    assert diffusion.recipe.settings.way == "latents"


def test_closing_an_edit_ends_it():
    steps = edit(QUICK)
    next(steps)
    steps.close()
    assert next(steps, None) is None


def test_of_a_long_edit_some_steps_are_kept(monkeypatch, run):
    monkeypatch.setattr(streaming, "MOST_KEPT", 4)
    kept = ()
    for index in range(11):
        kept = streaming.grown(kept, replace(run.steps[0], index=index, total=10))
    assert [step.index for step in kept] == [0, 3, 6, 9, 10]


BAD = [
    ({"picture": Picture()}, "There is no picture yet"),
    ({"prompt": ""}, "not said yet what the picture should show"),
    ({"prompt": " \n "}, "not said yet"),
    ({"prompt": "a " * 60_000}, "the prompt has"),
    ({"prompt": "\x00", "words": ()}, "empty|no words"),
    ({"words": ["cat"]}, "the word 'cat' is not in the prompt"),
    ({"words": [HOSTILE]}, "is not in the prompt"),
    ({"words": "pink"}, "the words that count cannot be read"),
    ({"words": [5]}, "the words that count cannot be read"),
    ({"words": {"pink": 2}}, "the weight of 'pink' is 2"),
    ({"words": {"pink": math.nan}}, "the weight of 'pink' is nan"),
    ({"caption": "x" * 5000}, "the caption has 5000 characters"),
    ({"boxes": [BOX, BOX]}, "there are 2 boxes; allowed: one"),
    ({"boxes": "here"}, "the boxes are no JSON"),
    ({"boxes": [5]}, "box 1: it is 5"),
    ({"boxes": [{"phrase": "red cat"}]}, "'left' is missing"),
    ({"boxes": [BOX | {"left": math.nan}]}, "left is nan"),
    ({"boxes": [BOX | {"left": 10, "right": 40}]}, "looks like pixels"),
    ({"boxes": [BOX | {"left": 1.2, "right": 1.5}]}, "outside the picture"),
    ({"boxes": [BOX | {"left": 0.9}]}, "left less than right"),
    ({"generator": "sd-9"}, "unknown generator 'sd-9'"),
    ({"generator": "../../etc"}, "unknown generator"),
    ({"way": "magic"}, "way is 'magic'; allowed: diffusion, latents"),
    ({"way": "diffusion", "generator": "toy-vqgan"}, "allowed: latents"),
    ({"strength": 0}, "strength is 0; allowed"),
    ({"strength": math.nan}, "strength is nan"),
    ({"word_weight": -1}, "the weight of words is -1"),
    ({"word_weight": "1"}, "the weight of words is '1'"),
    ({"seed": -1}, "seed is -1"),
    ({"seed": 2**64}, "seed is 18446744073709551616"),
    ({"steps": 5000}, "steps is 5000"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_what_cannot_be_done_is_told(changes, message):
    with pytest.raises(ValueError, match=message):
        list(edit(replace(QUICK, **changes)))


def test_pictures_that_are_none_are_told(tmp_path):
    for name, content in (
        ("empty.png", b""),
        ("text.png", b"hello"),
        ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(50)),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=name[:3]):
            list(edit(replace(QUICK, picture=Picture(path=str(path)))))


def test_a_box_over_the_border_is_cut_and_one_without_a_name_is_named(run):
    nameless = BOX | {"phrase": "", "right": 1.2}
    recipe, notes = replace(QUICK, boxes=(nameless,)).read()
    assert "was cut at the picture's border" in notes[0]
    assert recipe.box.phrase == "pink"
    recipe, _ = replace(QUICK, words=(), boxes=nameless).read()
    assert recipe.box.phrase == QUICK.prompt


# The words


def test_chips_are_the_words_of_the_text():
    assert word_picker.words_of("A red cat, a blue-green car; don’t!") == (
        "A",
        "red",
        "cat",
        "blue",
        "green",
        "car",
        "don’t",
    )
    assert word_picker.words_of(" ${}, 🙂 ") == ()
    assert len(word_picker.words_of(" ".join(f"w{n}" for n in range(1000)))) == word_picker.MOST


def test_what_is_new_in_the_text_counts_until_a_visitor_says_otherwise():
    old, new = "a red cat on the grass", "a blue cat and a Dog on the grass"
    assert word_picker.chosen_words(new, old, {}) == ("blue", "Dog")
    assert word_picker.chosen_words(new, old, {"blue": False, "cat": True}) == ("cat", "Dog")
    assert word_picker.chosen_words(new, "", {}) == ()  # nothing to compare with
    assert word_picker.chosen_words(new, "", {"gone": True}) == ()
    taps = word_picker.as_tapped(new, ("dog",))
    assert word_picker.chosen_words(new, old, taps) == ("Dog",)


def test_chips_follow_the_text_and_keep_what_was_tapped():
    value = events.show_words("a blue cat", "a red cat", {"words": [], "taps": {"cat": True}})
    assert value["words"] == [
        {"text": "a", "on": False},
        {"text": "blue", "on": True},
        {"text": "cat", "on": True},
    ]
    assert events.show_words(None, None, None) == {"words": [], "taps": {}, "seen": 0}
    with pytest.raises(gr.Error, match="on or off"):
        events.show_words("a cat", "", {"taps": {"cat": "yes"}})


def test_words_that_are_typed_over_do_not_count(run):
    """The chips that the page still shows may be those of the text before."""
    stale = word_picker.picker_value("a blue tree", "a yellow tree", {"blue": True})
    wish = events.wish_of(*page(QUICK, picker=stale))
    assert wish.words == ("pink",)


def test_an_answer_to_what_is_typed_says_which_taps_are_in_it():
    """The page keeps later ones; of an example or a link, which say nothing, it takes all."""
    held = word_picker.picker_value("a cat", "", {"cat": True}, seen=3)
    assert events.show_words("a cat", "", held)["seen"] == 3
    for strange in ({"taps": {}}, {"seen": None}, {"seen": "3"}, {"seen": True}):
        assert events.show_words("a cat", "", strange)["seen"] == 0
    assert "seen" not in events.show_example("Recolour")["picker"]


def test_lambda_is_the_librarys():
    assert EDITS["diffusion"].objective.weight == LAMBDA


# The handler


def test_the_handler_streams_what_the_page_shows(run):
    answers = list(events.edit(*page(QUICK)))
    found, value, status, code, query = answers[-1]
    assert found.finished
    assert np.array_equal(found.last.image, run.last.image)
    assert value["state"] == "finished"
    assert answers[0][2] == ""  # what was said before is no longer true
    assert status.endswith("by Toyland diffusion (built in), guided by toy-vit.")
    assert "find_edit(generator, 'diffusion')" in code
    assert dict(parse_qsl(query[1:]))["generator"] == "toy-sd"


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": None},
        {"picker": {"taps": [1]}},
        {"picker": "pink"},
        {"canvas": "boxes"},
        {"canvas": {"boxes": "many"}},
        {"canvas": {"boxes": [[0, 0, 1, 1]]}},
        {"generator": None},
        {"way": 5},
        {"strength": "all"},
        {"word_weight": [1]},
        {"seed": 1.5},
        {"seed": math.nan},
        {"steps": "7"},
        {"picture": Picture()},
    ],
)
def test_whatever_a_browser_sends_is_told_and_not_a_crash(changes):
    with pytest.raises(gr.Error) as told:
        list(events.edit(*page(QUICK, **changes)))
    assert "allowed" in told.value.message or "yet" in told.value.message


def test_empty_numbers_are_the_usual_ones(run):
    changes = {"strength": None, "word_weight": None, "seed": None, "steps": 3.0, "way": None}
    *_, last = events.edit(*page(QUICK, **changes))
    assert np.array_equal(last[0].last.image, run.last.image)


def test_hostile_texts_are_texts():
    wish = replace(LATENTS, prompt=HOSTILE, words=("window", "hurt"), caption=HOSTILE, steps=1, compare=False)
    *_, found = edit(wish)
    value = drawn(found)
    assert value["prompt"] == found.recipe.prompt
    assert "hurt" in [word["text"] for word in value["words"] if word["counts"]]


def test_stop_keeps_what_is_there(runs):
    value, said = events.stopped(runs[2])
    assert value["state"] == "stopped"
    assert said == "Stopped."
    assert value["status"].startswith("At step 1 of")
    for nothing_to_keep in (None, replace(runs[0], before=None), runs[-1]):
        assert events.stopped(nothing_to_keep) == (gr.skip(), "Stopped.")


def test_stop_before_the_first_step_ends_the_waiting(runs):
    assert not runs[0].steps
    value, said = events.stopped(runs[0])
    assert (value["state"], value["after"], said) == ("stopped", None, "Stopped.")
    assert value["before"]


def test_another_picture_brings_its_own_words(tmp_path):
    shown = events.show_picture(new_scene_picture())
    opened, caption, prompt, suggested = (shown[key] for key in ("image", "caption", "prompt", "suggested"))
    chips, canvas = shown["picker"], shown["canvas"]
    assert caption == prompt == suggested != ""
    assert not any(word["on"] for word in chips["words"])
    assert canvas["most"] == 1
    assert canvas["background"].startswith("data:image/jpeg")
    path = tmp_path / "mine.png"
    opened.save(path)
    given, said, fresh, status = events.take_picture(str(path), caption, suggested)
    assert status == ""
    assert (said, fresh) == ("", "")  # it shows something else than the scene
    assert events.take_picture(str(path), "my cat", suggested)[1] == "my cat"
    assert events.show_canvas(given)["aspect"] == 1
    with pytest.raises(gr.Error, match="no picture yet"):
        events.show_canvas(Picture())


def test_the_canvas_gets_its_picture_when_the_tab_is_opened():
    canvas = events.show_background(canvas_value((BOX,), most=1), FIRST.picture)
    assert canvas == events.canvas_on(FIRST.picture, (BOX,))
    assert canvas["background"]
    assert events.show_background(None, FIRST.picture) == gr.skip()  # it has one


def test_the_picture_made_under_generate_can_be_edited():
    boxes = ({"phrase": "red cat", "left": 0.1, "top": 0.1, "right": 0.9, "bottom": 0.9},)
    *steps, made = make(Wish("a red cat", boxes, "toy-vqgan", steps=1))
    taken = events.take_made(made)
    picture, opened = taken["picture"], taken["image"]
    assert taken["caption"] == taken["prompt"] == "a red cat"
    assert np.array_equal(opened, made.last.image)
    *_, found = edit(replace(LATENTS, picture=picture, prompt="a blue cat", words=(), steps=1))
    assert np.array_equal(found.before.image, made.last.image)
    for unfinished in (None, steps[0]):
        with pytest.raises(gr.Error, match="picture under Generate first"):
            events.take_made(unfinished)


def test_ways_are_those_of_the_generator():
    _, note, run_cache, strength = events.show_generators("toy-vqgan", "diffusion")
    assert [name for _, name in run_cache["choices"]] == ["latents"]
    assert run_cache["value"] == "latents"
    assert strength["visible"] is False
    assert "As in the paper" in note
    _, _, run_cache, strength = events.show_generators("toy-sd", "diffusion")
    assert [name for _, name in run_cache["choices"]] == ["diffusion", "latents"]
    assert strength["visible"] is True
    assert events.show_generators("no such", "")[1] == ""


# What is shown


def test_what_the_page_is_shown(runs):
    for number, run in enumerate(runs):
        value = drawn(run)
        assert json.loads(json.dumps(value)) == value
        assert value["state"] == ("finished" if number == len(runs) - 1 else "running")
        assert bool(value["after"]) == (number > 0)
        assert bool(value["without"]) == (number >= len(runs) - 2)
    assert (value["width"], value["height"]) == (64, 64)
    assert value["after"]["src"].startswith("data:image/png;base64,")
    assert value["place"].startswith("data:image/png;base64,")
    for name in ("before", "after", "without"):
        assert sum(word[name] for word in value["words"]) == pytest.approx(1, abs=2e-3)
    assert [word["text"] for word in value["words"] if word["counts"]] == ["pink"]
    assert any("resized from 768 x 768 to 64 x 64" in note for note in value["notes"])


def test_the_page_opens_with_a_finished_edit():
    """One of the wish that stands beside it."""
    value = examples.stored()
    assert value["state"] == "finished"
    assert value["prompt"] == FIRST.prompt
    assert value["caption"] == FIRST.caption
    assert [word["text"] for word in value["words"] if word["counts"]] == list(FIRST.words)
    assert len({value[name]["src"] for name in ("before", "after", "without")}) == 3
    assert examples.STORED.stat().st_size < 150_000


def test_examples_are_wishes_that_can_be_read():
    for name, wish in EXAMPLES.items():
        recipe, notes = wish.read()
        assert not notes, name
        assert set(recipe.words) <= set(word_picker.words_of(wish.prompt))
        shown = events.show_example(name)
        assert shown["prompt"] == wish.prompt
        chips = shown["picker"]["words"]
        assert [word["text"] for word in chips if word["on"]] == list(wish.words)


# Links, files, Python


def test_links_bring_back_what_was_asked():
    wish = replace(QUICK, prompt="${a} <b> & 船", words=("b", "船"), seed=5, word_weight=0.5, strength=0.4)
    query = share.write_query(wish)
    found, problem = share.read_query(dict(parse_qsl(query[1:], keep_blank_values=True)), FIRST)
    assert problem is None
    assert replace(found, compare=wish.compare) == wish
    plain, _ = share.read_query({"tab": "edit"}, FIRST)
    assert plain == FIRST
    scene, _ = share.read_query({"seed": "3"}, FIRST)
    assert scene.picture == scene_picture(3)
    assert scene.prompt == scene.caption != FIRST.caption


@pytest.mark.parametrize(
    "query",
    [
        {"draw": "many"},
        {"draw": "9" * 30},
        {"steps": "9" * 30},
        {"strength": "strong"},
        {"strength": "nan"},
        {"word_weight": "-inf"},
        {"boxes": "[[["},
        {"boxes": "[" * 5000},
        {"boxes": '[["red cat", 0.1]]'},
        {"words": "5"},
        {"words": "[1]"},
        {"words": '["\\ud83d"]'},
        {"words": "x" * 100_000},
    ],
)
def test_a_link_that_cannot_be_read_opens_the_usual_page(query):
    wish, problem = share.read_query(query, FIRST)
    assert wish == FIRST
    assert "link" in problem


def test_files_hold_the_edit(run, tmp_path):
    for save in share.SAVERS.values():
        save(run, tmp_path)
    picture, record = tmp_path / "tokenlight-edit.png", tmp_path / "tokenlight-edit.json"
    assert np.array_equal(Image.open(picture), run.last.image)
    assert read_record(picture) == read_record(record)
    found = read_record(record)
    assert found["settings"]["sampling"]["steps"] == 3
    assert found["words"] == {"pink": 1.0}
    assert found["scene"]["seed"] == FIRST.picture.scene.seed
    for name in ("before", "final", "compared"):
        assert [word["word"] for word in found[name]["words"]] == QUICK.prompt.split()
    with Image.open(tmp_path / "tokenlight-edit.gif") as animation:
        assert animation.n_frames > 1
    with pytest.raises(gr.Error, match="nothing to save yet"):
        list(events.save_as("Picture, PNG", None))


def test_the_python_that_is_shown_makes_the_same_picture(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(share.as_python(run), "shown", "exec"), {})
    assert np.array_equal(Image.open("edited.png"), run.last.image)
    share.save_record(run, tmp_path)
    run.picture.open().save("scene.png")
    assert cli.main(["edit", "scene.png", "--from", "tokenlight-edit.json", "-o", "again.png"]) == 0
    assert np.array_equal(Image.open("again.png"), run.last.image)
    run.before.image.save("your-picture.png")
    *_, own = edit(replace(LATENTS, picture=Picture(path="your-picture.png"), steps=1, compare=False))
    exec(compile(share.as_python(own), "shown", "exec"), {})
    assert np.array_equal(Image.open("edited.png"), own.last.image)


# Programs, memory, a lent GPU


def test_programs_are_sent_the_picture_and_its_record(run, tmp_path):
    path = tmp_path / "scene.png"
    QUICK.picture.open().save(path)
    given = (QUICK.prompt, ["pink"], QUICK.caption, BOX, "toy-sd", "", 1.0, QUICK.word_weight, 0, 3)
    *_, (picture, record) = api.edit(str(path), *given)
    better = max(run.last, run.without, key=lambda step: step.reading.similarity)
    assert np.array_equal(picture, better.image)
    assert record["box"]["phrase"] == "pink tree"
    assert "compared" not in record
    with pytest.raises(gr.Error, match="no picture yet"):
        list(api.edit(None, *given))


def test_out_of_memory_says_what_would_fit(monkeypatch):
    import torch

    from guidance.objectives.words import TextObjective

    def fails(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TextObjective, "__call__", fails)
    with pytest.raises(ValueError, match=r"did not fit in memory\. What needs less"):
        list(edit(QUICK))
    monkeypatch.undo()
    assert list(edit(replace(QUICK, steps=1, compare=False)))[-1].finished


def test_a_lent_gpu_is_asked_for_long_enough():
    recipe, _ = QUICK.read()
    long, _ = replace(QUICK, steps=100).read()
    opened = QUICK.picture.open()
    assert (
        20
        < generator_jobs._edit_seconds(recipe, opened, False)
        < generator_jobs._edit_seconds(long, opened, True)
    )
    assert generator_jobs._edit_seconds(replace(QUICK, steps=1000).read()[0], opened, True) == 180
