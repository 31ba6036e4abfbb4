"""What happens on the Words tab. Plain functions, values in and values out; the visitor's page holds the state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from ui import choices, words_drawing, words_export, words_link, words_wording
from ui.answering import answering
from ui.asking import GALLERY
from ui.compare_events import show_models
from ui.errors import in_plain_words, told
from ui.explain_events import saved_file
from ui.view import Picture, kept_or, new_scene_picture
from ui.words_examples import EXAMPLES, FIRST
from ui.words_link import WORDS_TAB
from ui.words_question import WordsAnswer, WordsAsked, suggested_labels
from ui.words_question import ask as ask_model

Answer = tuple[WordsAnswer, dict[str, Any], str, str, str]
Shown = tuple[Picture, Any, str, str]


@told
def ask(picture: Picture, labels: str, phrasings: str, model: str) -> Answer:
    """Ask the model; returns all that an answer changes on the page."""
    who = answering(model, picture)
    asked = WordsAsked(picture, labels, phrasings, who.name, who.automatic)
    answer = ask_model(asked)
    return (
        answer,
        words_drawing.matrix(answer),
        words_wording.answered(answer, who.said),
        words_export.as_python(asked),
        words_link.write_query(asked),
    )


def read_link(default_model: str, request: gr.Request) -> tuple[Any, ...]:
    """The question that the page's address asks, if it asks one; and the tab to open."""
    query = dict(request.query_params)
    if query.get("tab") != WORDS_TAB:
        return tuple(gr.skip() for _ in range(9))
    asked, problem = words_link.read_query(query, default_model)
    if problem:
        gr.Warning(problem, title="About this link")
    return (*_put(asked), gr.update(selected=WORDS_TAB))


def open_tab(put: WordsAsked | None, default_model: str, search: str) -> tuple[Any, ...]:
    """The tab is selected: for the first time with the first example, unless a link asks.

    `put`: what was on the page before anybody asked; `search`: the query of the page's address.
    """
    if put is not None or f"tab={WORDS_TAB}" in search:
        return tuple(gr.skip() for _ in range(8))
    return _put(FIRST.asked_of(default_model))


def show_example(name: str) -> tuple[Any, ...]:
    """A question of EXAMPLES: the model stays."""
    example = EXAMPLES[name]
    asked = example.asked_of("")
    return example.picture, example.picture.in_box(), asked.labels, asked.labels, asked.phrasings


def show_models_of(answer: WordsAnswer | None, default_model: str) -> tuple[dict[str, Any], str]:
    """The list of models, and what may be asked of the one that answered last."""
    asked = answer.asked if answer else None
    return show_models(
        choices.selected(asked.model, asked.automatic) if asked else default_model, default_model
    )


def pick(event: gr.SelectData, labels: str, suggested: str) -> Shown:
    """A picture of the gallery."""
    return _shown(GALLERY[event.index], labels, suggested)


def new_scene(labels: str, suggested: str) -> Shown:
    """A scene that nobody has seen before, or hardly anybody."""
    return _shown(new_scene_picture(), labels, suggested)


def save_as(kind: str, answer: WordsAnswer | None) -> Iterator[str]:
    """Everything on the page as a file of one kind, a key of words_export.SAVERS."""
    with in_plain_words():
        if answer is None:
            raise ValueError("there is nothing to save yet: press Ask in all phrasings")
    yield from saved_file(partial(words_export.SAVERS[kind], answer))


def _shown(picture: Picture, labels: str, suggested: str) -> Shown:
    """Picture, what the box shows, labels and suggestion."""
    fresh = suggested_labels(picture)
    return picture, picture.in_box(), kept_or(fresh, labels, suggested), fresh


def _put(asked: WordsAsked) -> tuple[Any, ...]:
    """A question on the page: picture, what the box shows, labels, suggestion, phrasings, model, what stands in the
    place of the answer, and the question, which is asked where it changes.
    """
    return (
        asked.picture,
        asked.picture.in_box(),
        asked.labels,
        asked.labels,
        asked.phrasings,
        choices.plain("Model", asked.model),
        words_drawing.before_the_first(asked.picture),
        asked,
    )
