"""Who calls what on the Generate tab; the lanes are those of the whole page. Nothing here is public."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ui import generate_events as events
from ui import generators
from ui.box_canvas import BoxCanvas
from ui.choice import Choice
from ui.keeping import save, show_link
from ui.lanes import MODEL_LANE, QUIET
from ui.run_view import RunView
from ui.turns import ask, stop


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    turn: gr.State
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
    _connect_runs(c)
    _connect_files(c)


def _connect_runs(c: Controls) -> None:
    """A wish: the models' files are fetched, the picture is made. For words that are rescued in it, they are here."""
    shown = [c.run, c.view, c.status, c.code, c.query, c.rescue]
    running = [ask(c.turn, c.rescue.click, events.rescue, [c.run], shown, c.status)]
    for trigger in (c.make.click, c.prompt.submit):
        models = [c.generator, c.clip]
        made = ask(c.turn, trigger, events.make, _wish(c), shown, c.status, events.fetch, models)
        running.append(made)
    stop(c.turn, c.stop, events.stopped, [c.run], [c.view, c.status, c.rescue], running)


def _wish(c: Controls) -> list[Any]:
    return [c.prompt, c.canvas, c.generator, c.preset, c.clip, c.seed, c.weight, c.steps]


def _shown(c: Controls) -> list[Any]:
    return [c.prompt, c.canvas, c.preset, c.seed, c.weight, c.generator, c.clip, c.steps]


def _connect_files(c: Controls) -> None:
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), [c.run], c.file, c.status)
    show_link(c.query, c.link)
