"""Who calls what on the Generate tab; the lanes are those of the whole page. Nothing here is public."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui import generate_events as events
from ui import generators
from ui.box_canvas import BoxCanvas
from ui.choice import Choice
from ui.keeping import save, show_link
from ui.lanes import DOWNLOAD_LANE, MODEL_LANE, PRIVATE, QUIET
from ui.run_view import RunView

Event = Callable[..., Dependency]


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    run: gr.State
    first: gr.State
    prompt: gr.Textbox
    canvas: BoxCanvas
    examples: dict[str, gr.Button]
    make: gr.Button
    rescue: gr.Button
    stop: gr.Button
    status: gr.Markdown
    generator: Choice
    generator_note: gr.Markdown
    preset: gr.Radio
    seed: gr.Number
    new_seed: gr.Button
    weight: gr.Slider
    steps: gr.Number
    clip: gr.Textbox
    view: RunView
    savers: dict[str, gr.Button]
    file: gr.File
    query: gr.Textbox
    link: gr.Textbox
    code: gr.Code


def connect(c: Controls, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Connects the tab's components."""
    page = gr.context.Context.root_block
    page.load(events.read_link, [c.first], [*_shown(c), tabs], **QUIET)
    shown = tab.select(events.show_generators, [c.generator], [c.generator, c.generator_note], **QUIET)
    shown.then(generators.warm, [c.generator, c.clip], None, **QUIET, **MODEL_LANE)
    c.generator.choose(events.show_generators, [c.generator], [c.generator, c.generator_note], **QUIET)
    for name, button in c.examples.items():
        button.click(partial(events.show_example, name), None, _shown(c), **QUIET)
    c.new_seed.click(events.new_seed, None, [c.seed], **QUIET)
    running = [_make(c, trigger) for trigger in (c.make.click, c.prompt.submit)]
    running.append(_rescue(c))
    stopped = c.stop.click(events.stopped, [c.run], [c.view, c.status], cancels=running, **QUIET)
    stopped.then(events.stopped, [c.run], [c.view, c.status], **QUIET)  # a step may have come meanwhile
    _connect_files(c)


def _make(c: Controls, after: Event) -> Dependency:
    """A wish: the models' files are fetched, the picture is made.

    "multiple", or a page whose stopped run is not quite over yet would drop the next wish.
    """
    fetched = after(
        events.fetch, [c.generator, c.clip], None, **PRIVATE, **DOWNLOAD_LANE, show_progress_on=c.status
    )
    return fetched.success(
        events.make,
        _wish(c),
        [c.run, c.view, c.status, c.code, c.query],
        **PRIVATE,
        **MODEL_LANE,
        trigger_mode="multiple",
        show_progress_on=c.status,
    )


def _rescue(c: Controls) -> Dependency:
    """The models are here: they made the picture whose words are rescued."""
    return c.rescue.click(
        events.rescue,
        [c.run],
        [c.run, c.view, c.status, c.code, c.query],
        **PRIVATE,
        **MODEL_LANE,
        trigger_mode="multiple",
        show_progress_on=c.status,
    )


def _wish(c: Controls) -> list[Any]:
    return [c.prompt, c.canvas, c.generator, c.preset, c.clip, c.seed, c.weight, c.steps]


def _shown(c: Controls) -> list[Any]:
    return [c.prompt, c.canvas, c.preset, c.seed, c.weight, c.generator, c.clip, c.steps]


def _connect_files(c: Controls) -> None:
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), [c.run], c.file, c.status)
    show_link(c.query, c.link)
