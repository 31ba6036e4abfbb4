"""Handlers of the Generate tab: plain functions, values in and values out; the visitor's page holds the state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from ui.components import box_canvas, choices
from ui.components.takeaway import saved_file
from ui.events.fetching import NO_PROGRESS
from ui.events.streaming import streamed
from ui.models import downloads, generator_jobs
from ui.shared import inputs
from ui.shared.errors import in_plain_words
from ui.shared.text import generator_label
from ui.tabs.generate import run as making
from ui.tabs.generate import share, text
from ui.tabs.generate.drawing import RunDrawing
from ui.tabs.generate.examples import EXAMPLES, FIRST
from ui.tabs.generate.run import Run, Wish
from ui.tabs.generate.share import GENERATE_TAB

# The run, as it is drawn, what is said, Python and link, and whether words can be rescued.
Answer = tuple[Any, ...]


def wish_of(
    prompt: str,
    canvas: Any,
    generator: str,
    preset: str,
    clip: str,
    seed: Any,
    weight: Any,
    steps: Any,
) -> Wish:
    """Returns what the page holds as a wish; what is wrong with it is reported when it is read."""
    boxes = box_canvas.plain_boxes(canvas)
    return Wish(
        prompt or "",
        boxes,
        generator,
        preset,
        clip,
        inputs.whole("seed", seed),
        1.0 if weight is None else weight,
        inputs.whole("steps", steps),
    )


async def fetch(generator: str, clip: str, progress: gr.Progress = NO_PROGRESS) -> None:
    """Before a picture is made: the files of both models come to this machine, while others go on with theirs."""
    from guidance.generators.catalogue import find

    def told(done: float, what: str) -> None:
        progress(done, desc=what)

    with in_plain_words():
        await downloads.wait_for(clip or find(generator).guide, told)
        await downloads.wait_for(generator, told, generator_jobs.fetch)


def make(*page: Any) -> Iterator[Answer]:
    """Make the picture; what the page shows, as its steps come."""
    with in_plain_words():
        wish = wish_of(*page)
    yield from _made(making.make(wish), wish.generator, wish)


def rescue(run: Run | None) -> Iterator[Answer]:
    """Make the picture again, with the words in mind that it neglects; the link stays that of the boxes."""
    with in_plain_words():
        if run is None or not run.finished:
            raise ValueError("make a picture first, then rescue its neglected words")
    yield from _made(making.rescue(run), run.recipe.generator)


def _made(runs: Iterator[Run], generator: str, wish: Wish | None = None) -> Iterator[Answer]:
    with in_plain_words():
        label = generator_label(generator)
        drawing = RunDrawing()
    for answer in streamed(
        runs,
        drawing.value,
        lambda run: text.made(run, label),
        lambda run: (
            share.as_python(run),
            gr.skip() if wish is None else share.write_query(wish, FIRST),
        ),
    ):
        yield *answer, rescuable(answer[0])


def rescuable(run: Run | None) -> dict[str, Any]:
    """The button that rescues words: grey until there is a finished picture that neglects some."""
    return gr.update(interactive=run is not None and run.finished and bool(run.neglected))


def stopped(run: Run | None) -> tuple[Any, str, dict[str, Any]]:
    """The visitor has seen enough: the steps that came stay."""
    if run is None or run.finished or not run.steps:
        return gr.skip(), "Stopped.", rescuable(run)
    return RunDrawing().value(run, stopped=True), "Stopped.", rescuable(run)


def show_example(name: str) -> dict[str, Any]:
    """Puts an example's wish on the page."""
    return shown(EXAMPLES[name])


def shown(wish: Wish) -> dict[str, Any]:
    """Returns what the page holds of a wish."""
    return {
        "prompt": wish.prompt,
        "canvas": box_canvas.canvas_value(wish.boxes),
        "preset": wish.preset,
        "seed": wish.seed,
        "weight": wish.weight,
        "generator": choices.plain("Generator", wish.generator),
        "clip": wish.clip,
        "steps": wish.steps,
    }


def read_link(first: Wish, request: gr.Request) -> dict[str, Any]:
    """The wish of the page's address, if it asks for one; and the tab to open. Nothing is made before it is asked."""
    query = dict(request.query_params)
    if query.get("tab") != GENERATE_TAB:
        return {}
    wish, problem = share.read_query(query, first)
    if problem:
        gr.Warning(problem, title="About this link")
    return shown(wish) | {"tabs": gr.update(selected=GENERATE_TAB)}


def show_generators(selected: str) -> tuple[dict[str, Any], str]:
    """The list of generators, those that cannot be had now greyed, and what the chosen one is good for. A link may have
    chosen one that does not exist, which is told when it is asked.
    """
    from guidance.generators.catalogue import GENERATORS

    return choices.generators(selected), choices.generator_note(selected) if selected in GENERATORS else ""


def save_as(kind: str, run: Run | None) -> Iterator[str]:
    """The run as a file of one kind, a key of share.SAVERS."""
    with in_plain_words():
        if run is None or not run.steps:
            raise ValueError("there is nothing to save yet: press Make the picture")
        save = partial(share.SAVERS[kind], run)
    yield from saved_file(save)
