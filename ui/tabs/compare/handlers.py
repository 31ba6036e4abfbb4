"""Handlers of the Compare tab: plain functions, values in and values out; the visitor's page holds the state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import gradio as gr

from ui.components import choices
from ui.components.choices import show_models
from ui.components.takeaway import saved_file
from ui.shared.answering import answering
from ui.shared.errors import in_plain_words, told
from ui.shared.links import FIRST_PICTURE
from ui.shared.pictures import Picture, kept_or, suggested_prompt
from ui.tabs.compare import comparison, drawing, share, text
from ui.tabs.compare.comparison import Adopted, Asked, Comparison, Style
from ui.tabs.compare.drawing import Tiles

BETWEEN = 0.15  # seconds between two looks at the tiles while they come
COMPARE_TAB = "compare"  # its id among the tabs

Answer = tuple[Comparison, dict[str, Any], str, str, str]


class Answered(Protocol):
    """Part of an answer on the Explain tab that is taken over."""

    picture: Picture
    prompts: tuple[str, ...]
    model: str
    automatic: bool


def compare(
    picture: Picture,
    prompt: str,
    model: str,
    background: str,
    shuffled: bool,
    random: bool,
    mask: str | None,
    slow: bool,
    opacity: float,
    colormap: str,
    order: str,
    previous: Comparison | None,
) -> Iterator[Answer]:
    """Ask every method; what the page shows, as the tiles come. Nothing is yielded inside a `with`."""
    with in_plain_words():
        mask = mask if picture.scene is None else None
        who = answering(model, picture)
        asked = Asked(picture, prompt, who.name, background, shuffled, random, mask, who.automatic)
        tiles = Tiles(Style(opacity, colormap, order))
        label, code, query = (
            who.said,
            share.as_python(asked),
            share.write_query(asked, order),
        )
        steps = comparison.compare(asked, slow, previous)
    looked = 0.0
    while True:
        with in_plain_words():
            found = next(steps, None)
            if found is None:
                return
            if not found.answers or (not found.finished and time.monotonic() - looked < BETWEEN):
                continue
            drawn = tiles.value(found)
        looked = time.monotonic()
        said = text.compared(len(found.answers), label, found.took, found.finished)
        yield replace(found, style=tiles.style), drawn, said, code, query


@told
def redraw(found: Comparison | None, opacity: float, colormap: str, order: str) -> Any:
    """The kept maps as tiles, in another order or other colours; no model runs."""
    if found is None:
        return gr.skip()
    return Tiles(Style(opacity, colormap, order)).value(found)


@told
def redraw_if_restyled(found: Comparison | None, opacity: float, colormap: str, order: str) -> Any:
    """After an answer: what the visitor changed while the tiles came."""
    if found is None or found.style == Style(opacity, colormap, order):
        return gr.skip()
    return redraw(found, opacity, colormap, order)


def stopped(found: Comparison | None) -> str:
    """The visitor has seen enough: the methods that have answered stay."""
    count = len(found.answers) if found else 0
    return f"Stopped. {count} {'method' if count == 1 else 'methods'} answered."


def read_link(default_model: str, request: gr.Request) -> dict[str, Any]:
    """The comparison that the page's address asks for, if it asks for one; and the tab to open."""
    query = dict(request.query_params)
    if query.get("tab") != COMPARE_TAB:
        return {}
    asked, order, problem = share.read_query(query, default_model)
    if problem:
        gr.Warning(problem, title="About this link")
    shown = _shown(asked.picture, asked.prompt, asked.prompt)
    if asked.picture.scene is not None:
        shown["background"] = gr.update(value=asked.background, visible=True)
    return shown | {
        "model": choices.plain("Model", asked.model),
        "shuffled": asked.shuffled,
        "random": asked.random,
        "order": drawing.order_choice(order),
        "tiles": drawing.before_the_first(asked.picture),
        "adopted": (asked.picture, asked.prompt, asked.model),
        "tabs": gr.update(selected=COMPARE_TAB),
    }


def adopt(view: Answered | None, adopted: Adopted | None, default_model: str, search: str) -> dict[str, Any]:
    """The tab is opened: with the picture, first prompt and model that the Explain tab answered last, if they are new.

    `search`: the query of the page's address. Before the first answer a link to a comparison brings its own question.
    """
    theirs: Adopted | None = adopted
    if view is not None:
        theirs = (view.picture, view.prompts[0], choices.selected(view.model, view.automatic))
    elif adopted is None and f"tab={COMPARE_TAB}" not in search:
        theirs = (FIRST_PICTURE, suggested_prompt(FIRST_PICTURE), default_model)
    if theirs is None or theirs == adopted:
        return {}
    picture, prompt, model = theirs
    with in_plain_words():
        changed = _shown(picture, prompt, prompt) | {
            "model": choices.plain("Model", model),
            "adopted": theirs,
        }
        return changed if adopted else changed | {"tiles": drawing.before_the_first(picture)}


def show_models_of(found: Comparison | None, default_model: str) -> tuple[dict[str, Any], str]:
    """Lists models with the one that answered last chosen: after a failure the list goes back to it."""
    asked = found.asked if found else None
    return show_models(
        choices.selected(asked.model, asked.automatic) if asked else default_model, default_model
    )


def take_picture(path: str | None) -> dict[str, Any]:
    """The visitor filled the picture box: its background cannot be changed, but a mask can be given."""
    return {"picture": Picture(path=path)} | _for_uploads()


def show_picture(picture: Picture, prompt: str, suggested: str) -> dict[str, Any]:
    """Another picture."""
    fresh = suggested_prompt(picture)
    return _shown(picture, kept_or(fresh, prompt, suggested), fresh)


def save_as(kind: str, found: Comparison | None, opacity: float, colormap: str, order: str) -> Iterator[str]:
    """Everything on the page as a file of one kind, a key of share.SAVERS."""
    with in_plain_words():
        if found is None or not found.answers:
            raise ValueError("there is nothing to save yet: press Compare")
        style = Style(opacity, colormap, order)
    yield from saved_file(lambda folder: share.SAVERS[kind](found, style, folder))


def _shown(picture: Picture, prompt: str, suggested: str) -> dict[str, Any]:
    drawn = {"mask_box": gr.update(visible=False), "mask": None, "background": gr.update(visible=True)}
    return {
        "picture": picture,
        "image": picture.in_box(),
        "prompt": prompt,
        "suggested": suggested,
    } | (drawn if picture.scene is not None else _for_uploads())


def _for_uploads() -> dict[str, Any]:
    return {
        "mask_box": gr.update(visible=True),
        "mask": None,
        "background": gr.update(visible=False, value=comparison.AS_DRAWN),
    }
