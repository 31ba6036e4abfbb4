"""Handlers of lessons, which teach classes: plain functions, values in and values out; the page holds the state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr

from ui.components.picture_chooser import files_of
from ui.components.takeaway import saved_file
from ui.events.streaming import paced
from ui.shared.answering import answering_about
from ui.shared.errors import in_plain_words
from ui.shared.inputs import whole
from ui.tabs.lesson import lesson as lessons
from ui.tabs.lesson import share
from ui.tabs.lesson.drawing import lesson_value, status
from ui.tabs.lesson.examples import EXAMPLES
from ui.tabs.lesson.lesson import MAX_CLASSES, Lesson, LessonAsked

BETWEEN = 0.5  # seconds between two looks at the curves while they grow: a slow browser must not fall behind
STOPPED = "Stopped. Press Teach to begin anew."

Answer = tuple[Lesson, dict[str, Any], str, str]


def teach(model: str, shots: Any, weight: Any, epochs: Any, *classes: Any) -> Iterator[Answer]:
    """Learn; what the page shows, as it goes. `classes`: all names, then all galleries."""
    with in_plain_words():
        names, galleries = classes[:MAX_CLASSES], classes[MAX_CLASSES:]
        given = lessons.given(names, [files_of(gallery) for gallery in galleries])
        who = answering_about(model, [file for _, files in given for file in files]).name
        asked = LessonAsked(given, whole("shots", shots), weight or 0.0, whole("epochs", epochs), 0, who)
        found = lessons.learn(asked)
        code = share.as_python(asked)
    for lesson in paced(found, BETWEEN):
        yield lesson, lesson_value(lesson), status(lesson), code


def stopped(found: Lesson | None) -> Any:
    """The visitor has seen enough; of a lesson that is over nothing is said."""
    return gr.skip() if found is not None and found.finished else STOPPED


def show_example(name: str) -> list[Any]:
    """An example's names and pictures in the first rows, the others empty and out of sight; and how many are learnt
    from.
    """
    example = EXAMPLES[name]
    return [len(example.names), example.shots, *_classes(example.names, example.pictures())]


def first_example(count: int, name: str) -> list[Any]:
    """The example that the tab opens with, where nothing was given yet."""
    if count:
        return [gr.skip()] * (2 + 3 * MAX_CLASSES)
    return show_example(name)


def add_class(count: int) -> list[Any]:
    """One row more, as far as there are some."""
    count = min(max(count, 2) + 1, MAX_CLASSES)
    return [count, *_rows(count)]


def clear() -> list[Any]:
    """Two empty rows, and a picture to learn from."""
    return [2, 1, *_classes([""] * 2, [[]] * 2)]


def save_as(kind: str, found: Lesson | None) -> Iterator[str]:
    """The lesson as a file of one kind, a key of share.SAVERS."""
    with in_plain_words():
        if found is None or not found.finished:
            raise ValueError("there is nothing to save yet: press Teach, and wait for the end")
        save = partial(share.SAVERS[kind], found)
    yield from saved_file(save)


def _classes(names: Sequence[str], pictures: Sequence[Sequence[Any]]) -> list[Any]:
    """Names and pictures in the first rows, the others empty and out of sight. Gradio changes the updates that it is
    given, so each is one of its own.
    """
    empty = MAX_CLASSES - len(names)
    return [
        *(gr.update(value=name) for name in [*names, *[""] * empty]),
        *(gr.update(value=list(each)) for each in [*pictures, *[[]] * empty]),
        *_rows(len(names)),
    ]


def _rows(count: int) -> list[Any]:
    return [gr.update(visible=number < count) for number in range(MAX_CLASSES)]
