"""Who calls what on the Words tab; the lanes are those of the whole page. Nothing here is public."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui import explain_events
from ui import words_events as events
from ui.choice import Choice
from ui.keeping import save, show_link
from ui.lanes import DOWNLOAD_LANE, MODEL_LANE, PRIVATE, QUIET, scroll_to
from ui.picture_input import PictureInput
from ui.words_matrix import WordsMatrix

WITH_SEARCH = "(answer, model, query) => [answer, model, location.search]"
Event = Callable[..., Dependency]


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    picture: gr.State
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


def _ask(c: Controls, after: Event) -> tuple[Dependency, Dependency]:
    """A question: the model's files are fetched, the model is asked."""
    fetched = after(explain_events.fetch, [c.model], None, **_fetching(c))
    return fetched, fetched.success(events.ask, _question(c), _answer(c), **_asking(c))


def _question(c: Controls) -> list[Any]:
    return [c.picture, c.labels, c.phrasings, c.model]


def _answer(c: Controls) -> list[Any]:
    return [c.answer, c.matrix, c.status, c.code, c.query]


def _shown(c: Controls) -> list[Any]:
    return [c.picture, c.image, c.labels, c.suggested]


def _fetching(c: Controls) -> dict[str, Any]:
    return {**PRIVATE, **DOWNLOAD_LANE, "show_progress_on": c.status}


def _asking(c: Controls) -> dict[str, Any]:
    return {**PRIVATE, **MODEL_LANE, "show_progress_on": c.status}


def _connect_opening(c: Controls, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """A link to a question asks it; else the tab, when it is first selected, asks the first example."""
    page = gr.context.Context.root_block
    put = [*_shown(c), c.phrasings, c.model, c.matrix, c.put]
    opened = page.load(events.read_link, [c.default_model], [*put, tabs], **QUIET)
    selected = tab.select(events.open_tab, [c.answer, c.default_model, c.query], put, js=WITH_SEARCH, **QUIET)
    answered = _ask_if_put(c, opened)
    answered.then(events.show_models, [c.model], [c.model, c.model_note], **QUIET)
    _ask_if_put(c, selected)


def _ask_if_put(c: Controls, before: Dependency) -> Dependency:
    return before.then(events.ask_if_put, [c.put, *_question(c)], [*_answer(c), c.put], **_asking(c))


def _connect_questions(c: Controls) -> None:
    """Another picture, other labels or phrasings, another model: the model is asked."""
    for trigger in (c.ask.click, c.labels.submit):
        _, asked = _ask(c, trigger)
        asked.success(None, None, None, js=scroll_to("matrix"), **PRIVATE)
    triggers: list[Event] = []
    c.image.clear(explain_events.no_picture, None, [c.picture, c.status], **QUIET)
    given = c.image.upload(explain_events.take_picture, [c.image], [c.picture], **QUIET)
    triggers.append(given.success)
    for trigger, handler in ((c.gallery.select, events.pick_scene), (c.new_scene.click, events.new_scene)):
        picked = trigger(handler, [c.labels, c.suggested], _shown(c), **QUIET)
        triggers.append(picked.success)
    for name, button in c.examples.items():
        shown = button.click(partial(events.show_example, name), None, [*_shown(c), c.phrasings], **QUIET)
        triggers.append(shown.success)
    for trigger in triggers:
        _ask(c, trigger)
    fetched, asked = _ask(c, c.model.choose)
    for after in (fetched.failure, asked.then):  # also after a failure: back to the model that answered
        after(events.show_models_of, [c.answer, c.default_model], [c.model, c.model_note], **QUIET)
