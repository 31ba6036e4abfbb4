"""Who calls what on the Words tab; the lanes are those of the whole page. Nothing here is public."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ui import explain_events
from ui import words_events as events
from ui.choice import Choice
from ui.keeping import save, show_link
from ui.lanes import PRIVATE, QUIET, scroll_to
from ui.picture_input import PictureInput
from ui.turns import Event, Waiting, ask
from ui.words_matrix import WordsMatrix

WITH_SEARCH = "(put, model, query) => [put, model, location.search]"


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    picture: gr.State
    turn: gr.State
    answer: gr.State
    suggested: gr.State
    put: gr.State
    default_model: gr.State
    image: PictureInput
    gallery: gr.Gallery
    new_scene: gr.Button
    examples: dict[str, gr.Button]
    labels: gr.Textbox
    phrasings: gr.Textbox
    ask: gr.Button
    status: gr.Markdown
    model: Choice
    model_note: gr.Markdown
    matrix: WordsMatrix
    savers: dict[str, gr.Button]
    file: gr.File
    query: gr.Textbox
    link: gr.Textbox
    code: gr.Code


def connect(c: Controls, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Connects the tab's components."""
    _connect_opening(c, tabs, tab)
    _connect_questions(c)
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), [c.answer], c.file, c.status)
    show_link(c.query, c.link)


def _ask(c: Controls, after: Event) -> Waiting:
    """A question: the model's files are fetched, the model is asked."""
    return ask(c.turn, after, events.ask, _question(c), _answer(c), c.status, explain_events.fetch, [c.model])


def _question(c: Controls) -> list[Any]:
    return [c.picture, c.labels, c.phrasings, c.model]


def _answer(c: Controls) -> list[Any]:
    return [c.answer, c.matrix, c.status, c.code, c.query]


def _shown(c: Controls) -> list[Any]:
    return [c.picture, c.image, c.labels, c.suggested]


def _connect_opening(c: Controls, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """A link to a question asks it; else the tab, when it is first selected, asks the first example."""
    page = gr.context.Context.root_block
    put = [*_shown(c), c.phrasings, c.model, c.matrix, c.put]
    page.load(events.read_link, [c.default_model], [*put, tabs], **QUIET)
    selected = tab.select(events.open_tab, [c.put, c.default_model, c.query], put, js=WITH_SEARCH, **QUIET)
    selected.then(events.show_models, [c.model, c.default_model], [c.model, c.model_note], **QUIET)
    asked = _ask(c, c.put.change)
    _list_after(c, *(job.failure for job in asked))


def _list_after(c: Controls, *events_before: Event) -> None:
    """The list goes back to the model that answered."""
    for after in events_before:
        after(events.show_models_of, [c.answer, c.default_model], [c.model, c.model_note], **QUIET)


def _connect_questions(c: Controls) -> None:
    """Another picture, other labels or phrasings, another model: the model is asked."""
    for trigger in (c.ask.click, c.labels.submit):
        _, asked = _ask(c, trigger)
        asked.success(None, None, None, js=scroll_to("matrix"), **PRIVATE)
    triggers: list[Event] = []
    c.image.clear(explain_events.no_picture, None, [c.picture, c.status], **QUIET)
    given = c.image.upload(explain_events.take_picture, [c.image], [c.picture], **QUIET)
    triggers.append(given.success)
    for trigger, handler in ((c.gallery.select, events.pick), (c.new_scene.click, events.new_scene)):
        picked = trigger(handler, [c.labels, c.suggested], _shown(c), **QUIET)
        triggers.append(picked.success)
    for name, button in c.examples.items():
        shown = button.click(partial(events.show_example, name), None, [*_shown(c), c.phrasings], **QUIET)
        triggers.append(shown.success)
    for trigger in triggers:
        _ask(c, trigger)
    fetched, asked = _ask(c, c.model.choose)
    _list_after(c, fetched.failure, asked.then)  # the latter also after a failure
