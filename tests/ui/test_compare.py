"""The Compare tab: what is asked, what is measured, how it is sorted and drawn, links and files."""

import csv
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import explain
import toyland
from explain import METHODS, metrics
from ui.models import clip_jobs
from ui.shared import pictures
from ui.shared.links import FIRST_PICTURE
from ui.shared.text import signed
from ui.tabs.compare import comparison, drawing, share, text
from ui.tabs.compare import handlers as events
from ui.tabs.compare.comparison import Asked, Style
from ui.tabs.compare.drawing import Tiles
from ui.tabs.explain import view

SLOW = {name for name, method in METHODS.items() if method.own_forwards}
SWITCHES = ("drawn", False, False, None)  # background, shuffled, random, mask


def scene_asked(**changes) -> Asked:
    picture = pictures.scene_picture(18)
    return Asked(picture, pictures.suggested_prompt(picture), "toy-vit", **changes)


def run(asked: Asked, slow: bool = False, previous=None) -> comparison.Comparison:
    return list(comparison.compare(asked, slow, previous))[-1]


@pytest.fixture(scope="module")
def found():
    return run(scene_asked())


@pytest.fixture
def no_model(monkeypatch):
    """From here on, asking a model is an error."""

    def refuse(*arguments):
        raise AssertionError("a model was asked")

    monkeypatch.setattr(clip_jobs, "compare", refuse)


def test_all_methods_answer_and_equal_the_library(found):
    clip = explain.load("toy-vit")
    supported = [name for name, m in METHODS.items() if m.supports(clip) is None and name not in SLOW]
    assert set(found.answers) == set(supported)
    assert found.finished
    image = found.asked.shown.open()
    for name, (expected,) in explain.explain_methods(clip, image, [found.asked.prompt], supported).items():
        np.testing.assert_allclose(found.answers[name].heatmap, expected.heatmap, atol=1e-5)
        measured = found.measured[name]
        assert measured.contrast == pytest.approx(
            100 * metrics.msc(expected.heatmap, found.truth.mask), abs=1e-2
        )
        assert measured.overlap == pytest.approx(
            100 * metrics.ious(expected.heatmap, found.truth.mask).max(), abs=1
        )


def test_methods_answer_one_by_one():
    steps = list(comparison.compare(scene_asked(), slow=True))
    counts = [len(step.answers) for step in steps]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(METHODS))  # the depth comes first
    assert [step.finished for step in steps] == [False] * (len(steps) - 1) + [True]
    assert list(steps[-1].answers)[-len(SLOW) :] == [name for name in METHODS if name in SLOW]


def test_a_picture_is_read_once_for_all_methods_and_the_depth():
    clip = explain.load("toy-vit")
    clip.pictures.clear()
    runs = []
    handle = clip.model.visual.conv1.register_forward_hook(lambda *_: runs.append(1))
    try:
        run(scene_asked())
    finally:
        handle.remove()
    assert len(runs) == 1


def test_the_depth_ends_with_the_similarity_map(found):
    assert len(found.depth) == 5
    np.testing.assert_allclose(found.depth[-1], found.answers["itsm"].heatmap, atol=1e-5)
    assert found.depth_contrasts[-1] == pytest.approx(found.measured["itsm"].contrast, abs=1e-2)


def test_what_a_model_lacks_is_said():
    found = run(replace(scene_asked(), model="toy-rn"))
    lacks = explain.lacking(explain.CATALOGUE["toy-rn"])
    assert dict(found.lacking) == lacks
    assert lacks
    shown = Tiles(Style()).value(found)
    assert [one["term"] for one in shown["lacking"]] == [
        METHODS[name].label for name in METHODS if name in lacks
    ]
    assert shown["depth"] is None  # a ResNet has one place to read


def test_random_weights_give_other_maps_and_keep_what_was_before(found):
    random = run(scene_asked(random=True), previous=found)
    assert random.before == found.measured
    assert random.answers["itsm"].score != found.answers["itsm"].score
    assert not np.allclose(random.answers["itsm"].heatmap, found.answers["itsm"].heatmap, atol=1e-3)
    again = run(scene_asked(random=True, shuffled=True), previous=random)
    assert again.before == found.measured  # of the plain question, however many experiments later
    other = run(replace(scene_asked(random=True), prompt="a boat"), previous=random)
    assert other.before == {}
    tile = Tiles(Style()).value(random)["tiles"][0]
    assert tile["before"] == signed(found.measured[tile["name"]].contrast)


@pytest.mark.parametrize(("background", "usual"), [("usual", True), ("unusual", False)])
def test_the_background_changes_and_nothing_else(background, usual):
    asked = scene_asked(background=background)
    scene, other = asked.picture.scene, asked.shown.scene
    assert other.things == scene.things
    (about, *_) = toyland.match_things(scene, asked.prompt)
    from toyland.world.scene import USUAL_PLACES

    assert (other.place in USUAL_PLACES[scene.things[about].kind]) is usual


def test_words_are_shuffled_the_same_way_every_time():
    mixed = comparison.shuffle("a red cat on the grass")
    assert mixed == comparison.shuffle("a red cat on the grass") != "a red cat on the grass"
    assert sorted(mixed.split()) == sorted(["a", "red", "cat", "on", "the", "grass"])
    assert comparison.shuffle("cat") == "cat"
    assert comparison.shuffle("cat cat") == "cat cat"
    assert run(scene_asked(shuffled=True)).first.prompt == comparison.shuffle("a pink fish")


@pytest.mark.parametrize("order", comparison.ORDERS)
def test_tiles_are_sorted(found, order):
    names = drawing.order(found, order)
    assert sorted(names) == sorted(found.answers)
    if order == "kind":
        assert names == [name for name in METHODS if name in found.answers]
    elif order == "seconds":
        assert [found.seconds[n] for n in names] == sorted(found.seconds.values())
    else:
        values = [getattr(found.measured[n], order) for n in names]
        assert values == sorted(values, reverse=True)
        unknown = replace(found, truth=None, measured={})
        assert drawing.order(unknown, order) == drawing.order(found, "kind")


def test_tiles_show_everything_and_run_no_model(found, no_model):
    for style in (Style(), Style(0.0, "cividis", "seconds"), Style(1.0, "gray", "kind")):
        shown = Tiles(style).value(found)
        assert [tile["name"] for tile in shown["tiles"]] == list(found.answers)
        for tile in shown["tiles"]:
            method = METHODS[tile["name"]]
            assert tile["paper"] == method.paper
            assert method.sentence in tile["sentence"]
            assert tile["src"].startswith("data:image/jpeg;base64,")
            assert tile["contrast"] == signed(found.measured[tile["name"]].contrast)
        assert len(shown["depth"]["frames"]) == 5


@pytest.mark.parametrize(
    "style", [(2.0, "viridis", "contrast"), (0.5, "jet", "contrast"), (0.5, "viridis", "luck")]
)
def test_styles_are_checked(style):
    with pytest.raises(ValueError, match=r"opacity|colour map|order"):
        Style(*style)


def test_masks_are_read_at_the_pictures_shape(tmp_path):
    mask = np.zeros((60, 90), dtype=np.uint8)
    mask[10:30, 20:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    read = comparison.read_mask(str(tmp_path / "mask.png"), (900, 600))
    assert read.shape == (256, 384)
    assert read.mean() == pytest.approx((20 * 30) / (60 * 90), abs=0.01)


@pytest.mark.parametrize(
    ("values", "size", "message"),
    [
        (np.zeros((60, 90)), (900, 600), "all black"),
        (np.full((60, 90), 255), (900, 600), "all white"),
        (np.zeros((90, 60)), (900, 600), "must have the picture's proportions"),
    ],
)
def test_masks_that_say_nothing_are_told(tmp_path, values, size, message):
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=message):
        comparison.read_mask(str(tmp_path / "mask.png"), size)


def test_an_uploaded_picture_is_measured_with_its_mask(tmp_path, found):
    scene = found.asked.picture.scene
    toyland.draw_scene(scene, 500).save(tmp_path / "mine.png")
    (about,) = toyland.match_things(scene, found.asked.prompt)
    Image.fromarray(255 * toyland.scene_masks(scene, 250)[about].astype(np.uint8)).save(tmp_path / "mask.png")
    asked = Asked(pictures.Picture(path=str(tmp_path / "mine.png")), found.asked.prompt, "toy-vit")
    blind = run(asked)
    assert blind.measured == {}
    assert not Tiles(Style()).value(blind)["ranked"]
    assert any("upload one" in remark for remark in text.remarks(blind))
    measured = run(replace(asked, mask=str(tmp_path / "mask.png"))).measured
    for name, truth in found.measured.items():
        assert measured[name].contrast == pytest.approx(truth.contrast, abs=4), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((pictures.Picture(), "a cat", "toy-vit", *SWITCHES), "no picture yet"),
        ((pictures.scene_picture(1), "", "toy-vit", *SWITCHES), "no prompt yet"),
        ((pictures.scene_picture(1), "a\nb", "toy-vit", *SWITCHES), "one prompt at a time"),
        ((pictures.scene_picture(1), "a cat", "nothing", *SWITCHES), "nothing"),
        ((pictures.scene_picture(1), "a cat", "toy-vit", "mars", False, False, None), "Unknown background"),
        ((pictures.Picture(path="x.png"), "a cat", "toy-vit", *SWITCHES), "x.png|cannot"),
    ],
)
def test_bad_questions_are_told(arguments, message):
    with pytest.raises(gr.Error, match=message):
        list(events.compare(*arguments, False, 0.6, "viridis", "contrast", None))


def test_the_page_follows_the_answer():
    picture = pictures.scene_picture(18)
    question = (picture, "a pink fish", "toy-vit", *SWITCHES, False, 0.6, "viridis", "contrast")
    steps = list(events.compare(*question, None))
    last, tiles, status, code, query = steps[-1]
    assert last.finished
    assert len(tiles["tiles"]) == len(last.answers)
    assert status.startswith(f"{len(last.answers)} methods compared in")
    assert "explain.each_method" in code
    assert query.startswith("?tab=compare&seed=18")
    assert events.redraw_if_restyled(last, 0.6, "viridis", "contrast") == gr.skip()
    assert events.redraw_if_restyled(last, 0.6, "viridis", "kind")["order"] == drawing.order(last, "kind")
    assert events.stopped(last).startswith("Stopped.")


def test_the_other_tabs_question_is_taken_over_once(found):
    picture = found.asked.picture
    answered = view.look(picture, ["a pink fish", "a blue boat"], "toy-vit", ("itsm",))
    taken = events.adopt(answered, None, "toy-vit", "")
    assert taken["prompt"] == "a pink fish"
    adopted = taken["adopted"]
    assert adopted == (picture, "a pink fish", "toy-vit")
    assert events.adopt(answered, adopted, "toy-vit", "") == {}


def test_before_the_first_answer_the_tab_opens_with_the_first_picture_or_its_link():
    opened = events.adopt(None, None, "toy-rn", "?seed=3")
    assert opened["adopted"] == (FIRST_PICTURE, pictures.suggested_prompt(FIRST_PICTURE), "toy-rn")
    assert opened["tiles"]["waiting"].startswith("data:image")
    assert events.adopt(None, None, "toy-vit", "?tab=compare&seed=3") == {}  # the link is on its way
    assert events.adopt(None, opened["adopted"], "toy-rn", "") == {}


@pytest.mark.parametrize(
    "changes", [{}, {"shuffled": True}, {"random": True, "background": "usual"}, {"model": "toy-rn"}]
)
def test_a_link_reopens_the_comparison(changes):
    asked = replace(scene_asked(), **changes)
    query = dict(parse_qsl(share.write_query(asked, "seconds")[1:]))
    assert share.read_query(query, "toy-vit") == (asked, "seconds", None)


@pytest.mark.parametrize(("picture", "drawn"), [({"seed": "3"}, True), ({"photo": "officer"}, False)])
def test_a_link_offers_another_background_of_drawn_scenes_only(picture, drawn):
    opened = events.read_link("toy-vit", SimpleNamespace(query_params={"tab": "compare"} | picture))
    mask_box, background = opened["mask_box"], opened["background"]
    assert (mask_box["visible"], background["visible"]) == (not drawn, drawn)


@pytest.mark.parametrize("query", [{"background": "mars"}, {"sort": "luck"}, {"seed": "-1"}])
def test_a_link_to_nothing_opens_another_and_says_so(query):
    asked, order, problem = share.read_query(query, "toy-vit")
    assert problem
    assert (asked.background, order) == ("drawn", "contrast")


def test_every_file_can_be_saved(found, tmp_path, no_model):
    for save in share.SAVERS.values():
        path = save(found, Style(), tmp_path)
        assert path.stat().st_size > 500
    with open(tmp_path / "tokenlight-methods.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == drawing.order(found, "contrast")
    assert float(rows[0]["contrast"]) == pytest.approx(found.measured[rows[0]["method"]].contrast, abs=0.01)
    assert (tmp_path / "tokenlight-methods.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(gr.Error, match="nothing to save yet"):
        list(events.save_as("Table, CSV", None, 0.6, "viridis", "contrast"))


@pytest.mark.parametrize("changes", [{}, {"random": True, "shuffled": True, "background": "unusual"}])
def test_the_python_gives_the_same_maps(changes, capsys):
    asked = scene_asked(**changes)
    space: dict = {}
    exec(share.as_python(asked), space)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(METHODS)
    np.testing.assert_array_equal(np.asarray(space["image"]), np.asarray(asked.shown.open()))


def test_a_method_of_ones_own_has_a_tile(own_method):
    found = run(scene_asked())
    assert "plain_mean" in found.answers
    tiles = {tile["name"]: tile for tile in drawing.Tiles(Style()).value(found)["tiles"]}
    assert tiles["plain_mean"]["term"] == "Plain mean"
