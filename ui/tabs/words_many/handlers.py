"""Handlers of questions about many pictures: plain functions, values in and values out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from PIL import Image

from ui.components.picture_chooser import files_of
from ui.components.takeaway import saved_file
from ui.shared.answering import answering_about
from ui.shared.errors import in_plain_words, told
from ui.tabs.words_many import drawing, question, share, text
from ui.tabs.words_many.question import ManyAnswer, ManyAsked

Answer = tuple[ManyAnswer, dict[str, Any], str, str]


@told
def ask(gallery: Any, labels: str, phrasings: str, model: str) -> Answer:
    """Ask the model; returns all that an answer changes on the page."""
    files = tuple(files_of(gallery))
    who = answering_about(model, files)
    asked = ManyAsked(files, labels, phrasings, who.name)
    answer = question.ask(asked)
    return (
        answer,
        drawing.matrix(answer),
        text.many_answered(answer, who.said),
        share.as_python(asked),
    )


@told
def draw(labels: str) -> list[Image.Image]:
    """Drawn pictures of what the labels name."""
    return question.drawn_pictures(labels)


def save_as(kind: str, answer: ManyAnswer | None) -> Iterator[str]:
    """The answer as a file of one kind, a key of share.SAVERS."""
    with in_plain_words():
        if answer is None:
            raise ValueError("there is nothing to save yet: press Ask about all of them")
    yield from saved_file(partial(share.SAVERS[kind], answer))
