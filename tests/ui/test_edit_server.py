"""Edits from the running server, asked for by programs: /edit, its stream, and bad input."""

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.pictures import same_picture
from ui.shared.pictures import Picture
from ui.tabs.edit.examples import EXAMPLES
from ui.tabs.edit.run import EditWish, edit

RECOLOUR = EXAMPLES["Recolour"]
BOX = {"phrase": "pink tree", "left": 0.1, "top": 0.4, "right": 0.6, "bottom": 1.0}
ASKED = {
    "prompt": RECOLOUR.prompt,
    "words": ["pink"],
    "caption": RECOLOUR.caption,
    "box": None,
    "generator": "toy-vqgan",
    "way": "",
    "strength": 1,
    "word_weight": 1,
    "seed": 3,
    "steps": 2,
}
HOSTILE = "${alert(1)} <img src=x onerror=alert(1)> {{ }} <script>"


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("given") / "scene.png"
    RECOLOUR.picture.open().save(path)
    return path


def ask(client, path, **changes):
    image = None if path is None else handle_file(str(path))
    return client.predict(image=image, **(ASKED | changes), api_name="/edit")


def test_an_edit_equals_the_library(client, scene):
    changes = {"generator": "toy-sd", "box": BOX, "words": {"pink": 1.0}}
    path, record = ask(client, scene, **changes)
    wish = EditWish(
        Picture(path=str(scene)),
        RECOLOUR.prompt,
        ("pink",),
        RECOLOUR.caption,
        (BOX,),
        "toy-sd",
        word_weight=ASKED["word_weight"],
        seed=3,
        steps=2,
        compare=False,
    )
    *_, run = edit(wish)
    with Image.open(path) as picture:
        assert same_picture(picture, run.last.image)
    assert record["seed"] == 3
    assert record["box"] == BOX
    assert record["words"] == {"pink": 1.0}
    assert [word["word"] for word in record["before"]["words"]] == RECOLOUR.prompt.split()
    assert len(record["losses"]) == len(run.steps) - 1


def test_steps_are_streamed_and_a_program_may_leave(client, scene):
    job = client.submit(image=handle_file(str(scene)), **(ASKED | {"steps": 1000}), api_name="/edit")
    for _, record in job:
        assert "final" in record
        break
    job.cancel()
    assert ask(client, scene)[1]["seed"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": ""}, "not said yet what the picture should show"),
        ({"prompt": "x" * 200_000}, "the prompt has"),
        ({"words": ["cat"]}, "the word 'cat' is not in the prompt"),
        ({"words": "cat"}, "the words"),
        ({"words": {"pink": 7}}, "the weight of 'pink' is 7"),
        ({"words": [["pink"]]}, "the words that count cannot be read"),
        ({"box": BOX | {"left": 40, "right": 200}}, "looks like pixels"),
        ({"box": BOX | {"left": 1.2, "right": 1.5}}, "outside the picture"),
        ({"box": BOX | {"left": "nan"}}, "left is 'nan'"),
        ({"box": BOX | {"colour": "red"}}, "'colour' is unknown"),
        ({"box": [BOX, BOX]}, "there are 2 boxes; allowed: one"),
        ({"generator": "../toy-sd"}, "unknown generator"),
        ({"way": "diffusion"}, "allowed: latents"),
        ({"strength": 7}, "strength is 7"),
        ({"word_weight": -1}, "the weight of words is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 10**30}, "seed is"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"steps": 10**6}, "steps is 1000000"),
        ({"words": [HOSTILE]}, "is not in the prompt"),
    ],
)
def test_bad_wishes_are_told(client, scene, changes, message):
    with pytest.raises(AppError, match=f"(?i){message}"):
        ask(client, scene, **changes)


def test_pictures_that_are_none_are_told_and_the_server_goes_on(client, scene, tmp_path):
    with pytest.raises(AppError, match="no picture yet"):
        ask(client, None)
    cut = tmp_path / "cut.png"
    cut.write_bytes(scene.read_bytes()[:2000])
    with pytest.raises(AppError, match="cut"):
        ask(client, cut)
    assert ask(client, scene)[1]["seed"] == 3


def test_hostile_words_come_back_as_words(client, scene):
    _, record = ask(client, scene, prompt=HOSTILE, words=["img"], caption=HOSTILE)
    assert record["caption"] == HOSTILE
    assert "img" in [word["word"] for word in record["final"]["words"]]


def test_the_endpoint_is_described(client):
    found = client.view_api(return_format="dict")["named_endpoints"]["/edit"]
    names = [parameter["parameter_name"] for parameter in found["parameters"]]
    assert names == ["image", *ASKED]
