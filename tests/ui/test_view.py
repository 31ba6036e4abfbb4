"""What a visitor looks at: asking, words alone, reversal and colours without the model, links, files."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
from gradio.state_holder import StateHolder
from PIL import Image

import toyland
from explain import METHODS, metrics
from toyland.world.vocabulary import PLACE_NOUNS
from ui import page
from ui.components import choices
from ui.components.base import DrawnHTML
from ui.events.requests import Turn
from ui.models import clip_jobs
from ui.shared import inputs, links, pictures, text
from ui.shared import text as wording
from ui.shared.drawing import COLORMAPS, Look, contrast_points, drawn_map, scale
from ui.shared.photographs import FIRST, PHOTOGRAPHS, credits_line
from ui.shared.pictures import new_scene_picture
from ui.tabs.compare import share as compare_export
from ui.tabs.edit import share as edit_export
from ui.tabs.explain import drawing, share, view
from ui.tabs.explain import handlers as events
from ui.tabs.explain import share as export
from ui.tabs.generate import share as generate_export
from ui.tabs.lesson import share as lesson_export
from ui.tabs.words import share as words_export
from ui.tabs.words_many import share as many_export


@pytest.fixture(scope="module")
def seen():
    """A drawn scene, its suggested prompts, and two methods."""
    picture = pictures.scene_picture(links.FIRST_SEED)
    prompts = inputs.parse_prompts(pictures.suggested_prompts(picture))
    return view.look(picture, prompts, "toy-vit", ("itsm", "relevance"))


@pytest.fixture
def no_model(monkeypatch):
    """From here on, asking a model is an error."""

    def refuse(*arguments):
        raise AssertionError("a model was asked")

    monkeypatch.setattr(clip_jobs, "explain_picture", refuse)


def test_prompts_are_lines():
    assert inputs.parse_prompts(" a cat \n\n a dog\r\na cat\n") == ("a cat", "a dog")


@pytest.mark.parametrize("text", ["", "  \n\t\n", None])
def test_no_prompt_is_told(text):
    with pytest.raises(ValueError, match="one per line"):
        inputs.parse_prompts(text)


def test_too_many_prompts_are_told():
    with pytest.raises(ValueError, match="200 prompts are too many: at most 12"):
        inputs.parse_prompts("\n".join(f"prompt {n}" for n in range(200)))


def test_too_much_text_is_told():
    with pytest.raises(ValueError, match="characters are too many"):
        inputs.parse_prompts("word " * 50_000)


def test_a_view_has_one_map_per_prompt_and_method(seen):
    assert seen.methods == ("itsm", "relevance")
    for method in seen.methods:
        assert [e.prompt for e in seen.explanations[method]] == list(seen.prompts)
    assert sum(e.probability for e in seen.explanations["itsm"]) == pytest.approx(1)


def test_suggested_prompts_are_all_found_in_the_scene(seen):
    scene = seen.picture.scene
    for prompt in seen.prompts:
        assert toyland.match_things(scene, prompt) or toyland.match_place(scene, prompt)


def test_cards_show_everything_and_run_no_model(seen, no_model):
    for look in (Look(), Look(0.0, "cividis"), Look(1.0, "gray", turned=True)):
        shown = drawing.cards(seen, look)
        assert [card["prompt"] for card in shown["cards"]] == list(seen.prompts)
        for card in shown["cards"]:
            assert [m["term"] for m in card["maps"]] == [METHODS[name].label for name in seen.methods]
            assert all(m["src"].startswith("data:image/jpeg;base64,") for m in card["maps"])
            assert all(m["caption"] and m["contrast"] for m in card["maps"])
    json.dumps(shown)  # plain data


def test_cards_files_and_links_show_what_the_model_read(tmp_path):
    typed = ("a\u202ecat\u2069", "word " * 10_000)
    read = view.look(pictures.scene_picture(1), typed, "toy-vit", ("itsm",))
    assert read.prompts[0] == "acat"
    assert len(read.prompts[1]) <= 1000
    assert [card["prompt"] for card in drawing.cards(read, Look())["cards"]] == list(read.prompts)
    assert [p["prompt"] for p in export.as_json(read)["prompts"]] == list(read.prompts)
    assert "%E2%80%AE" not in share.write_query(read)
    assert "\u202e" not in export.as_python(read)


def test_only_the_first_map_is_turned(seen, no_model):
    upright, turned = (drawing.cards(seen, Look(turned=t))["cards"][0]["maps"] for t in (False, True))
    assert upright[0]["src"] != turned[0]["src"]
    assert upright[1] == turned[1]
    assert turned[0]["title"].startswith("Reversed")


def test_turning_twice_gives_the_map_again_and_turns_its_contrast(seen):
    values = seen.explanations["itsm"][0].heatmap
    explanation = replace(seen.explanations["itsm"][0], heatmap=drawn_map(seen.explanations["itsm"][0], True))
    assert np.allclose(drawn_map(explanation, True), values, atol=1e-6)
    mask = view.subject(seen, 0).mask
    assert contrast_points(explanation.heatmap, mask) == pytest.approx(
        -contrast_points(values, mask), abs=1e-3
    )


@pytest.mark.parametrize("look", [{"opacity": 1.5}, {"opacity": float("nan")}, {"colormap": "jet"}])
def test_looks_are_checked(look):
    with pytest.raises(ValueError, match=r"opacity|colour map"):
        Look(**look)


def test_every_colour_map_can_be_drawn():
    assert all(len(scale(name)) == 9 for name in COLORMAPS)


def test_a_word_alone_is_a_prompt_of_its_own(seen):
    word = seen.words(0)[-1][0]
    alone = view.select_word(seen, 0, word)
    direct = view.look(seen.picture, [word], "toy-vit", seen.methods)
    for method in seen.methods:
        assert np.array_equal(
            alone.shown_explanation(0, method).heatmap, direct.explanations[method][0].heatmap
        )
    assert alone.shown_explanation(1, "itsm") is seen.explanations["itsm"][1]
    assert view.select_word(alone, 0, word).selected == {}
    assert seen.selected == {}  # the view of before is as it was


def test_a_word_that_is_not_there_is_told(seen):
    for card, word in ((0, "zebra"), (99, "a"), (-1, "a")):
        with pytest.raises(ValueError, match="not on the page"):
            view.select_word(seen, card, word)


def test_a_scene_is_drawn_once_and_nobody_paints_on_anothers(monkeypatch):
    picture = pictures.scene_picture(4321)
    first = picture.open()
    monkeypatch.setattr(toyland, "draw_scene", None)
    again = pictures.scene_picture(4321).open()
    assert again == first
    again.paste((0, 0, 0), (0, 0, *again.size))
    assert picture.open() == first


def test_subjects_are_things_places_or_unknown(seen):
    scene = seen.picture.scene
    asked = replace(seen, prompts=(scene.things[0].phrase, PLACE_NOUNS[scene.place][0], "a zebra"))
    thing, place, nobody = (view.subject(asked, card) for card in range(3))
    masks = toyland.scene_masks(scene, seen.shown.width)
    assert np.array_equal(
        thing.mask, masks[list(toyland.match_things(scene, scene.things[0].phrase))].any(axis=0)
    )
    assert np.array_equal(place.mask, ~masks.any(axis=0))
    assert nobody is None


def test_pictures_are_shown_small_and_never_vanish():
    assert pictures.shrink(Image.new("RGB", (4000, 3000))).size == (1280, 960)
    assert pictures.shrink(Image.new("RGB", (1, 5000))).size == (1, 1280)
    assert pictures.shrink(Image.new("RGB", (1, 1))).size == (1, 1)


def test_a_link_reopens_the_view(seen):
    query = dict(parse_qsl(share.write_query(seen)[1:]))
    question, problem = links.read_query(query, "toy-rn")
    assert problem is None
    assert question.picture == seen.picture
    assert inputs.parse_prompts(question.text) == seen.prompts
    assert (question.model, question.method, question.beside) == ("toy-vit", "itsm", "relevance")


@pytest.mark.parametrize(
    "query", [{"seed": "x"}, {"seed": "-3"}, {"seed": "9" * 30}, {"seed": "1", "split": "../etc"}]
)
def test_a_link_to_no_scene_opens_another_and_says_so(query):
    question, problem = links.read_query(query, "toy-vit")
    assert "does not exist" in problem
    assert question.picture == pictures.scene_picture(links.FIRST_SEED)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_of_ours_is_opened_by_its_link(name):
    """And it says who took it, what it shows to those who cannot see it, and asks words that its model knows."""
    picture, shown = pictures.photograph(name), PHOTOGRAPHS[name]
    assert max(picture.open().size) <= 640
    question, problem = links.read_query(picture.in_link, "automatic")
    assert (question.picture, problem) == (picture, None)
    assert question.text.splitlines() == list(shown.prompts)
    assert f"{name} by {shown.author} ({shown.licence})" in credits_line()
    assert shown.author in Path("assets/README.md").read_text(encoding="utf-8")
    words = set(Path("assets/models/photo/words.txt").read_text(encoding="utf-8").split())
    assert {word for text in (*shown.prompts, *shown.labels) for word in text.split()} <= words


def test_a_link_to_no_photograph_opens_another_and_says_so():
    question, problem = links.read_query({"photo": "../secret"}, "automatic")
    assert "not here" in problem
    assert question.picture == pictures.photograph(FIRST.name)


def test_every_file_can_be_saved(seen, tmp_path, no_model):
    for saver in export.SAVERS.values():
        assert saver(seen, Look(turned=True), tmp_path).stat().st_size > 500
    path = export.save_overlay(seen, Look(), 0, "itsm", tmp_path)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", seen.picture.open().size)
    with np.load(export.save_npz(seen, Look(), tmp_path)) as maps:
        assert np.array_equal(maps["relevance"][1], seen.explanations["relevance"][1].heatmap)
    numbers = json.loads(export.save_json(seen, Look(), tmp_path).read_text(encoding="utf-8"))
    assert numbers["prompts"][0]["maps"]["itsm"]["msc"] == pytest.approx(
        contrast_points(seen.explanations["itsm"][0].heatmap, view.subject(seen, 0).mask)
    )


def test_file_names_are_plain():
    assert export._file_name("../../<script>") == "script"
    assert export._file_name("猫") == "prompt"


def test_the_python_gives_the_same_answer(seen, capsys):
    exec(compile(export.as_python(seen), "snippet", "exec"), {})
    printed = capsys.readouterr().out
    assert f"{seen.prompts[0]} {round(seen.explanations['itsm'][0].score, 3)}" in printed


def test_python_texts_are_literals(seen):
    trick = "'] + __import__('os').listdir('/') + ['"
    code = export.as_python(replace(seen, prompts=(trick,)))
    assert repr([trick]) in code


def test_typed_prompts_stay_when_the_scene_changes():
    _, _, prompts, suggested = events.show_picture(new_scene_picture(), "my own words", "a cat")
    assert prompts == "my own words"
    _, _, prompts, suggested = events.show_picture(new_scene_picture(), "a cat", "a cat")
    assert prompts == suggested != "a cat"


def test_handlers_tell_what_is_wrong():
    drawn = (0.6, "viridis", False)
    with pytest.raises(gr.Error, match="one per line"):
        events.explain(pictures.scene_picture(1), "", "toy-vit", "itsm", "none")
    with pytest.raises(gr.Error, match="There is no picture yet"):
        events.explain(pictures.Picture(), "a cat", "toy-vit", "itsm", "none")
    with pytest.raises(gr.Error, match="Unknown model"):
        events.explain(pictures.scene_picture(1), "a cat", "../../etc", "itsm", "none")
    with pytest.raises(gr.Error, match="Unknown method"):
        events.explain(pictures.scene_picture(1), "a cat", "toy-vit", "nothing", "none")
    with pytest.raises(gr.Error, match="nothing to show yet"):
        events.redraw(None, *drawn)


def test_a_model_that_is_a_folder_on_the_server_is_refused(tmp_path):
    with pytest.raises(gr.Error, match="Unknown model"):
        events.explain(pictures.scene_picture(1), "a cat", str(tmp_path), "itsm", "none")


def test_saved_files_are_removed_after_they_are_handed_over(seen):
    files = events.save_as("Numbers, JSON", seen, 0.6, "viridis", False)
    path = Path(next(files))
    assert json.loads(path.read_text(encoding="utf-8"))["model"] == "toy-vit"
    files.close()
    assert not path.parent.exists()


def test_a_model_nobody_knows_has_no_note_and_no_label():
    for ask in (choices.model_note, text.model_label, lambda name: choices.methods("Map", "itsm", name)):
        with pytest.raises(ValueError, match="unknown model 'typo'"):
            ask("typo")


def in_a_loop(make):
    """What `make` makes while an event loop runs; without one Gradio opens some, and leaves them open."""

    async def made():
        return make()

    with ThreadPoolExecutor(1) as pool:  # a thread, so that this one's loop stays what it is
        return pool.submit(asyncio.run, made()).result()


@pytest.fixture(scope="module")
def built():
    """The page, not served."""
    return in_a_loop(page.build_page)


@pytest.fixture(params=["Explain", "Compare", "Words", "Edit"])
def picture_state(built, request):
    """The state that holds the visitor's picture, on each tab that has one."""
    states = [
        b for b in built.blocks.values() if isinstance(b, gr.State) and isinstance(b.value, pictures.Picture)
    ]
    return dict(zip(["Explain", "Compare", "Words", "Edit"], states, strict=True))[request.param]


def test_a_picture_stays_as_long_as_the_page_is_open(built, picture_state):
    holder = StateHolder()
    holder.set_blocks(built)
    session = holder["a visitor"]
    session[picture_state._id] = pictures.Picture(path="mine.png")
    limit, _ = session._state_ttl[picture_state._id]
    session._state_ttl[picture_state._id] = (limit, datetime.now() - timedelta(days=3))
    holder.delete_all_expired_state()
    assert session[picture_state._id] == pictures.Picture(path="mine.png")


def test_a_picture_that_is_lost_is_no_other_picture(built, picture_state):
    holder = StateHolder()
    holder.set_blocks(built)
    with pytest.raises(gr.Error, match="There is no picture yet"):
        events.explain(holder["a stranger"][picture_state._id], "a cat", "toy-vit", "itsm", "none")


def test_lanes_are_shared_and_only_models_are_in_theirs(built):
    lanes: dict[str, set[str]] = {}
    limits: dict[str, set[object]] = {}
    for event in built.fns.values():
        lanes.setdefault(event.concurrency_id, set()).add(event.name)
        limits.setdefault(event.concurrency_id, set()).add(event.concurrency_limit)
    assert lanes["model"] == {
        "answering",
        "streaming",
        "choose_word",
        "warm",
        "explain",
        "words",
        "tune",
        "generate",
        "edit",
    }
    assert lanes["download"] == {"fetching"}
    assert lanes["redraw"] == {"redraw", "redraw_if_restyled", "show_words"}
    tabs = (export, compare_export, words_export, many_export, lesson_export, generate_export, edit_export)
    files = 1 + sum(len(tab.SAVERS) for tab in tabs)
    assert sum(event.concurrency_id == "save" for event in built.fns.values()) == files
    assert (limits["model"], limits["save"]) == ({1}, {2})


def test_models_are_asked_what_stood_on_the_page_at_the_press(built):
    """What they read when they are free at last may be of another picture than the rest."""
    asked = [event for event in built.fns.values() if event.name in ("answering", "streaming")]
    assert len(asked) > 30
    for event in asked:
        (turn,) = event.inputs
        assert isinstance(turn.value, Turn)
        assert built.fns[event.trigger_after].inputs[0] is turn
        assert event.trigger_mode == "multiple"


def test_pictures_that_nobody_sees_yet_do_not_make_the_page_heavy(built):
    heavy = {
        block.elem_id
        for block in built.blocks.values()
        if isinstance(block, DrawnHTML) and len(json.dumps(block.value)) > 50_000
    }
    assert heavy == {"cards", "run"}
    (cards,) = (block for block in built.blocks.values() if block.elem_id == "cards")
    assert cards.value["waiting"].startswith("data:image")  # seen at once


def test_the_page_asks_no_model_before_it_is_asked(built):
    """What opens with the page, or with a tab, must not stand in the queue for nothing: others would wait."""
    tabs = {block._id for block in built.blocks.values() if isinstance(block, gr.Tab)}
    jobs = built.fns.values()
    opening = {job._id for job in jobs for block, name in job.targets if name == "load" or block in tabs}
    while more := {job._id for job in jobs if job.trigger_after in opening} - opening:
        opening |= more
    begun = [built.fns[one].name for one in sorted(opening) if built.fns[one].concurrency_id == "model"]
    assert begun == ["answering", "warm", "warm"]  # the Explain tab's first question


def test_the_server_keeps_a_limited_number_of_visitors(monkeypatch):
    asked = {}
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **options: asked.update(options) or (None, "", ""))
    page.serve(in_a_loop(gr.Blocks), "", None)
    assert asked["state_session_capacity"] == page.SESSIONS < 1000
    assert asked["server_name"] is None


# --- boxes on a visitor's own picture ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_view(tmp_path_factory):
    """A view of a picture of the visitor's own, which shows scene 18 without saying so."""
    path = tmp_path_factory.mktemp("own") / "mine.png"
    toyland.draw_scene(toyland.sample_scene(18), 320).save(path)
    return view.look(pictures.Picture(path=str(path)), ("a blue boat", "a pink fish"), "toy-vit", ("itsm",))


def boxes_on(*boxes) -> dict:
    keys = ("phrase", "left", "top", "right", "bottom")
    return {"boxes": [dict(zip(keys, box, strict=True)) for box in boxes]}


def test_maps_are_measured_on_boxes_that_are_drawn(own_view):
    plain = events.redraw(own_view, 0.6, "viridis", False, None)
    assert all("caption" not in card["maps"][0] for card in plain["cards"])
    whole = boxes_on(("", 0.0, 0.0, 1.0, 0.5))
    drawn = events.redraw(own_view, 0.6, "viridis", False, whole)
    for card, explanations in zip(drawn["cards"], own_view.explanations["itsm"], strict=True):
        mask = np.zeros((320, 320), bool)
        mask[:160] = True
        share = metrics.share_inside(explanations.heatmap, mask)
        hit = metrics.pointing_hit(explanations.heatmap, mask)
        caption = card["maps"][0]["caption"]
        assert wording.percent(share) in caption
        assert "which is 50\xa0% of the picture" in caption
        assert f"pointing game: {'hit' if hit else 'miss'}" in caption


def test_a_box_that_is_named_counts_for_its_prompt(own_view):
    held = boxes_on(("Blue boat", 0.0, 0.0, 0.5, 0.5), ("", 0.5, 0.5, 1.0, 1.0), ("", 0.0, 0.5, 0.5, 1.0))
    drawn = events.redraw(own_view, 0.6, "viridis", False, held)
    boat, fish = (card["maps"][0]["caption"] for card in drawn["cards"])
    assert "in your box, which is 25\xa0%" in boat
    assert "in your boxes, which are 50\xa0%" in fish
    only = events.redraw(own_view, 0.6, "viridis", False, boxes_on(("blue boat", 0.0, 0.0, 0.5, 0.5)))
    assert "caption" not in only["cards"][1]["maps"][0]


def test_boxes_that_say_nothing_or_no_page_writes(own_view):
    full = events.redraw(own_view, 0.6, "viridis", False, boxes_on(("", 0.0, 0.0, 1.0, 1.0)))
    assert "caption" not in full["cards"][0]["maps"][0]
    for held in ("boxes", {"boxes": 5}, boxes_on(("", "0", 0, 1, 1)), boxes_on(*[("", 0, 0, 1, 1)] * 17)):
        with pytest.raises(gr.Error, match="allowed"):
            events.redraw(own_view, 0.6, "viridis", False, held)


def test_the_canvas_follows_the_picture(own_view):
    shown, canvas, boxed = events.show_where(own_view, None)
    assert shown["visible"]
    assert canvas["background"].startswith("data:image/jpeg")
    assert (canvas["aspect"], boxed) == (1.0, own_view.picture.path)
    assert events.show_where(own_view, boxed)[2] == boxed
    scene_view = replace(own_view, picture=pictures.scene_picture(18))
    hidden, empty, boxed = events.show_where(scene_view, boxed)
    assert (hidden["visible"], empty["boxes"], empty["background"], boxed) == (False, [], None, None)
