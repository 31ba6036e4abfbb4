"""Many pictures on the Words tab: what is asked, drawn, told and saved."""

import csv
import json

import gradio as gr
import numpy as np
import pytest
from PIL import Image

import explain
from toyland.art import KINDS
from ui.tabs.words.question import FIRST_PHRASINGS
from ui.tabs.words_many import drawing, handlers, share
from ui.tabs.words_many.question import DRAWN, MAX_PICTURES, ManyAsked, ask, drawn_pictures

LABELS, PHRASINGS = "house, boat", "{}\na photo of a {}\na simple drawing of a {} in bright colours"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three pictures, two of the same name, and one that is none."""
    folder, found = tmp_path_factory.mktemp("given"), []
    for number, picture in enumerate(drawn_pictures(LABELS)[:3]):
        place = folder / str(number)
        place.mkdir()
        picture.save(place / "picture.png")
        found.append(str(place / "picture.png"))
    broken = folder / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return [found[0], str(broken), *found[1:]]


@pytest.fixture(scope="module")
def answer(files):
    return ask(ManyAsked(tuple(files), LABELS, PHRASINGS, "toy-vit"))


def test_it_is_the_librarys_answer_about_every_picture(files, answer):
    clip = explain.load("toy-vit", device="cpu")
    good = [files[0], *files[2:]]
    singles = [
        explain.explain_phrasings(clip, file, ["house", "boat"], PHRASINGS.split("\n")) for file in good
    ]
    assert [one.decisions for one in answer.found.pictures] == [one.decisions for one in singles]
    assert answer.found.instability == pytest.approx(np.mean([one.instability for one in singles]))
    for number, row in enumerate(answer.found.probabilities):
        each = [[text.probability for text in one.texts[number]] for one in singles]
        assert row == pytest.approx(np.mean(each, axis=0), abs=1e-5)


def test_what_the_matrix_shows(answer):
    value = drawing.matrix(answer)
    assert json.loads(json.dumps(value)) == value
    found = answer.found
    assert [row["phrasing"] for row in value["rows"]] == PHRASINGS.split("\n")
    for number, row in enumerate(value["rows"]):
        count = sum(one.decisions[number] != one.together for one in found.pictures)
        assert row["says"] == f"{count} of 3"
        assert row["flips"] == pytest.approx(count / 3)
        assert sum(cell["share"] for cell in row["cells"]) == pytest.approx(1, abs=1e-3)
        own = {one.own for one in found.pictures}
        assert [text["label"] for text in row["texts"]] == [found.labels[label] for label in sorted(own)]
    assert value["rows"][value["chosen"]]["flips"] == max(row["flips"] for row in value["rows"])
    words = value["rows"][2]["texts"][0]["words"]
    assert {word["text"] for word in words} >= {"simple", "drawing", "bright", "colours"}
    assert all(" of " in word["mark"] for word in words if word["neglected"])
    assert [picture["name"] for picture in value["pictures"]] == [
        "1. picture.png",
        "3. picture.png",
        "4. picture.png",
    ]
    assert all(picture["src"].startswith("data:image/") for picture in value["pictures"])
    assert value["notes"][0] == "1 of 4 pictures cannot be used."
    assert "2. broken.png" in value["notes"][1]


def test_one_picture_and_one_phrasing(files):
    value = drawing.matrix(ask(ManyAsked((files[0],), LABELS, "a {}", "toy-vit")))
    assert value["verdict"] == "One picture in one phrasing"
    assert "nothing to disagree about" in value["neglect"]
    assert len(value["pictures"]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gallery": None}, "There are no pictures yet"),
        ({"gallery": []}, "There are no pictures yet"),
        ({"gallery": [("missing.png", None)]}, "no picture that can be used"),
        ({"gallery": [("x.png", None)] * (MAX_PICTURES + 1)}, "25 pictures are too many: at most 24"),
        ({"labels": " , "}, "There is no label yet"),
        ({"phrasings": ""}, "There is no phrasing yet"),
        ({"phrasings": "a photo"}, "has no place for the label"),
        ({"model": "nobody"}, "unknown model"),
    ],
)
def test_what_cannot_be_asked(files, changes, message):
    given = {"gallery": [(files[0], None)], "labels": LABELS, "phrasings": PHRASINGS, "model": "toy-vit"}
    with pytest.raises(gr.Error, match=f"(?i){message}"):
        handlers.ask(*(given | changes).values())


def test_no_picture_can_be_read(files):
    with pytest.raises(gr.Error, match=r"(?s)no picture that can be used.*broken.png"):
        handlers.ask([(files[1], None)], LABELS, PHRASINGS, "toy-vit")


def test_drawn_pictures_are_of_what_is_asked():
    pictures = drawn_pictures(LABELS)
    assert len(pictures) == DRAWN
    assert len({picture.tobytes() for picture in pictures}) == DRAWN
    assert len(drawn_pictures("zebra")) == DRAWN
    assert [one.tobytes() for one in drawn_pictures(", ".join(list(KINDS)[:3]))] != [
        one.tobytes() for one in pictures
    ]
    with pytest.raises(gr.Error, match="There is no label yet"):
        handlers.draw("")


def test_files_hold_the_answer(answer, tmp_path):
    with open(share.save_csv(answer, tmp_path), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3
    assert sum(int(row["flips"]) for row in rows) == round(3 * sum(answer.found.flips))
    record = json.loads(share.save_json(answer, tmp_path).read_text(encoding="utf-8"))
    assert record["instability"] == pytest.approx(answer.found.instability)
    assert len(record["skipped"]) == 1
    with pytest.raises(gr.Error, match="nothing to save yet"):
        list(handlers.save_as("Table, CSV", None))


def test_the_python_that_is_shown_says_the_same(answer, files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for number, file in enumerate([files[0], *files[2:]]):
        Image.open(file).save(tmp_path / "pictures" / f"{number}.png")
    exec(compile(share.as_python(answer.asked), "shown", "exec"), found := {})
    assert found["found"].flips == answer.found.flips
    assert f"two phrasings disagree {answer.found.instability:.1%} of the time" in capsys.readouterr().out
    assert "explain.PHRASINGS" in share.as_python(ManyAsked((), LABELS, FIRST_PHRASINGS, "toy-vit"))


def test_a_picture_is_encoded_once(files, monkeypatch):
    from explain import towers

    seen, trunk = [], towers.trunk
    monkeypatch.setattr(
        towers, "trunk", lambda visual, images: seen.append(len(images)) or trunk(visual, images)
    )
    ask(ManyAsked(tuple(files), LABELS, PHRASINGS, "toy-vit"))
    assert sum(seen) == 3
