"""Handlers of the Explain tab: plain functions, values in and values out; the visitor's page holds the state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ui.components import box_canvas, choices
from ui.components.takeaway import saved_file
from ui.shared.answering import answering
from ui.shared.drawing import Look, waiting
from ui.shared.errors import in_plain_words, told
from ui.shared.inputs import parse_prompts
from ui.shared.links import FIRST_METHODS, NO_METHOD, read_query
from ui.shared.pictures import Picture, kept_or, suggested_prompts
from ui.tabs.explain import boxes as where
from ui.tabs.explain import drawing, share, text
from ui.tabs.explain.share import write_query
from ui.tabs.explain.view import View, look, select_word

Answer = tuple[View, str, str, str, dict[str, Any], dict[str, Any]]
Shown = tuple[Picture, Any, str, str]


def read_link(default_model: str, request: gr.Request) -> tuple[Any, ...]:
    """The question of the page's address: a picture, its prompts and the choices; the cards wait for the answer."""
    question, problem = read_query(dict(request.query_params), default_model)
    if problem:
        gr.Warning(problem, title="About this link")
    picture = question.picture
    return (
        picture,
        picture.in_box(),
        question.text,
        suggested_prompts(picture),
        choices.plain("Model", question.model),
        choices.plain("Map", question.method),
        choices.plain("Beside it", question.beside),
        waiting(picture),
    )


def answer_link(
    default_model: str, picture: Picture, prompts: str, model: str, method: str, beside: str
) -> Answer:
    """The first answer. What a link asks may not exist: then the first methods and the default model answer."""
    try:
        return explain(picture, prompts, model, method, beside)
    except gr.Error as error:
        if (model, method, beside) == (default_model, *FIRST_METHODS):
            raise
        gr.Warning(f"{error.message} Here is the usual view instead.", title="About this link")
        return explain(picture, prompts, default_model, *FIRST_METHODS)


@told
def explain(picture: Picture, prompts: str, model: str, method: str, beside: str) -> Answer:
    """Ask the model; returns all that an answer changes on the page but the cards, which `redraw` draws."""
    asked = parse_prompts(prompts)
    methods = (method,) if beside in (NO_METHOD, method) else (method, beside)
    who = answering(model, picture)
    view = look(picture, asked, who.name, methods, who.automatic)
    return (
        view,
        text.status(len(asked), who.said, view.seconds),
        share.as_python(view),
        write_query(view),
        choices.methods("Map", method, view.model),
        choices.methods("Beside it", beside, view.model, with_none=True),
    )


def show_models(view: View | None, default_model: str) -> tuple[dict[str, Any], str]:
    """The list of models, those that cannot be had now greyed, and what may be asked of the chosen one."""
    selected = choices.selected(view.model, view.automatic) if view else default_model
    return choices.models(selected), choices.model_note(selected)


def show_picture(picture: Picture, prompts: str, suggested: str) -> Shown:
    """Another picture, what the box shows of it, prompts and suggestions."""
    fresh = suggested_prompts(picture)
    return picture, picture.in_box(), kept_or(fresh, prompts, suggested), fresh


@told
def redraw(
    view: View | None, opacity: float, colormap: str, turned: bool, boxes: Any = None
) -> dict[str, Any]:
    """The kept maps as cards; no model runs, so no lane is needed. `boxes`: what the canvas holds."""
    return drawing.cards(_answered(view), Look(opacity, colormap, turned, where.read_where(boxes)))


def show_where(view: View | None, boxed: str | None) -> tuple[Any, Any, str | None]:
    """Boxes can be drawn on a picture of the visitor's own. `boxed`: the picture that they can be drawn on now."""
    path = None if view is None else view.picture.path
    if path == boxed:
        return gr.skip(), gr.skip(), path
    if view is None or path is None:
        return gr.update(visible=False), box_canvas.canvas_value(()), path
    return gr.update(visible=True), drawing.canvas_over(view), path


@told
def choose_word(event: gr.EventData, view: View | None) -> View:
    """A word was selected in a card: its map as a prompt of its own; selected again, the whole prompt."""
    card, word = _event_field(event, "card", int), _event_field(event, "word", str)
    return select_word(_answered(view), card, word)


def save_map(
    event: gr.EventData, view: View | None, opacity: float, colormap: str, turned: bool, boxes: Any = None
) -> Iterator[str]:
    """One map over the picture at full size, as a file."""
    with in_plain_words():
        seen, look_now = _answered(view), Look(opacity, colormap, turned, where.read_where(boxes))
        card, place = _event_field(event, "card", int), _event_field(event, "map", int)
        if not (0 <= card < len(seen.prompts) and 0 <= place < len(seen.methods)):
            raise ValueError("this map is not on the page any more: press Explain and save it again")
    yield from saved_file(
        lambda folder: share.save_overlay(seen, look_now, card, seen.methods[place], folder)
    )


def save_as(
    kind: str, view: View | None, opacity: float, colormap: str, turned: bool, boxes: Any = None
) -> Iterator[str]:
    """Everything on the page as a file of one kind, a key of share.SAVERS."""
    with in_plain_words():
        seen, look_now = _answered(view), Look(opacity, colormap, turned, where.read_where(boxes))
    yield from saved_file(lambda folder: share.SAVERS[kind](seen, look_now, folder))


def _answered(view: View | None) -> View:
    if view is None:
        raise ValueError("there is nothing to show yet: choose a picture, type prompts and press Explain")
    return view


def _event_field(event: gr.EventData, name: str, kind: type) -> Any:
    """One field of what the cards report; it comes from the browser, so it may be anything."""
    value = event._data.get(name) if isinstance(event._data, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} is {str(value)[:40]!r}: the page sends a {kind.__name__}")
    return value
