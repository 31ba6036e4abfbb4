"""Who calls what when classes are taught; the lanes are those of the whole page. Nothing here is public."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ui import explain_events
from ui import lesson_events as events
from ui.choice import Choice
from ui.keeping import save
from ui.lanes import QUIET
from ui.lesson_examples import FIRST
from ui.lesson_view import LessonView
from ui.turns import Turn, ask, stop


@dataclass(frozen=True)
class LessonControls:
    """The components that events read and write. `count`: how many rows are in sight, 0 before the first."""

    count: gr.State
    lesson: gr.State
    model: Choice
    names: list[gr.Textbox]
    galleries: list[gr.Gallery]
    rows: list[gr.Column]
    examples: dict[str, gr.Button]
    add: gr.Button
    clear: gr.Button
    shots: gr.Slider
    weight: gr.Slider
    epochs: gr.Slider
    teach: gr.Button
    stop: gr.Button
    status: gr.Markdown
    view: LessonView
    savers: dict[str, gr.Button]
    file: gr.File
    code: gr.Code


def connect(c: LessonControls, tab: gr.Tab) -> None:
    """Connects the section's components."""
    everything: list[Any] = [c.count, c.shots, *c.names, *c.galleries, *c.rows]
    tab.select(partial(events.first_example, name=FIRST), [c.count], everything, **QUIET)
    for name, button in c.examples.items():
        button.click(partial(events.show_example, name), None, everything, **QUIET)
    c.add.click(events.add_class, [c.count], [c.count, *c.rows], **QUIET)
    c.clear.click(events.clear, None, everything, **QUIET)
    given = [c.model, c.shots, c.weight, c.epochs, *c.names, *c.galleries]
    shown, turn = [c.lesson, c.view, c.status, c.code], gr.State(Turn())
    taught = ask(turn, c.teach.click, events.teach, given, shown, c.status, explain_events.fetch, [c.model])
    stop(turn, c.stop, events.stopped, [c.lesson], [c.status], [taught])
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), [c.lesson], c.file, c.status)
