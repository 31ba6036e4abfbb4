"""What happens on the Compare tab. Plain functions, values in and values out; the visitor's page holds the state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from ui import choices, compare_export, compare_link, comparison, comparison_drawing, wording
from ui.answering import answering
from ui.asking import GALLERY
from ui.comparison import Adopted, Asked, Comparison
from ui.comparison_drawing import Style, Tiles
from ui.errors import in_plain_words, told
from ui.explain_events import saved_file
from ui.link import FIRST_PICTURE
from ui.view import Picture, View, kept_or, new_scene_picture, suggested_prompt

BETWEEN = 0.15  # seconds between two looks at the tiles while they come
COMPARE_TAB = "compare"  # its id among the tabs

Answer = tuple[Comparison, dict[str, Any], str, str, str]
Shown = tuple[Picture, Any, str, str, Any, Any, Any]


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
            compare_export.as_python(asked),
            compare_link.write_query(asked, order),
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
        said = wording.compared(len(found.answers), label, found.took, found.finished)
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


def read_link(default_model: str, request: gr.Request) -> tuple[Any, ...]:
    """The comparison that the page's address asks for, if it asks for one; and the tab to open."""
    query = dict(request.query_params)
    if query.get("tab") != COMPARE_TAB:
        return tuple(gr.skip() for _ in range(14))
    asked, order, problem = compare_link.read_query(query, default_model)
    if problem:
        gr.Warning(problem, title="About this link")
    shown = list(_shown(asked.picture, asked.prompt, asked.prompt))
    if asked.picture.scene is not None:
        shown[-1] = gr.update(value=asked.background, visible=True)
    return (
        *shown,
        choices.plain("Model", asked.model),
        asked.shuffled,
        asked.random,
        comparison_drawing.order_choice(order),
        comparison_drawing.before_the_first(asked.picture),
        (asked.picture, asked.prompt, asked.model),
        gr.update(selected=COMPARE_TAB),
    )


def adopt(view: View | None, adopted: Adopted | None, default_model: str, search: str) -> tuple[Any, ...]:
    """The tab is opened: with the picture, first prompt and model that the Explain tab answered last, if they are new.

    `search`: the query of the page's address. Before the first answer a link to a comparison brings its own question.
    """
    theirs: Adopted | None = adopted
    if view is not None:
        theirs = (view.picture, view.prompts[0], choices.selected(view.model, view.automatic))
    elif adopted is None and f"tab={COMPARE_TAB}" not in search:
        theirs = (FIRST_PICTURE, suggested_prompt(FIRST_PICTURE), default_model)
    if theirs is None or theirs == adopted:
        return tuple(gr.skip() for _ in range(10))
    picture, prompt, model = theirs
    with in_plain_words():
        waiting = comparison_drawing.before_the_first(picture) if adopted is None else gr.skip()
        return (*_shown(picture, prompt, prompt), choices.plain("Model", model), waiting, theirs)


def show_models(selected: str, default_model: str) -> tuple[dict[str, Any], str]:
    """The list of models, those that cannot be had now greyed, and what may be asked of the chosen one, or of the usual
    one where a link chose what does not exist.
    """
    from explain.catalogue import AUTOMATIC, CATALOGUE

    model = selected if selected in CATALOGUE or selected == AUTOMATIC else default_model
    return choices.models(model), choices.model_note(model)


def show_models_of(found: Comparison | None, default_model: str) -> tuple[dict[str, Any], str]:
    """The same for the model that answered last: after a failure the list goes back to it."""
    asked = found.asked if found else None
    return show_models(
        choices.selected(asked.model, asked.automatic) if asked else default_model, default_model
    )


def take_picture(path: str | None) -> tuple[Picture, Any, Any, Any]:
    """The visitor filled the picture box: its background cannot be changed, but a mask can be given."""
    return Picture(path=path), *_for_uploads()


def pick(event: gr.SelectData, prompt: str, suggested: str) -> Shown:
    """A picture of the gallery."""
    return _another(GALLERY[event.index], prompt, suggested)


def new_scene(prompt: str, suggested: str) -> Shown:
    """A scene that nobody has seen before, or hardly anybody."""
    return _another(new_scene_picture(), prompt, suggested)


def save_as(kind: str, found: Comparison | None, opacity: float, colormap: str, order: str) -> Iterator[str]:
    """Everything on the page as a file of one kind, a key of compare_export.SAVERS."""
    with in_plain_words():
        if found is None or not found.answers:
            raise ValueError("there is nothing to save yet: press Compare")
        style = Style(opacity, colormap, order)
    yield from saved_file(lambda folder: compare_export.SAVERS[kind](found, style, folder))


def _another(picture: Picture, prompt: str, suggested: str) -> Shown:
    """Another picture."""
    fresh = suggested_prompt(picture)
    return _shown(picture, kept_or(fresh, prompt, suggested), fresh)


def _shown(picture: Picture, prompt: str, suggested: str) -> Shown:
    """Picture, what the box shows, prompt, suggestion, mask and background."""
    drawn = picture.scene is not None
    last = (gr.update(visible=False), None, gr.update(visible=True)) if drawn else _for_uploads()
    return picture, picture.in_box(), prompt, suggested, *last


def _for_uploads() -> tuple[Any, Any, Any]:
    return gr.update(visible=True), None, gr.update(visible=False, value=wording.AS_DRAWN)
