"""Runs on their way: what is seen of them, and how often."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gradio as gr

from ui.editing import EditRun
from ui.errors import in_plain_words
from ui.lessons import Lesson
from ui.making import Run

BETWEEN = 0.1  # seconds between two pictures on the page while they come

R = TypeVar("R", Run, EditRun, Lesson)


def paced(runs: Iterator[R], seconds: float) -> Iterator[R]:
    """The runs that are worth a look: the first, what comes before the first step, one each so many seconds, and all
    from the last step on; of a lesson, which goes through its steps twice, its end. Nothing is yielded inside a `with`.
    """
    looked = -math.inf
    while True:
        with in_plain_words():
            run = next(runs, None)
        if run is None:
            return
        if _always(run) or time.monotonic() - looked >= seconds:
            looked = time.monotonic()
            yield run


def _always(run: Run | EditRun | Lesson) -> bool:
    if isinstance(run, Lesson):
        return run.finished
    return run.finished or run.last is None or run.last.finished


def streamed(
    runs: Iterator[R],
    draw: Callable[[R], Any],
    said: Callable[[R], str],
    kept: Callable[[R], tuple[Any, ...]],
) -> Iterator[tuple[Any, ...]]:
    """What a page shows of a run, as its steps come: the run, as it is drawn, what is said when it is over, and what is
    `kept` of it from the first step on.
    """
    also: tuple[Any, ...] = ()
    for run in paced(runs, BETWEEN):
        with in_plain_words():
            drawn = draw(run)
            # The first picture takes away what was said before; what a page is still sent after Stop must not.
            status = said(run) if run.finished else gr.skip() if also else ""
            also = also or kept(run)
        yield run, drawn, status, *also
