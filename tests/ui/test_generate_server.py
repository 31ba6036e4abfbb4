"""Pictures from the running server, asked for by programs: /generate, with bad input, and many visitors at once."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from urllib.parse import urlsplit

import psutil
import pytest
from gradio_client import Client
from gradio_client.client import Job
from gradio_client.exceptions import AppError
from PIL import Image

from guidance.generators.catalogue import GENERATORS
from tests.pictures import same_picture
from ui.tabs.generate.examples import FIRST
from ui.tabs.generate.run import Wish, make

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
LONG = 1000  # steps


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
        assert same_picture(picture, run.steps[-1].image)
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


def test_many_visitors_are_served_in_the_order_they_came_and_memory_stays_flat(address):
    """Each is told how many are before them, and that number only falls."""
    clients = [visitor(address) for _ in range(CLIENTS)]
    done: list[int] = []
    places: list[list[int]] = [[] for _ in clients]

    def begin(number: int) -> Job:
        job = clients[number].submit(**(ASKED | {"seed": number}), api_name="/generate")
        wait(job, "STARTING", "JOINING_QUEUE")  # in the queue before the next one comes
        return job

    def follow(number: int, job: Job) -> None:
        while not job.done():
            status = job.status()
            if status.code.name == "IN_QUEUE" and status.rank is not None:
                places[number].append(status.rank)
            time.sleep(0.02)
        assert job.result()[1]["seed"] == number
        done.append(number)

    def visit() -> int:
        done.clear()
        for ranks in places:
            ranks.clear()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(follow, range(CLIENTS), [begin(number) for number in range(CLIENTS)]))
        return memory(address)

    visit()  # what is made once is made
    used = [visit(), visit(), visit()]
    assert done == list(range(CLIENTS))
    assert all(ranks == sorted(ranks, reverse=True) for ranks in places)
    assert places[-1][0] >= CLIENTS // 2
    # What is never given back grows with every visit; what the allocator keeps does not.
    assert min(after - before for before, after in pairwise(used)) < 2**22


LEAVING = """
import json, sys
from gradio_client import Client
for _ in Client(sys.argv[1], verbose=False).submit(**json.loads(sys.argv[2]), api_name="/generate"):
    print("a picture came", flush=True)
"""


@pytest.fixture(scope="module")
def half_a_run(client) -> float:
    """Seconds that half of a LONG run takes here: who comes after a lane that is not freed waits longer."""
    begun = time.monotonic()
    ask(client, steps=LONG // 50)
    return (time.monotonic() - begun) * 25


def test_a_visitor_who_dies_frees_the_lane(address, half_a_run):
    staying = visitor(address)
    asked = json.dumps(ASKED | {"steps": LONG})
    with subprocess.Popen(
        [sys.executable, "-c", LEAVING, address, asked], stdout=subprocess.PIPE, text=True
    ) as leaving:
        assert leaving.stdout.readline() == "a picture came\n"
        leaving.kill()
        begun = time.monotonic()
        job = staying.submit(**(ASKED | {"steps": 1}), api_name="/generate")
        wait(job, "STARTING", "JOINING_QUEUE", "IN_QUEUE")
        assert time.monotonic() - begun < half_a_run
        assert job.result()[1]["seed"] == 3


def test_a_visitor_who_cancels_frees_the_lane(address, half_a_run):
    leaving, staying = visitor(address), visitor(address)
    job = leaving.submit(**(ASKED | {"steps": LONG}), api_name="/generate")
    next(iter(job))
    job.cancel()
    begun = time.monotonic()
    assert ask(staying, steps=1)[1]["seed"] == 3
    assert time.monotonic() - begun < half_a_run


def wait(job: Job, *states: str) -> None:
    while job.status().code.name in states:
        time.sleep(0.02)


def memory(address: str) -> int:
    """Resident bytes of the process that listens at this address."""
    port = urlsplit(address).port
    children = psutil.Process().children(recursive=True)
    (server,) = (child for child in children if f"{port}" in child.cmdline())
    return server.memory_info().rss
