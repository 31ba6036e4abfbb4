"""What happens when one asks about many pictures. Plain functions, values in and values out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from PIL import Image

from ui import many_drawing, many_export, many_pictures, words_wording
from ui.answering import answering_about
from ui.asking import files_of
from ui.errors import in_plain_words, told
from ui.explain_events import saved_file
from ui.many_pictures import ManyAnswer, ManyAsked

Answer = tuple[ManyAnswer, dict[str, Any], str, str]


@told
def ask(gallery: Any, labels: str, phrasings: str, model: str) -> Answer:
    """Ask the model; returns all that an answer changes on the page."""
    files = tuple(files_of(gallery))
    who = answering_about(model, files)
    asked = ManyAsked(files, labels, phrasings, who.name)
    answer = many_pictures.ask(asked)
    return (
        answer,
        many_drawing.matrix(answer),
        words_wording.many_answered(answer, who.said),
        many_export.as_python(asked),
    )


@told
def draw(labels: str) -> list[Image.Image]:
    """Drawn pictures of what the labels name."""
    return many_pictures.drawn_pictures(labels)


def save_as(kind: str, answer: ManyAnswer | None) -> Iterator[str]:
    """The answer as a file of one kind, a key of many_export.SAVERS."""
    with in_plain_words():
        if answer is None:
            raise ValueError("there is nothing to save yet: press Ask about all of them")
    yield from saved_file(partial(many_export.SAVERS[kind], answer))
