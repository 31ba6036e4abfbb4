"""The Words tab: what is asked, what the matrix shows, links and files; and that typed texts stay texts."""

import csv
import json
from dataclasses import replace
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from PIL import Image

import explain
import toyland
from explain.stability.report import verdict
from ui.components import choices
from ui.models import clip_jobs
from ui.shared import pictures
from ui.shared.photographs import PHOTOGRAPHS
from ui.shared.pictures import Picture, new_scene_picture, photograph, scene_picture
from ui.tabs.words import drawing, share
from ui.tabs.words import handlers as events
from ui.tabs.words import text as words_wording
from ui.tabs.words.examples import EXAMPLES, FIRST
from ui.tabs.words.question import (
    FIRST_PHRASINGS,
    MAX_LABELS,
    WordsAsked,
    ask,
    parse_labels,
    parse_phrasings,
    suggested_labels,
)

HOSTILE = "<b>${1}</b>{{x}}"


@pytest.fixture(scope="module")
def answer():
    return ask(FIRST.asked_of("toy-vit"))


@pytest.fixture
def no_model(monkeypatch):
    """From here on, asking a model is an error."""

    def refuse(*arguments):
        raise AssertionError("a model was asked")

    monkeypatch.setattr(clip_jobs, "explain_phrasings", refuse)


def test_labels_and_phrasings_are_read_as_typed():
    assert parse_labels(" red  cat,dog\n\n Dog ,boat,") == ("red cat", "dog", "boat")
    assert parse_phrasings(" a {} \n\nthe {}, here\nA {}") == ("a {}", "the {}, here")
    assert parse_phrasings(FIRST_PHRASINGS) == explain.PHRASINGS


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (parse_labels, None, "There is no label yet"),
        (parse_labels, " ,\n, ", "There is no label yet"),
        (parse_labels, ",".join(map(str, range(MAX_LABELS + 1))), "13 labels are too many: at most 12"),
        (parse_labels, "x" * 100_001, "characters are too many"),
        (parse_phrasings, "  \n ", "There is no phrasing yet"),
    ],
)
def test_what_cannot_be_read_is_said(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_suggested_labels_hold_the_scenes_things():
    for seed in range(30):
        picture = scene_picture(seed, "train")
        labels = parse_labels(suggested_labels(picture))
        assert {toyland.plain_noun(thing.kind) for thing in picture.scene.things} <= set(labels)
        assert 2 <= len(labels) <= MAX_LABELS
    assert suggested_labels(Picture()) == ""


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_of_ours_brings_its_labels(name):
    assert 2 <= len(parse_labels(suggested_labels(photograph(name)))) <= MAX_LABELS


def test_an_answer_is_the_librarys(answer):
    clip = explain.load("toy-vit")
    expected = explain.explain_phrasings(
        clip, answer.asked.picture.open(), parse_labels(FIRST.labels), explain.PHRASINGS
    )
    assert answer.found == expected


def test_the_first_example_has_something_to_show(answer):
    assert len(answer.found.flips) >= 3
    assert any(
        word.neglected and word.named
        for row, decision in zip(answer.found.texts, answer.found.decisions, strict=True)
        for word in row[decision].words
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_answered(name):
    found = ask(EXAMPLES[name].asked_of("toy-vit")).found
    assert (found.instability == 0) == (name == "No doubt")


def test_the_matrix_shows_everything_and_runs_no_model(answer, no_model):
    found, shown = answer.found, drawing.matrix(answer)
    assert shown["verdict"] == verdict(found)
    assert shown["labels"] == list(found.labels)
    assert [row["phrasing"] for row in shown["rows"]] == list(found.phrasings)
    assert [row["answer"] for row in shown["rows"]] == list(found.decisions)
    assert [n for n, row in enumerate(shown["rows"]) if row["flips"]] == list(found.flips)
    assert shown["together"]["answer"] == found.decided
    for row, texts, decision in zip(shown["rows"], found.texts, found.decisions, strict=True):
        for cell, text in zip(row["cells"], texts, strict=True):
            assert cell["share"] == pytest.approx(text.probability, abs=1e-4)
        labels = [decision, found.decided] if row["flips"] else [decision]
        assert [text["label"] for text in row["texts"]] == [found.labels[label] for label in labels]
        for text, label in zip(row["texts"], labels, strict=True):
            words = texts[label].words
            assert [word["text"] for word in text["words"]] == [word.text for word in words]
            assert [word["neglected"] for word in text["words"]] == [word.neglected for word in words]
            assert [word["drop"] for word in text["words"]] == [
                words_wording.drop(word.drop) for word in words
            ]
            assert all(0 <= word["strength"] <= 1 for word in text["words"])


def test_the_matrix_opens_with_a_row_that_tells_something(answer):
    chosen = drawing.matrix(answer)["chosen"]
    assert chosen in answer.found.flips
    words = answer.found.texts[chosen][answer.found.decisions[chosen]].words
    assert sum(word.content for word in words) > 1
    calm = replace(EXAMPLES["No doubt"].asked_of("toy-vit"), phrasings="{}\na {}\na photo of a {}")
    assert drawing.matrix(ask(calm))["chosen"] == 2
    assert drawing.matrix(ask(replace(calm, phrasings="{}")))["chosen"] == 0


def test_sentences(answer):
    neglecting = sum(
        any(word.named and word.neglected for word in row[decision].words)
        for row, decision in zip(answer.found.texts, answer.found.decisions, strict=True)
    )
    assert f"In {neglecting} of 20 phrasings" in words_wording.neglect(answer)
    calm = replace(EXAMPLES["No doubt"].asked_of("toy-vit"), phrasings="{}")
    assert "In no phrasing" in words_wording.neglect(ask(calm))
    assert [words_wording.drop(value) for value in (0.0421, -0.003, 0.0001, -0.0001)] == [
        "+0.042",
        "−0.003",
        "0.000",
        "0.000",
    ]


def test_the_page_follows_the_answer():
    asked = FIRST.asked_of("toy-vit")
    found, shown, status, code, query = events.ask(asked.picture, asked.labels, asked.phrasings, asked.model)
    assert found.asked == asked
    assert len(shown["rows"]) == 20
    assert status.startswith("80 texts read")
    assert "explain.explain_phrasings" in code
    assert query.startswith("?tab=words&seed=24")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((pictures.Picture(), "cat", "a {}", "toy-vit"), "no picture yet"),
        ((pictures.scene_picture(1), "", "a {}", "toy-vit"), "no label yet"),
        ((pictures.scene_picture(1), "cat", "", "toy-vit"), "no phrasing yet"),
        ((pictures.scene_picture(1), "cat", "a photo", "toy-vit"), "no place for the label"),
        ((pictures.scene_picture(1), "cat " * 50, "a {}", "toy-vit"), "too long for toy-vit"),
        ((pictures.scene_picture(1), "cat", "a {}", "nothing"), "nothing"),
        ((pictures.Picture(path="x.png"), "cat", "a {}", "toy-vit"), r"x\.png"),
    ],
)
def test_bad_questions_are_told(arguments, message):
    with pytest.raises(gr.Error, match=message):
        events.ask(*arguments)


def test_the_tab_opens_with_the_first_example_unless_something_else_is_asked():
    opened = events.open_tab(None, "toy-rn", "?seed=3")
    assert opened["picture"] == FIRST.picture
    assert opened["labels"] == FIRST.labels
    assert opened["put"] == FIRST.asked_of("toy-rn")
    assert events.open_tab(opened["put"], "toy-vit", "") == {}  # also where nothing came of it
    assert events.open_tab(None, "toy-vit", "?tab=words&seed=3") == {}  # the link is on its way


def test_a_link_to_a_model_that_does_not_exist_leaves_a_list():
    listed, note = choices.show_models("no such model", "toy-rn")
    assert (listed["selected"], bool(note)) == ("toy-rn", True)
    assert choices.show_models("toy-vit", "toy-rn")[0]["selected"] == "toy-vit"


def test_scenes_bring_labels_but_typed_ones_stay():
    picture, _, labels, suggested = events.show_picture(new_scene_picture(), "", "")
    assert labels == suggested == suggested_labels(picture)
    assert events.show_picture(new_scene_picture(), "my label", "house")[2] == "my label"
    picture, _, labels, _, phrasings = events.show_example("No doubt")
    assert (picture.scene.seed, labels, phrasings) == (55, "rabbit, cat, fish, bird", FIRST_PHRASINGS)


@pytest.mark.parametrize(
    "changes", [{}, {"labels": "a, b\nc"}, {"phrasings": "a {}\nthe {label}"}, {"model": "toy-rn"}]
)
def test_a_link_reopens_the_question(changes):
    asked = replace(FIRST.asked_of("toy-vit"), **changes)
    query = dict(parse_qsl(share.write_query(asked)[1:]))
    assert query["tab"] == share.WORDS_TAB
    assert share.read_query(query, "toy-vit") == (asked, None)


def test_links_with_little_in_them():
    asked, problem = share.read_query({"tab": "words"}, "toy-vit")
    assert (asked, problem) == (FIRST.asked_of("toy-vit"), None)
    asked, problem = share.read_query({"tab": "words", "seed": "3"}, "toy-vit")
    assert asked.labels == suggested_labels(scene_picture(3))
    assert share.read_query({"seed": "-1"}, "toy-vit")[1]
    many = "\n".join(f"{n} {'very ' * 50}{{}}" for n in range(30))
    asked, _ = share.read_query({"tab": "words", "phrasings": many}, "toy-vit")
    assert 10 < len(parse_phrasings(asked.phrasings)) < 30
    assert set(parse_phrasings(asked.phrasings)) <= set(parse_phrasings(many))


def test_every_file_can_be_saved(answer, tmp_path, no_model):
    for save in share.SAVERS.values():
        assert save(answer, tmp_path).stat().st_size > 500
    with open(tmp_path / "tokenlight-words.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = answer.found
    assert len(rows) == 80
    assert [row["label"] for row in rows if row["answer"] == "1"] == [
        found.labels[decision] for decision in found.decisions
    ]
    assert {row["phrasing"] for row in rows if row["flips"] == "1"} == {
        found.phrasings[n] for n in found.flips
    }
    record = json.loads((tmp_path / "tokenlight-words.json").read_text(encoding="utf-8"))
    assert record["scene"]["seed"] == 24
    assert record["instability"] == found.instability
    with Image.open(tmp_path / "tokenlight-words.png") as figure:
        assert figure.width > 1000
    with pytest.raises(gr.Error, match="nothing to save yet"):
        list(events.save_as("Table, CSV", None))
    (path,) = events.save_as("Table, CSV", answer)
    assert path.endswith("tokenlight-words.csv")


def test_hostile_texts_stay_texts(tmp_path, capsys):
    asked = WordsAsked(FIRST.picture, f"cat\n{HOSTILE}", "{} $x^2$", "toy-vit")
    found = ask(asked)
    shown = drawing.matrix(found)
    assert shown["labels"][1] == HOSTILE
    for save in share.SAVERS.values():
        save(found, tmp_path)
    space: dict = {}
    exec(share.as_python(asked), space)
    assert space["labels"] == ["cat", HOSTILE]


@pytest.mark.parametrize("changes", [{}, {"labels": 'it\'s, "a"', "phrasings": "a {}\n'{}'"}])
def test_the_python_gives_the_same_answer(changes, capsys):
    asked = replace(FIRST.asked_of("toy-vit"), **changes)
    space: dict = {}
    exec(share.as_python(asked), space)
    expected = ask(asked).found
    assert space["found"].decisions == expected.decisions
    assert float(capsys.readouterr().out.splitlines()[-1]) == expected.instability
