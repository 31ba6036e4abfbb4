"""Sentences on the page: computed, and true whichever way the numbers fall."""

import re

import pytest

from explain import CATALOGUE, METHODS, WORD_METHODS
from guidance.generators.catalogue import GENERATORS
from ui.components import choices
from ui.shared import text as wording
from ui.tabs.explain import text


@pytest.mark.parametrize(
    ("msc", "sentence"),
    [
        (23.4, "Here CLIP scores the background lower than the red cat."),
        (-18.0, "Here CLIP scores the background higher than the red cat."),
        (0.5, "Here CLIP scores the background about as high as the red cat."),
    ],
)
def test_caption_of_a_similarity_map_falls_with_its_contrast(msc, sentence):
    assert text.contrast("itsm", msc, "the red cat", "the background", False) == sentence


@pytest.mark.parametrize(
    ("msc", "sentence"),
    [
        (9.0, "This map is brighter on the red cat than on the background."),
        (-9.0, "This map is brighter on the background than on the red cat."),
        (-1.0, "This map is about as bright on the background as on the red cat."),
    ],
)
@pytest.mark.parametrize("method", ["relevance", "itsm_reversed", "gradcam"])
def test_caption_of_another_map_speaks_of_the_map_only(method, msc, sentence):
    assert text.contrast(method, msc, "the red cat", "the background", False) == sentence


def test_caption_of_a_reversed_map_makes_no_claim_about_scores():
    caption = text.contrast("itsm", 20.0, "the red cat", "the background", True)
    assert caption == "The reversed map is brighter on the red cat than on the background."


def test_a_model_is_noted_with_what_it_knows():
    assert wording.model_note(CATALOGUE["toy-vit"]) == (
        "Toyland ViT (built in): Knows only drawn scenes; works offline, at once."
    )
    said = wording.automatic_note(CATALOGUE["toy-vit"], CATALOGUE["photo"])
    assert said == (
        "Drawn scenes are answered by Toyland ViT (built in), photographs by Photo CLIP (built in)."
    )
    assert choices.model_note("automatic").startswith("Drawn scenes are answered by Toyland ViT")


def test_the_first_labels_are_those_of_the_library():
    known = {"automatic": choices.models("automatic")["groups"][0]["options"][0]["label"]}
    known |= {name: item.label for name, item in (*CATALOGUE.items(), *METHODS.items(), *GENERATORS.items())}
    assert {name: known[name] for name in choices.FIRST_LABELS} == choices.FIRST_LABELS


@pytest.mark.parametrize(("value", "text"), [(0.2131, "0.213"), (-0.05, "−0.050")])
def test_scores_have_a_real_minus(value, text):
    assert wording.score(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "50\xa0%"),
        (0.001, "under 1\xa0%"),
        (0.0, "0\xa0%"),
        (1.0, "100\xa0%"),
        (0.125, "13\xa0%"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_shares(value, text):
    assert wording.percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(19.2, "+19"), (-18.0, "−18"), (0.2, "0"), (-0.3, "0")])
def test_contrasts_carry_their_sign(value, text):
    assert wording.signed(value) == text


def test_every_method_has_a_plain_title():
    titles = [method.title for method in METHODS.values()]
    assert all(titles)
    assert max(map(len, titles)) <= 45  # one line, so that maps side by side align
    assert wording.map_title(METHODS["itsm"], True).startswith("Reversed: where")


@pytest.mark.parametrize("method", [*METHODS.values(), *WORD_METHODS.values()], ids=lambda m: m.name)
def test_every_method_says_what_it_cannot_tell(method):
    said = wording.what_it_is(method)
    assert said.startswith(method.sentence)
    assert re.search(r"\. It cannot tell [a-z]", said)
    assert said.endswith(".")


def test_sizes_are_said_as_people_say_them():
    assert wording.megabytes(CATALOGUE["ViT-B-16-openai"]) == "600 MB"
    assert wording.megabytes(CATALOGUE["ViT-L-14-openai"]) == "1.7 GB"


@pytest.mark.parametrize(("text", "said"), [("no prompt", "No prompt."), ("Why?", "Why?")])
def test_library_messages_become_sentences(text, said):
    assert wording.sentence(text) == said


def test_status_counts_prompts():
    assert re.fullmatch(r"1 prompt explained in 1\.2 seconds by X\.", text.status(1, "X", 1.23))
    assert text.status(2, "X", 0.01) == "2 prompts explained at once by X."
