"""/tune, for programs: classes are taught from pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from ui.components.takeaway import saved_file
from ui.events.queues import BETWEEN, MODEL_LANE
from ui.events.streaming import paced
from ui.models import device
from ui.shared.answering import answering_about
from ui.shared.errors import in_plain_words
from ui.shared.inputs import whole
from ui.tabs.lesson import lesson as lessons
from ui.tabs.lesson import share
from ui.tabs.lesson.lesson import Lesson, LessonAsked

Sent = tuple[dict[str, Any], str | None]  # the record, and at the end the file


def tune(
    pictures: list[str] | None,
    classes: list[str],
    model: str,
    shots: float,
    weight: float,
    epochs: float,
    seed: float,
) -> Iterator[Sent]:
    """Learn a prompt from a few pictures of each class, with and without asking that the classes' names count.

    Args:
        pictures: Files: JPEG, PNG, WebP, GIF, BMP or TIFF. At most 16 of each class, of 2 to 8 classes.
        classes: A list of names, one for each picture in the same order: the class that it shows.
        model: "automatic", which is the best one here for the first picture, or a name from /models. One that has to
            be downloaded is refused until it has been chosen on the page.
        shots: How many pictures of each class are learnt from, 1 to 16; the rest are the test.
        weight: How much names count (lambda), 0 for not at all.
        epochs: How often the pictures are gone through, 1 to 200.
        seed: Which pictures are learnt from, and what the prompt begins with: a whole number from 0.

    Returns:
        What came of it by way ("plain", a prompt as people write it; "coop", learnt; "names", learnt with names that
        count): accuracy, the name's share of the relevance, both class by class (null where none of the class's
        pictures was left to try), the nearest words, and the loss of every step. It comes about once a second, with
        what is there so far, and at the end, when finished is true. And at the end the learnt prompt as a safetensors
        file, which guidance.tuning.saved.load_context reads.
    """
    with in_plain_words():
        given = grouped(pictures or [], classes)
        who = answering_about(model, pictures or [])
        asked = LessonAsked(
            given, whole("shots", shots), weight, whole("epochs", epochs), whole("seed", seed), who.name
        )
        found = lessons.learn(asked)
    for lesson in paced(found, BETWEEN):
        if lesson.finished:
            yield from _sent(lesson)
        else:
            yield share.as_record(lesson), None


def grouped(pictures: list[str], classes: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The pictures class by class, in the order in which classes first occur. ValueError for anything but a name for
    every picture.
    """
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("classes is no list of texts; allowed: a name for every picture")
    if len(classes) != len(pictures) or not pictures:
        raise ValueError(
            f"there are {len(pictures)} pictures and {len(classes)} names of classes; allowed: a name for every picture"
        )
    found: dict[str, list[str]] = {}
    for name, picture in zip(classes, pictures, strict=True):
        found.setdefault(" ".join(name.split()), []).append(picture)
    return lessons.given(list(found), list(found.values()))


def build_endpoint() -> None:
    """Adds the endpoint to the Blocks that is open. Its components are typed but never shown."""
    inputs = [
        gr.File(label="pictures", file_count="multiple", type="filepath", visible=False),
        gr.JSON([], label="classes", visible=False),
        gr.Textbox(device.DEFAULT_MODEL, label="model", visible=False),
        gr.Number(1, label="shots", visible=False),
        gr.Number(LessonAsked(()).weight, label="weight", visible=False),
        gr.Number(LessonAsked(()).epochs, label="epochs", visible=False),
        gr.Number(0, label="seed", visible=False),
    ]
    outputs = [gr.JSON(label="lesson", visible=False), gr.File(label="context", visible=False)]
    gr.Button(visible=False).click(tune, inputs, outputs, api_name="tune", **MODEL_LANE)


def _sent(found: Lesson) -> Iterator[Sent]:
    """The figures and the file, which is removed once it was handed over."""
    record = share.as_record(found)
    for path in saved_file(partial(share.save_context, found)):
        yield record, path
