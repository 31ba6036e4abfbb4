"""Who calls what on the Explain tab. Everything that may run a model shares one lane, and nothing else is in it:
files are fetched before, cards are drawn after. Nothing here is public.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui import explain_events as events
from ui.box_canvas import BoxCanvas
from ui.cards import Cards
from ui.choice import Choice
from ui.keeping import save, show_link
from ui.lanes import DRAWING_LANE, MODEL_LANE, PRIVATE, QUIET, scroll_to
from ui.picture_input import PictureInput
from ui.turns import Event, ask


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    picture: gr.State
    turn: gr.State
    view: gr.State
    suggested: gr.State
    default_model: gr.State
    boxed: gr.State
    image: PictureInput
    where_box: gr.Accordion
    where: BoxCanvas
    gallery: gr.Gallery
    new_scene: gr.Button
    prompts: gr.Textbox
    explain: gr.Button
    status: gr.Markdown
    model: Choice
    model_note: gr.Markdown
    method: Choice
    beside: Choice
    opacity: gr.Slider
    colormap: Choice
    turned: gr.Checkbox
    cards: Cards
    savers: dict[str, gr.Button]
    file: gr.File
    query: gr.Textbox
    link: gr.Textbox
    code: gr.Code


def connect(c: Controls) -> None:
    """Connects the tab's components."""
    _connect_opening(c)
    _connect_questions(c)
    _connect_drawing(c)
    _connect_files(c)


def _ask(c: Controls, after: Event) -> tuple[Dependency, Dependency, Dependency]:
    """A question: the model's files are fetched, the model is asked, the cards are drawn."""
    fetched, asked = ask(
        c.turn, after, events.explain, _question(c), _answer(c), c.status, events.fetch, [c.model]
    )
    return fetched, asked, _draw_answer(c, asked)


def _draw_answer(c: Controls, asked: Dependency) -> Dependency:
    """The cards of another answer; boxes of the picture before do not count any more."""
    where = asked.success(events.show_where, [c.view, c.boxed], [c.where_box, c.where, c.boxed], **QUIET)
    return _draw(c, where.success)


def _draw(c: Controls, after: Event) -> Dependency:
    return after(events.redraw, [c.view, *_drawn(c)], [c.cards], **DRAWING_LANE, **QUIET)


def _question(c: Controls) -> list[Any]:
    return [c.picture, c.prompts, c.model, c.method, c.beside]


def _answer(c: Controls) -> list[Any]:
    return [c.view, c.status, c.code, c.query, c.method, c.beside]


def _drawn(c: Controls) -> list[Any]:
    return [c.opacity, c.colormap, c.turned, c.where]


def _shown(c: Controls) -> list[Any]:
    return [c.picture, c.image, c.prompts, c.suggested]


def _connect_opening(c: Controls) -> None:
    """The page opens: what the link asks is put on the page, then answered, then the models are listed."""
    page = gr.context.Context.root_block
    put = [*_shown(c), c.model, c.method, c.beside, c.cards]
    opened = page.load(events.read_link, [c.default_model], put, **QUIET)
    asked, models = [c.default_model, *_question(c)], [c.default_model, c.model]
    _, answered = ask(
        c.turn, opened.then, events.answer_link, asked, _answer(c), c.status, events.fetch_link, models
    )
    _draw_answer(c, answered)
    _list_models(c, answered.then)


def _list_models(c: Controls, after: Event) -> None:
    after(events.show_models, [c.view, c.default_model], [c.model, c.model_note], **QUIET)


def _connect_questions(c: Controls) -> None:
    """Another picture, other prompts, another model or method: the model is asked."""
    for trigger in (c.explain.click, c.prompts.submit):
        *_, drawn = _ask(c, trigger)
        drawn.success(None, None, None, js=scroll_to("cards"), **PRIVATE)
    for trigger in (c.method.choose, c.beside.choose):
        _ask(c, trigger)
    fetched, asked, _ = _ask(c, c.model.choose)
    for after in (
        fetched.failure,
        asked.then,
    ):  # also after a failure: the list goes back to the model that answered
        _list_models(c, after)
    c.image.clear(events.no_picture, None, [c.picture, c.status], **QUIET)
    given = c.image.upload(events.take_picture, [c.image], [c.picture], **QUIET)
    _ask(c, given.success)
    for trigger, handler in ((c.gallery.select, events.pick), (c.new_scene.click, events.new_scene)):
        picked = trigger(handler, [c.prompts, c.suggested], _shown(c), **QUIET)
        _ask(c, picked.success)
    chosen = c.cards.word(
        events.choose_word, [c.view], [c.view], **PRIVATE, **MODEL_LANE, show_progress_on=c.status
    )
    _draw(c, chosen.success)


def _connect_drawing(c: Controls) -> None:
    """Strength, colours, reversal: the kept maps are drawn again; the last wish wins."""
    for trigger in (c.opacity.input, c.colormap.choose, c.turned.input, c.where.input):
        _draw(c, trigger)


def _connect_files(c: Controls) -> None:
    seen = [c.view, *_drawn(c)]
    save(c.cards.save, events.save_map, seen, c.file, c.status)
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), seen, c.file, c.status)
    show_link(c.query, c.link)
