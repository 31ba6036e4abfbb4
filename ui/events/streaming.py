"""Runs on their way: what is seen of them, and how often."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import gradio as gr

from ui.shared.errors import in_plain_words

MOST_KEPT = 120  # steps of a run that can be looked at again; of a longer one every second, third, ...
OWN_STEPS = 0  # as many as the preset has

BETWEEN = 0.1  # seconds between two pictures on the page while they come


class Numbered(Protocol):
    """A step of a run: `index` counts to `total`."""

    @property
    def index(self) -> int: ...

    @property
    def total(self) -> int: ...


class Growing(Protocol):
    """A run on its way. `settled`: it is over, has not begun, or made its last step; then the page always shows it."""

    @property
    def finished(self) -> bool: ...

    @property
    def settled(self) -> bool: ...


R = TypeVar("R", bound=Growing)
S = TypeVar("S", bound=Numbered)


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
        if run.settled or time.monotonic() - looked >= seconds:
            looked = time.monotonic()
            yield run


def streamed(
    runs: Iterator[R],
    draw: Callable[[R], Any],
    said: Callable[[R], str],
    kept: Callable[[R], tuple[Any, ...]],
) -> Iterator[tuple[Any, ...]]:
    """Yields what a page shows of a run, as its steps come: the run, as it is drawn, its status when it is over, and
    what is `kept` of it from the first step on.
    """
    also: tuple[Any, ...] = ()
    for run in paced(runs, BETWEEN):
        with in_plain_words():
            drawn = draw(run)
            # The first picture takes away what was said before; what a page is still sent after Stop must not.
            status = said(run) if run.finished else gr.skip() if also else ""
            also = also or kept(run)
        yield run, drawn, status, *also


def grown(kept: tuple[S, ...], step: S) -> tuple[S, ...]:
    """The steps of a run that are kept, with another one. The newest is always there; not all of them stay."""
    every = max(1, -(-step.total // MOST_KEPT))
    if kept and kept[-1].index % every:
        kept = kept[:-1]
    return kept + (step,)
