"""Classes taught on the page: handlers as functions, and /tune through the running server."""

import json
import re
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import explain
from guidance.tuning.examples import GivenExamples
from guidance.tuning.lesson import lesson
from guidance.tuning.saved import load_context
from guidance.tuning.settings import TuningSettings, Variant
from toyland.tasks import TASKS
from ui.shared.text import percent
from ui.tabs.lesson import drawing, examples, handlers, share
from ui.tabs.lesson import lesson as lessons
from ui.tabs.lesson.api import grouped
from ui.tabs.lesson.drawing import lesson_value
from ui.tabs.lesson.examples import EXAMPLES, FIRST, PICTURES
from ui.tabs.lesson.lesson import MAX_CLASSES, Lesson, LessonAsked, Point


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three pictures of each of three classes, as files: {class: [path]}."""
    folder, task = tmp_path_factory.mktemp("pictures"), TASKS["company"]
    found = {}
    for label in (0, 4, 8):
        found[task.names[label]] = []
        for number in range(3):
            path = folder / f"{label} {number}.png"
            task.picture("balanced", label, number).save(path)
            found[task.names[label]].append(str(path))
    return found


def asked_of(files, **changes) -> LessonAsked:
    classes = tuple((name, tuple(paths)) for name, paths in files.items())
    return LessonAsked(classes, **{"epochs": 2, "model": "toy-vit", **changes})


@pytest.fixture(scope="module")
def finished(files) -> Lesson:
    *_, found = lessons.learn(asked_of(files))
    return found


def page(files, names=None):
    """What the page hands to `teach`: all names, then all galleries."""
    names = list(files) if names is None else names
    galleries = [[(path, None) for path in paths] for paths in files.values()]
    empty = MAX_CLASSES - len(galleries)
    return [*names, *[""] * empty, *galleries, *[None] * empty]


# A lesson


def test_a_lesson_is_the_librarys(files, finished):
    clip = explain.load("toy-vit", device="cpu")
    variant = Variant("test", tuning=TuningSettings(weight=5.0, epochs=2))
    expected = {s.way: s.reading for s in lesson(clip, GivenExamples(files), variant) if s.reading}
    assert finished.finished
    assert set(finished.readings) == set(expected) == {"plain", "coop", "names"}
    for way, reading in finished.readings.items():  # on as many threads as there are, so not to the bit
        assert reading.accuracy == expected[way].accuracy
        assert reading.name_share == pytest.approx(expected[way].name_share, rel=1e-4)
        assert reading.words == expected[way].words
    assert finished.tried_on == "rest"
    assert finished.total == 2
    for way in ("coop", "names"):
        assert [point.index for point in finished.curves[way]] == [0, 1, 2]
        assert finished.curves[way][-1].accuracy == expected[way].accuracy


def test_what_is_given_is_read(files):
    given = lessons.given([" red  cat ", "", "boat", None], [["a"], [], ["b", "c"], []])
    assert given == (("red cat", ("a",)), ("boat", ("b", "c")))
    emoji = "woman \N{WOMAN}\u200d\N{ROCKET}"
    assert lessons.given([emoji], [["a"]]) == ((emoji, ("a",)),)
    for names, pictures, message in (
        (["", "boat"], [["a"], ["b"]], "class 1 has pictures and no name"),
        (["boat", " boat"], [["a"], ["b"]], "two classes are called “boat”: give"),
        (["red  Boat", "red boat"], [["a"], ["b"]], "two classes are called “red Boat” and “red boat”"),
        (["Straße", "STRAßE"], [["a"], ["b"]], "two classes are called “Straße” and “STRAßE”"),
        (["boat", "c\0at"], [["a"], ["b"]], "the name of class 2 holds a character that cannot be seen"),
        (["boat\u202e", "cat"], [["a"], ["b"]], "the name of class 1 holds a character"),
        (["", None], [[], []], "There are no classes yet"),
    ):
        with pytest.raises(ValueError, match=message):
            lessons.given(names, pictures)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": (("cat", ("a.png",)),)}, "1 classes with pictures; allowed: 2 or more"),
        ({"classes": (("cat", ("a.png",)), ("dog", ()))}, "the class 'dog' has no pictures"),
        ({"classes": tuple((str(n), ("a.png",)) for n in range(9))}, "9 classes are too many"),
        ({"classes": (("cat", ("a.png",) * 17), ("dog", ("b.png",)))}, "has 17 pictures: at most 16"),
        ({"classes": (("c" * 101, ("a.png",)), ("dog", ("b.png",)))}, "has 101 characters"),
        ({"epochs": 201}, "epochs is 201"),
        ({"epochs": 0}, "epochs is 0"),
        ({"shots": 4}, "has 3 pictures and 4 shots"),
        ({"weight": -1.0}, "weight is -1"),
        ({"weight": float("nan")}, "weight is nan"),
        ({"model": "../toy-vit"}, "unknown model"),
    ],
)
def test_what_cannot_be_learnt_is_said(files, changes, message):
    asked = LessonAsked(**{**vars(asked_of(files)), **changes})
    with pytest.raises(ValueError, match=message):
        list(lessons.learn(asked))


def test_bad_pictures_among_good_ones(files, tmp_path):
    """One that is cut short is left out, named and counted; one that is in two classes is refused."""
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(files["car"][0]).read_bytes()[:200])
    *_, found = lessons.learn(asked_of({**files, "car": [*files["car"], str(cut)]}))
    assert found.notes[0] == "1 of 10 pictures could not be read"
    assert "'cut.png'" in found.notes[1]
    same = tmp_path / "another name.webp"
    Image.open(files["car"][0]).save(same, lossless=True)
    with pytest.raises(ValueError, match="same picture is in the classes 'car' and"):
        list(lessons.learn(asked_of({"car": files["car"], "ship": [str(same)]})))


def test_names_that_do_not_fit_or_are_unknown(files):
    long = " ".join(["boat"] * 20)
    with pytest.raises(ValueError, match="16 of context leave room for"):
        list(lessons.learn(asked_of({long: files["car"], "fish": files["fish"]})))
    *_, found = lessons.learn(asked_of({"zorblax": files["car"], "fish": files["fish"]}))
    assert found.notes == ("never seen in training: 'zorblax'",)


# The page


def test_teaching_shows_curves_and_a_table(files, monkeypatch):
    monkeypatch.setattr(handlers, "BETWEEN", 0.0)
    answers = list(handlers.teach("toy-vit", 1, 5, 2, *page(files)))
    first, last = answers[0], answers[-1]
    assert not first[0].finished
    assert [way["name"] for way in first[1]["ways"]] == ["plain"]
    assert last[0].finished
    value = last[1]
    assert [way["name"] for way in value["ways"]] == ["plain", "coop", "names"]
    assert [row["name"] for row in value["classes"]] == list(files)
    assert [row["pictures"] for row in value["classes"]] == [2, 2, 2]
    assert [curve["name"] for curve in value["curves"]] == ["coop", "names"]
    assert all(len(curve["points"]) == 3 and curve["points"][-1][1] is None for curve in value["curves"])
    assert len(value["ways"][2]["words"]) == 16
    assert value["ways"][0]["words"] == []
    assert re.fullmatch(r"2 rounds with Toyland ViT \(built in\), in [\d.]+ seconds\.", last[2])
    json.dumps(value)
    assert lesson_value(None, "Press Teach")["waiting"] == "Press Teach"


def test_the_verdict_says_the_figures(finished):
    said = drawing.verdict(finished)
    for way in ("plain", "names"):
        assert percent(finished.readings[way].accuracy) in said
    assert percent(finished.readings["coop"].name_share) in said
    going = Lesson(finished.asked, "rest", 50, {"coop": (Point(7, 1.0, 0.5),)}, {})
    assert drawing.verdict(going) == "Learnt: step 7 of 50"
    assert drawing.status(going) == "Learnt: step 7 of 50"


def test_a_class_of_which_no_picture_was_tried_is_not_known(files):
    """Nothing is said of it, and it takes nothing away from the others."""
    few = {**files, "fish": files["fish"][:1]}
    *_, found = lessons.learn(asked_of(few))
    value, record = lesson_value(found), share.as_record(found)
    row = next(row for row in value["classes"] if row["name"] == "fish")
    assert row == {"name": "fish", "pictures": 0, "right": [None] * 3, "share": [None] * 3}
    for way, reading in found.readings.items():
        kept = {one["name"]: one for one in record["ways"][way]["classes"]}
        assert kept["fish"] == {"name": "fish", "pictures": 0, "right": None, "share": None}
        tried = [one for one in reading.classes if one.pictures]
        assert len(tried) == 2
        assert reading.accuracy == pytest.approx(sum(one.right for one in tried) / 2)
        assert reading.name_share == pytest.approx(sum(one.name_share for one in tried) / 2)
    json.dumps([value, record], allow_nan=False)


def test_without_weight_there_is_one_way_to_learn(files):
    *_, found = lessons.learn(asked_of(files, weight=0.0))
    value = lesson_value(found)
    assert [way["name"] for way in value["ways"]] == ["plain", "coop"]
    assert "relevance" not in drawing.verdict(found)


def test_bad_questions_are_told(files):
    for names, weight, message in (
        (["fish", "fish", "car"], 5, "wo classes are called"),
        (["fish", "", "car"], 5, "Class 2 has pictures and no name"),
        (list(files), -2, "Weight is -2"),
    ):
        with pytest.raises(gr.Error, match=message):
            list(handlers.teach("toy-vit", 1, weight, 2, *page(files, names)))
    with pytest.raises(gr.Error, match="There are no classes yet"):
        list(handlers.teach("toy-vit", 1, 5, 2, *[""] * MAX_CLASSES, *[None] * MAX_CLASSES))


def test_examples_fill_the_rows():
    for name, example in EXAMPLES.items():
        count, shots, *rest = handlers.show_example(name)
        names, galleries, rows = (
            rest[:MAX_CLASSES],
            rest[MAX_CLASSES : 2 * MAX_CLASSES],
            rest[2 * MAX_CLASSES :],
        )
        assert count == len(example.names) == 5
        assert shots == example.shots < PICTURES
        assert [each["value"] for each in names[:5]] == example.names
        assert all(len(each["value"]) == PICTURES for each in galleries[:5])
        assert [each["value"] for each in galleries[5:]] == [[]] * 3
        assert [each["visible"] for each in rows] == [True] * 5 + [False] * 3
    assert handlers.first_example(0, FIRST)[0] == 5
    kept = handlers.first_example(3, FIRST)
    assert len(kept) == len(handlers.clear()) == len(handlers.show_example(FIRST))
    assert all(each == gr.skip() for each in kept)
    empty = handlers.clear()
    assert (
        len({id(each) for each in empty[2:]}) == 3 * MAX_CLASSES
    )  # Gradio empties those that it has put on the page
    assert [each["value"] for each in empty[2 : 2 + MAX_CLASSES]] == [""] * MAX_CLASSES


def test_pictures_of_examples_are_drawn_once(monkeypatch):
    first = EXAMPLES[FIRST].pictures()
    monkeypatch.setattr(examples, "TASKS", {})  # nothing can be drawn any more
    again = EXAMPLES[FIRST].pictures()
    assert again == first
    assert again[0][0] is not first[0][0]  # whoever gets one may paint on it


def test_rows_are_added_as_far_as_there_are_some():
    assert handlers.add_class(0)[0] == 3
    count, *rows = handlers.add_class(5)
    assert count == 6
    assert [row["visible"] for row in rows] == [True] * 6 + [False] * 2
    assert handlers.add_class(MAX_CLASSES)[0] == MAX_CLASSES


def test_files_of_a_lesson(finished, tmp_path):
    clip = explain.load("toy-vit", device="cpu")
    path = share.save_context(finished, tmp_path)
    assert load_context(path, clip).names == tuple(name for name, _ in finished.asked.classes)
    record = json.loads(share.save_json(finished, tmp_path).read_text())
    assert record["ways"]["names"]["accuracy"] == round(finished.readings["names"].accuracy, 4)
    assert len(record["ways"]["coop"]["cross_entropy"]) == 2
    assert str(tmp_path.parent) not in json.dumps(record)
    with pytest.raises(gr.Error, match="There is nothing to save yet"):
        list(handlers.save_as("Figures, JSON", None))
    (saved,) = [Path(one).read_text() for one in handlers.save_as("Figures, JSON", finished)]
    assert json.loads(saved) == record


def test_the_code_runs(files, tmp_path, monkeypatch, capsys):
    for name, paths in files.items():
        (tmp_path / name).mkdir()
        for number, path in enumerate(paths):
            Image.open(path).save(tmp_path / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(share.as_python(asked_of(files)), "code", "exec"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["plain", "coop", "names"]


def test_hostile_names_stay_text(files):
    for name in ("<b>cat</b>", "{{ 7*7 }}", "${cat}"):
        *_, found = lessons.learn(asked_of({name: files["car"], "fish": files["fish"]}, weight=0.0, epochs=1))
        assert lesson_value(found)["classes"][0]["name"] == name
    compile(
        share.as_python(asked_of({"'); import os #": files["car"], "b": files["fish"]})),
        "code",
        "exec",
    )


# Through the server


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


def tune(client, files, **changes):
    return submitted(client, files, **changes).result()


def submitted(client, files, **changes):
    pictures = [handle_file(path) for paths in files.values() for path in paths]
    names = [name for name, paths in files.items() for _ in paths]
    given = {"pictures": pictures, "classes": names, "model": "toy-vit", "shots": 1, "weight": 5, "epochs": 2}
    return client.submit(**{**given, "seed": 0, **changes}, api_name="/tune")


def test_tune_equals_the_library(client, files, finished):
    record, path = tune(client, files)
    mine = share.as_record(finished)
    assert record["classes"] == mine["classes"]
    for way, found in record["ways"].items():
        assert found["accuracy"] == mine["ways"][way]["accuracy"]
        assert found["name_share"] == pytest.approx(mine["ways"][way]["name_share"], abs=2e-4)
        assert found["cross_entropy"] == pytest.approx(mine["ways"][way]["cross_entropy"], abs=1e-3)
    learner = load_context(Path(path), explain.load("toy-vit", device="cpu"))
    assert learner.names == tuple(files)


def test_tune_says_how_far_it_is_and_can_be_left(client, files):
    job = submitted(client, files, epochs=200)
    record, path = next(iter(job))
    assert path is None
    assert not record["finished"]
    assert record["ways"]["plain"]["accuracy"] >= 0
    job.cancel()
    job = submitted(client, files, epochs=40)
    *going, (last, path) = list(job)
    assert last["finished"]
    assert Path(path).stat().st_size > 1000
    assert [len(each["cross_entropy"]) for each in last["ways"].values()] == [0, 40, 40]
    assert going
    for record, path in going:
        assert path is None
        assert not record["finished"]
        assert record["classes"] == last["classes"]


def test_bad_lessons_are_told_and_nothing_is_lost(client, files, tmp_path):
    cut = tmp_path / "cut.png"
    cut.write_bytes(b"not a picture")
    for changes, message in (
        ({"classes": ["cat"]}, "9 pictures and 1 names"),
        ({"classes": "cat"}, "classes is no list of texts|JSON"),
        ({"classes": [7] * 9}, "classes is no list of texts"),
        ({"classes": ["cat"] * 9}, "1 classes with pictures"),
        ({"pictures": [], "classes": []}, "0 pictures"),
        ({"shots": 1.5}, "shots is 1.5"),
        ({"shots": 9}, "9 shots were asked for"),
        ({"epochs": 10_000}, "epochs is 10000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**70}, "seed is"),
        ({"model": "nothing"}, "unknown model"),
        (
            {"pictures": [handle_file(str(cut))] * 2, "classes": ["cat", "dog"]},
            "no picture of the class 'cat' can be read",
        ),
    ):
        with pytest.raises(AppError, match=f"(?i){message}"):
            tune(client, files, **changes)
    assert tune(client, files)[0]["ways"]["names"]["accuracy"] >= 0


def test_pictures_are_grouped_by_their_names():
    assert grouped(["a", "b", "c"], ["cat", " dog", "cat "]) == (("cat", ("a", "c")), ("dog", ("b",)))
