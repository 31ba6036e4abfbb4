"""Pictures from the running server, asked for by programs: /generate, with bad input, and many visitors at once."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from guidance.catalogue import GENERATORS
from ui.generate_examples import FIRST
from ui.making import Wish, make

BOXES = [dict(box) for box in FIRST.boxes]
ASKED = {
    "prompt": FIRST.prompt,
    "boxes": BOXES,
    "generator": "toy-vqgan",
    "preset": "fast",
    "seed": 3,
    "weight": 1,
    "steps": 2,
}
CLIENTS = 10


@pytest.fixture(scope="module")
def client(address):
    return visitor(address)


def visitor(address) -> Client:
    return Client(address, verbose=False)


def ask(client, **changes):
    return client.predict(**(ASKED | changes), api_name="/generate")


def test_a_picture_equals_the_library(client):
    path, record = ask(client)
    *_, run = make(Wish(FIRST.prompt, BOXES, "toy-vqgan", "fast", "", 3, 1.0, 2))
    with Image.open(path) as picture:
        assert np.array_equal(picture.convert("RGB"), run.steps[-1].image)
    assert record["seed"] == 3
    assert record["boxes"] == BOXES
    assert len(record["losses"]) == 2


def test_generators_are_listed(client):
    listed = client.predict(api_name="/models")["generators"]
    assert [entry["name"] for entry in listed] == list(GENERATORS)
    assert listed[0]["unavailable"] is None
    assert {"needs a GPU", "cannot be downloaded now"} & {entry["unavailable"] for entry in listed}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": []}, "no box yet"),
        ({"boxes": "red cat"}, "the boxes are no JSON"),
        ({"boxes": {"phrase": "red cat"}}, "the boxes are"),
        ({"boxes": [["red cat", 0, 0, 1, 1]]}, "box 1: it is of type list"),
        ({"boxes": [BOXES[0] | {"left": "0.1"}]}, "left is '0.1'"),
        ({"boxes": [BOXES[0] | {"left": 40, "right": 200}]}, "looks like pixels"),
        ({"boxes": [BOXES[0] | {"left": 0.9}]}, "left less than right"),
        ({"boxes": [BOXES[0] | {"phrase": "\x00 "}]}, "phrase is empty"),
        ({"boxes": [BOXES[0] | {"colour": "red"}]}, "'colour' is unknown"),
        ({"boxes": BOXES * 25}, "50 boxes"),
        ({"generator": "../toy-sd"}, "unknown generator"),
        ({"generator": "sd-1.5"}, "sd-1.5|Stable Diffusion"),
        ({"preset": "good"}, "unknown preset"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": 10**30}, "seed is"),
        ({"weight": -1}, "weight is -1"),
        ({"steps": 10**6}, "steps is 1000000"),
        ({"prompt": "x" * 20_000}, "the prompt has 20000 characters"),
    ],
)
def test_bad_wishes_are_told(client, changes, message):
    with pytest.raises(AppError, match=f"(?i){message}"):
        ask(client, **changes)


def test_ten_megabytes_of_json_are_refused_and_the_server_goes_on(client):
    many = [BOXES[0] | {"phrase": "x" * 1000}] * 10_000
    assert len(json.dumps(many)) > 10_000_000
    with pytest.raises(AppError, match="10000 boxes"):
        ask(client, boxes=many)
    assert ask(client)[1]["seed"] == 3


def test_hostile_words_come_back_as_words(client):
    phrase = "${alert(1)} <img src=x onerror=alert(1)> {{ }} </script>"
    _, record = ask(client, boxes=[BOXES[0] | {"phrase": phrase}])
    assert record["boxes"][0]["phrase"] == phrase


def test_many_visitors_are_all_served_in_turn(address):
    clients = [visitor(address) for _ in range(CLIENTS)]
    done = []

    def visit(number: int) -> None:
        _, record = ask(clients[number], seed=number)
        assert record["seed"] == number
        done.append(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(visit, range(CLIENTS)))
    assert sorted(done) == list(range(CLIENTS))


def test_a_visitor_who_leaves_frees_the_lane(address):
    leaving, staying = visitor(address), visitor(address)
    job = leaving.submit(**(ASKED | {"steps": 1000}), api_name="/generate")
    while job.status().code.name in ("STARTING", "JOINING_QUEUE", "IN_QUEUE"):
        time.sleep(0.05)
    time.sleep(1.0)
    job.cancel()
    begun = time.monotonic()
    assert ask(staying, steps=1)[1]["seed"] == 3
    assert time.monotonic() - begun < 30
