"""The running server, visited by programs: many at once, and with bad input; it always answers the next one."""

import os
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.cbook
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import explain
import toyland

VISITORS = 20
SECONDS = float(os.environ.get("TOKENLIGHT_VISIT_SECONDS", "5"))


@pytest.fixture(scope="module")
def client(address):
    return visitor(address)


@pytest.fixture(scope="module")
def scene_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "scene.png"
    toyland.draw_scene(toyland.sample_scene(1), 160).save(path)
    return path


def visitor(address: str) -> Client:
    return Client(address, verbose=False)


def ask(
    client: Client, path: Path | str, prompts: str = "a cat", model: str = "toy-vit", method: str = "itsm"
):
    return client.predict(handle_file(str(path)), prompts, model, method, api_name="/explain")


def still_answers(client: Client, path: Path) -> bool:
    return ask(client, path)[0]["prompt"] == "a cat"


def test_all_endpoints_are_public_and_documented(client):
    endpoints = client.view_api(return_format="dict")
    assert set(endpoints["named_endpoints"]) == {
        "/explain",
        "/words",
        "/tune",
        "/generate",
        "/edit",
        "/models",
    }
    assert not endpoints["unnamed_endpoints"]
    assert all(endpoint["description"] for endpoint in endpoints["named_endpoints"].values())


def test_models_and_methods_are_listed(client):
    listed = client.predict(api_name="/models")
    assert [m["name"] for m in listed["models"]] == list(explain.CATALOGUE)
    assert [m["name"] for m in listed["methods"]] == list(explain.METHODS)
    assert next(m for m in listed["models"] if m["name"] == "toy-vit")["unavailable"] is None


def test_an_answer_equals_the_library(client, scene_file):
    found = ask(client, scene_file, "a cat\nthe sea", method="relevance")
    clip = explain.load("toy-vit", device="cpu")
    expected = explain.explain_image(
        clip, explain.read_image(scene_file), ["a cat", "the sea"], method="relevance"
    )
    for answer, explanation in zip(found, expected, strict=True):
        assert answer["prompt"] == explanation.prompt
        assert answer["score"] == pytest.approx(explanation.score, abs=1e-5)
        assert np.allclose(answer["map"], explanation.heatmap, atol=1e-5)
        assert sum(word["relevance"] for word in answer["words"]) == pytest.approx(1)


def test_words_equal_the_library(client, scene_file):
    asked = (handle_file(str(scene_file)), "cat, boat\nfish", "a {}\na photo of a {}", "toy-vit")
    found = client.predict(*asked, api_name="/words")
    clip = explain.load("toy-vit", device="cpu")
    phrasings = ["a {}", "a photo of a {}"]
    expected = explain.explain_phrasings(
        clip, explain.read_image(scene_file), ["cat", "boat", "fish"], phrasings
    )
    assert (found["labels"], found["phrasings"]) == (["cat", "boat", "fish"], phrasings)
    assert found["decisions"] == [expected.labels[one] for one in expected.decisions]
    assert found["instability"] == pytest.approx(expected.instability)
    for row, theirs in zip(found["texts"], expected.texts, strict=True):
        for text, other in zip(row, theirs, strict=True):
            assert text["score"] == pytest.approx(other.score, abs=1e-5)
            assert [word["neglected"] for word in text["words"]] == [word.neglected for word in other.words]
            for word, another in zip(text["words"], other.words, strict=True):
                assert word["drop"] == (
                    None if another.drop is None else pytest.approx(another.drop, abs=1e-5)
                )


@pytest.mark.parametrize(
    ("labels", "phrasings", "message"),
    [
        ("", "a {}", "There is no label yet"),
        (", ".join(map(str, range(13))), "a {}", "13 labels are too many: at most 12"),
        ("cat", "", "There is no phrasing yet"),
        ("cat", "a photo", "has no place for the label"),
        ("cat", "\n".join(f"{n} {{}}" for n in range(33)), "33 phrasings given; allowed: 1 to 32"),
        ("x" * 400, "{}", "Label 1 has 400 characters"),
    ],
)
def test_bad_questions_about_words_are_told(client, scene_file, labels, phrasings, message):
    with pytest.raises(AppError, match=message):
        client.predict(handle_file(str(scene_file)), labels, phrasings, "toy-vit", api_name="/words")
    assert still_answers(client, scene_file)


def test_the_model_is_chosen_by_the_picture(client, scene_file):
    """Offline: a photograph is answered by `photo`, which says what it has never seen; a drawn scene by toy-vit."""
    photograph = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    answer = ask(client, photograph, "a woman in a uniform\na zyzzyva", "automatic")
    assert [each["model"] for each in answer] == ["photo", "photo"]
    assert answer[1]["notes"] == ["never seen in training: 'zyzzyva'"]
    assert ask(client, scene_file, model="automatic")[0]["model"] == "toy-vit"


@pytest.mark.parametrize("model", [name for name, entry in explain.CATALOGUE.items() if entry.local])
@pytest.mark.parametrize("method", explain.METHODS)
def test_every_method_answers_with_every_built_in_model(client, scene_file, model, method):
    if method in explain.lacking(explain.CATALOGUE[model]):
        with pytest.raises(AppError, match="does not work with"):
            ask(client, scene_file, model=model, method=method)
    elif model != "photo" or not explain.METHODS[method].own_forwards:  # those take a minute there
        assert np.isfinite(ask(client, scene_file, model=model, method=method)[0]["map"]).all()


def test_every_visitor_gets_their_own_answer(address, tmp_path):
    clip = explain.load("toy-vit", device="cpu")
    clients = [visitor(address) for _ in range(VISITORS)]
    pictures, expected = [], []
    for number in range(VISITORS):
        scene = toyland.sample_scene(100 + number)
        path = tmp_path / f"{number}.png"
        toyland.draw_scene(scene, 160).save(path)
        prompts = [f"a {scene.things[0].phrase}", f"visitor {number}"]
        pictures.append((path, "\n".join(prompts)))
        expected.append(explain.explain_image(clip, explain.read_image(path), prompts))
    started, waits, lock = time.monotonic(), [], threading.Lock()

    def visit(number: int) -> int:
        answers = 0
        while answers == 0 or time.monotonic() - started < SECONDS:
            asked = time.monotonic()
            found = ask(clients[number], *pictures[number])
            with lock:
                waits.append(time.monotonic() - asked)
            for answer, explanation in zip(found, expected[number], strict=True):
                assert answer["prompt"] == explanation.prompt
                assert np.allclose(answer["map"], explanation.heatmap, atol=1e-4)
            answers += 1
        return answers

    with ThreadPoolExecutor(VISITORS) as pool:
        answered = list(pool.map(visit, range(VISITORS)))
    assert min(answered) >= 1
    print(
        f"{VISITORS} visitors, {sum(answered)} answers, median {statistics.median(waits):.2f} s, max {max(waits):.2f} s"
    )


def _save(path: Path, image: Image.Image, **options) -> None:
    image.save(path, **options)


def _animation(path: Path) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _upside_down(path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 3
    Image.new("RGB", (40, 30), "red").save(path, exif=exif)


GOOD_PICTURES: dict[str, Callable[[Path], None]] = {
    "one-pixel.png": lambda path: _save(path, Image.new("RGB", (1, 1))),
    "thin.png": lambda path: _save(path, Image.new("RGB", (1, 5000))),
    "cmyk.jpg": lambda path: _save(path, Image.new("CMYK", (40, 30))),
    "sixteen-bit.png": lambda path: _save(path, Image.new("I;16", (40, 30))),
    "palette.png": lambda path: _save(path, Image.new("P", (40, 30))),
    "see-through.png": lambda path: _save(path, Image.new("RGBA", (40, 30), (255, 0, 0, 40))),
    "grey-see-through.png": lambda path: _save(path, Image.new("LA", (40, 30))),
    "moving.gif": _animation,
    "moving.webp": _animation,
    "upside-down.jpg": _upside_down,
}


@pytest.mark.parametrize("name", GOOD_PICTURES)
def test_unusual_pictures_are_explained(client, tmp_path, name):
    GOOD_PICTURES[name](tmp_path / name)
    answer = ask(client, tmp_path / name)[0]
    assert np.isfinite(answer["map"]).all()
    assert ("first frame" in " ".join(answer["notes"])) == name.startswith("moving")


def _bomb(path: Path) -> None:
    """A small file that unpacks to 100 megapixels."""
    Image.new("1", (10_000, 10_000)).save(path, optimize=True)


def _cut(path: Path) -> None:
    whole = path.with_suffix(".whole.jpg")
    Image.effect_noise((200, 200), 80).save(whole, "JPEG")
    path.write_bytes(whole.read_bytes()[:800])


BAD_PICTURES: dict[str, Callable[[Path], object]] = {
    "cut.jpg": _cut,
    "empty.png": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("no picture"),
    "bomb.png": _bomb,
    "drawing.svg": lambda path: path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    ),
    "phone.heic": lambda path: path.write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(64)),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures_are_told(client, scene_file, tmp_path, name):
    BAD_PICTURES[name](tmp_path / name)
    with pytest.raises(AppError, match=r"allowed: .*50 megapixels"):
        ask(client, tmp_path / name)
    assert still_answers(client, scene_file)


@pytest.mark.parametrize(
    "file",
    [
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": "/", "meta": {"_type": "gradio.FileData"}},
        {"path": "http://127.0.0.1:1/picture.png", "meta": {"_type": "gradio.FileData"}},
        {"url": "file:///etc/passwd", "path": None, "meta": {"_type": "gradio.FileData"}},
        "/etc/passwd",
    ],
)
def test_files_outside_the_uploads_are_refused(client, scene_file, file):
    with pytest.raises(Exception) as refused:  # noqa: PT011  (Gradio's own guards raise several kinds)
        client.predict(file, "a cat", "toy-vit", "itsm", api_name="/explain")
    assert "root:" not in str(refused.value)
    assert still_answers(client, scene_file)


STRANGE_PROMPTS = [
    "🦓🦓",
    "قطة حمراء",
    "e\u0301le\u0301phant",
    "a\x00cat\x07 now",
    "word " * 10_000,
    "a zebra and a xylophone",
    "${alert(1)} {{value}}",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "same\nsame\nsame",
]


@pytest.mark.parametrize("prompt", STRANGE_PROMPTS, ids=range(len(STRANGE_PROMPTS)))
def test_strange_prompts_are_answered(client, scene_file, prompt):
    answers = ask(client, scene_file, prompt)
    assert len(answers) == 1
    assert np.isfinite(answers[0]["map"]).all()


def test_what_was_cut_and_what_is_unknown_is_said(client, scene_file):
    assert "cut after" in " ".join(ask(client, scene_file, "red cat " * 60)[0]["notes"])
    assert "never seen in training: 'zebra'" in ask(client, scene_file, "a zebra")[0]["notes"]


@pytest.mark.parametrize(
    ("prompts", "model", "method", "message"),
    [
        ("", "toy-vit", "itsm", "one per line"),
        ("   \n ", "toy-vit", "itsm", "one per line"),
        ("\x00\u200b", "toy-vit", "itsm", "empty|no prompt"),
        ("\n".join(map(str, range(200))), "toy-vit", "itsm", "at most 12"),
        ("a cat", "nonsense", "itsm", "Unknown model 'nonsense'; allowed: toy-vit"),
        ("a cat", "../../assets/models/toy-vit", "itsm", "Unknown model"),
        ("a cat", "assets/models/toy-vit", "itsm", "Unknown model"),
        ("a cat", "http://127.0.0.1/model", "itsm", "Unknown model"),
        ("a cat", "toy-vit", "nonsense", "Unknown method 'nonsense'; allowed: itsm"),
        ("a cat", "ViT-B-16-openai", "itsm", "Built-in models, which need no download: toy-vit"),
    ],
)
def test_bad_questions_are_told(client, scene_file, prompts, model, method, message):
    with pytest.raises(AppError, match=message):
        ask(client, scene_file, prompts, model, method)
    assert still_answers(client, scene_file)


def test_no_picture_is_told(client):
    with pytest.raises(AppError, match="There is no picture yet"):
        client.predict(None, "a cat", "toy-vit", "itsm", api_name="/explain")
