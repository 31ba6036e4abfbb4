"""Rescue on the Generate tab: which words are offered, what is made again, and what stands beside it."""

import json
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import torch

import explain
from guidance import __main__ as cli
from guidance.objectives.word_relevance import WordReading
from guidance.objectives.words import read_words
from guidance.records import read_record
from ui.models import clip_jobs
from ui.tabs.generate import handlers as events
from ui.tabs.generate import run as making
from ui.tabs.generate import share, text
from ui.tabs.generate.drawing import RunDrawing
from ui.tabs.generate.examples import FIRST
from ui.tabs.generate.run import Run

QUICK = replace(FIRST, generator="toy-vqgan", steps=3, seed=0)
WORDS = ["a", "red", "cat", "and", "a", "blue", "car"]
HEIGHTS = {"a": 1.0, "red": 0.1, "cat": 0.8, "and": 0.05, "blue": 0.05, "car": 0.6}
READINGS = tuple(WordReading(word, 0.1, HEIGHTS[word]) for word in WORDS)


@pytest.fixture(scope="module")
def run() -> Run:
    """A finished run, with words of which three are known to be strong."""
    *_, run = making.make(QUICK)
    return replace(run, words=READINGS)


@pytest.fixture(scope="module")
def runs(run):
    return list(making.rescue(run))


def test_words_are_neglected_as_they_are_shown(run):
    assert run.neglected == ("red", "blue")  # "car" has 75 % of "cat", "and" is no content word
    told = RunDrawing().value(run)["words"]
    assert [word["text"] for word in told if word["neglected"]] == ["red", "blue"]
    assert {word["text"]: word["percent"] for word in told} | {"cat": "100\xa0%", "car": "75\xa0%"} == {
        word["text"]: word["percent"] for word in told
    }


@pytest.mark.parametrize("prompt", ["a turquoise rhinoceros and a red ring", "a yellow tree and a red ring"])
def test_words_are_read_as_the_library_reads_them(run, prompt):
    """A word of several tokens has its strongest one's relevance, not that of all."""
    read = clip_jobs.read_words("toy-vit", run.last.image, prompt)
    pixels = torch.from_numpy(np.asarray(run.last.image, dtype=np.float32) / 255).permute(2, 0, 1)[None]
    (reading,) = read_words(explain.load("toy-vit", "cpu"), pixels, [prompt], form="neglected")
    assert [word.text for word in read] == prompt.split()
    assert [word.height for word in read] == pytest.approx([word.height for word in reading.words])
    assert max(word.height for word in read) == pytest.approx(1)


def test_the_same_run_is_made_again_with_the_words(run, runs):
    last = runs[-1]
    assert last.finished
    assert last.recipe == replace(run.recipe, words=("red", "blue"))
    assert {"similarity", "words"} <= last.steps[0].losses.keys()
    assert not {"similarity", "words"} & run.steps[0].losses.keys()
    assert not np.array_equal(last.last.image, run.last.image)
    assert all(one.alone is run.last for one in runs)
    assert last.words_before == run.words
    assert [word.text for word in last.words] == last.recipe.layout.prompt.split()


def test_a_second_rescue_keeps_the_words_of_the_first(runs):
    again = replace(runs[-1], words=tuple(WordReading(w, 0.1, 0.1 if w == "car" else 1.0) for w in WORDS))
    first = next(making.rescue(again))
    assert first.recipe.words == ("red", "blue", "car")


def test_both_pictures_are_shown_with_their_words(run, runs):
    value = RunDrawing().value(runs[-1])
    before = RunDrawing().value(run)
    assert value["alone"]["src"] == before["frames"][-1]["src"]
    assert value["alone"]["src"] != value["frames"][-1]["src"]
    assert value["beside"] == list(text.BESIDE_RESCUED)
    assert before["beside"] == list(text.BESIDE_GUIDED)
    assert [word["text"] for word in value["words_before"]] == WORDS
    assert before["words_before"] == []


def test_the_handler_makes_it_and_says_so(run):
    clip_jobs = list(events.rescue(run))
    made, _, status, code, query, _ = clip_jobs[-1]
    buttons = [button["interactive"] for *_, button in clip_jobs]
    assert buttons == [False] * (len(clip_jobs) - 1) + [bool(made.neglected)]
    assert made.recipe.words == ("red", "blue")
    assert status.endswith("Words that count beside the boxes: red, blue.")
    assert "BoxesAndWords(clip, layout, words, 0, preset.objective)" in code
    assert query == gr.skip()  # the link is that of the boxes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (None, "ake a picture first, then rescue its neglected words"),
        ({"finished": False}, "ake a picture first"),
        (
            {"words": (WordReading("red", 0.5, 1.0), WordReading("cat", 0.5, 1.0))},
            "No word of the prompt is neglected in this picture",
        ),
        ({"words": ()}, "No word of the prompt is neglected in this picture"),
    ],
)
def test_where_there_is_nothing_to_rescue(run, changes, message):
    asked = None if changes is None else replace(run, **changes)
    with pytest.raises(gr.Error, match=message):
        next(events.rescue(asked))


def test_the_button_is_grey_where_there_is_nothing_to_rescue(run, runs):
    strong = tuple(WordReading(word, 0.1, 1.0) for word in WORDS)
    assert events.rescuable(run)["interactive"]
    for other in (None, replace(run, finished=False), replace(run, words=strong), replace(run, words=())):
        assert not events.rescuable(other)["interactive"]
    *_, button = events.stopped(runs[1])
    assert not button["interactive"]
    *_, button = events.stopped(run)  # it ended before Stop was pressed
    assert button["interactive"]


def test_a_rescued_run_is_kept_whole(runs, tmp_path, monkeypatch):
    """The file of the picture makes it again on the command line, the code in Python."""
    last = runs[-1]
    path = share.save_picture(last, tmp_path)
    assert read_record(path)["words"] == ["red", "blue"]
    monkeypatch.chdir(tmp_path)
    assert cli.main(["generate", "--from", str(path), "-o", "again.png", "--json", "again.json"]) == 0
    assert read_record(tmp_path / "again.png") == read_record(path)
    record = json.loads((tmp_path / "again.json").read_text())
    assert record["losses"][0].keys() == last.steps[0].losses.keys()
    exec(share.as_python(last), made := {})
    assert np.array_equal(made["step"].image, last.last.image)


def test_words_of_a_record_are_checked(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    record = read_record(share.save_record(runs[-1], tmp_path))
    for words, message in (("red", "the words are 'red'"), (["green"], "'green' is not in the prompt")):
        (tmp_path / "run.json").write_text(json.dumps(record | {"words": words}))
        assert cli.main(["generate", "--from", "run.json"]) == 2
        assert message in capsys.readouterr().err
