"""The model that answers when nobody names one: a drawn scene's, or the best one here for photographs."""

import matplotlib.cbook
import pytest

import explain
import toyland
from explain import automatic
from explain.__main__ import main
from explain.clip import weights
from tests.explain.test_loading import hub, lay_out  # noqa: F401

PHOTOGRAPH = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
SCENES = [(seed, size) for seed in range(6) for size in (64, 200, 768)]


@pytest.mark.parametrize(("seed", "size"), SCENES)
def test_a_scene_is_answered_by_the_model_of_scenes(seed, size):
    found = automatic.choose(toyland.draw_scene(toyland.sample_scene(seed, "test"), size), "cpu")
    assert found == automatic.Chosen("toy-vit", "this is a scene of Toyland")


def test_a_photograph_is_answered_by_the_model_for_photographs(hub):  # noqa: F811
    image = explain.read_image(PHOTOGRAPH)
    assert automatic.choose(image, "cpu") == automatic.Chosen("photo", "the built-in model for photographs")
    assert explain.load(device="cpu", image=image).name == "photo"
    assert explain.load(device="cpu").name == "photo"
    assert explain.load("toy-rn", device="cpu", image=image).name == "toy-rn"


def test_a_real_clip_answers_where_it_is_here(monkeypatch, hub):  # noqa: F811
    """The first of the catalogue whose files are all on this machine; nothing is downloaded for it."""
    here = explain.CATALOGUE["ViT-B-32-openai"]
    monkeypatch.setattr(weights, "cached", lambda repository, name: repository == here.repository or None)
    assert automatic.for_photographs() == automatic.Chosen(
        "ViT-B-32-openai", "the best model for photographs on this machine"
    )


def test_choosing_reads_a_picture_once():
    """The encoding by which a photograph is told is the one that then answers."""
    image = explain.read_image(PHOTOGRAPH)
    clip = explain.load("photo", device="cpu")
    clip.pictures.clear()
    calls = []
    handle = clip.model.visual.trunk.conv_stem.register_forward_hook(lambda *args: calls.append(1))
    try:
        automatic.choose(image, "cpu")
        explain.explain_image(clip, image, ["a woman", "a ship"])
    finally:
        handle.remove()
    assert len(calls) == 1


def test_the_command_says_who_answers(capsys, hub):  # noqa: F811
    assert main([str(PHOTOGRAPH), "a woman", "a zyzzyva", "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "photo answers: the built-in model for photographs. Another: --model NAME"
    assert "  note: never seen in training: 'zyzzyva'" in lines


def test_photo_supports_what_a_mean_pool_can_have():
    lacks = explain.lacking(explain.CATALOGUE["photo"])
    assert not {"itsm", "relevance", "gradcam", "gscorecam", "occlusion"} & set(lacks)
    assert "plain mean" in lacks["attention"]
    assert "plain mean" in lacks["gradeclip"]
    assert "patches do not look at each other" in lacks["maskclip"]
    assert "nothing to roll up" in lacks["rollout"]
