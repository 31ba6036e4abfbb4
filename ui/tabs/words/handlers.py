"""Handlers of the Words tab: plain functions, values in and values out; the visitor's page holds the state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from ui.components import choices
from ui.components.choices import show_models
from ui.components.takeaway import saved_file
from ui.shared.answering import answering
from ui.shared.errors import in_plain_words, told
from ui.shared.pictures import Picture, kept_or
from ui.tabs.words import drawing, share, text
from ui.tabs.words.examples import EXAMPLES, FIRST
from ui.tabs.words.question import WordsAnswer, WordsAsked, suggested_labels
from ui.tabs.words.question import ask as ask_model
from ui.tabs.words.share import WORDS_TAB

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
        drawing.matrix(answer),
        text.answered(answer, who.said),
        share.as_python(asked),
        share.write_query(asked),
    )


def read_link(default_model: str, request: gr.Request) -> dict[str, Any]:
    """The question that the page's address asks, if it asks one; and the tab to open."""
    query = dict(request.query_params)
    if query.get("tab") != WORDS_TAB:
        return {}
    asked, problem = share.read_query(query, default_model)
    if problem:
        gr.Warning(problem, title="About this link")
    return _put(asked) | {"tabs": gr.update(selected=WORDS_TAB)}


def open_tab(put: WordsAsked | None, default_model: str, search: str) -> dict[str, Any]:
    """The tab is selected: for the first time with the first example, unless a link asks.

    `put`: what was on the page before anybody asked; `search`: the query of the page's address.
    """
    if put is not None or f"tab={WORDS_TAB}" in search:
        return {}
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


def show_picture(picture: Picture, labels: str, suggested: str) -> Shown:
    """Another picture, what the box shows of it, labels and suggestion."""
    fresh = suggested_labels(picture)
    return picture, picture.in_box(), kept_or(fresh, labels, suggested), fresh


def save_as(kind: str, answer: WordsAnswer | None) -> Iterator[str]:
    """Everything on the page as a file of one kind, a key of share.SAVERS."""
    with in_plain_words():
        if answer is None:
            raise ValueError("there is nothing to save yet: press Ask in all phrasings")
    yield from saved_file(partial(share.SAVERS[kind], answer))


def _put(asked: WordsAsked) -> dict[str, Any]:
    """A question on the page, which is asked where it changes (`put`)."""
    return {
        "picture": asked.picture,
        "image": asked.picture.in_box(),
        "labels": asked.labels,
        "suggested": asked.labels,
        "phrasings": asked.phrasings,
        "model": choices.plain("Model", asked.model),
        "matrix": drawing.before_the_first(asked.picture),
        "put": asked,
    }
