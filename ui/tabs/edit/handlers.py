"""Handlers of the Edit tab: plain functions, values in and values out; the visitor's page holds the state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from ui.components import box_canvas, choices, word_picker
from ui.components.takeaway import saved_file
from ui.events.streaming import streamed
from ui.shared.drawing import CANVAS, encoded
from ui.shared.errors import in_plain_words, told
from ui.shared.inputs import whole
from ui.shared.pictures import Picture, shrink
from ui.shared.text import generator_label
from ui.tabs.edit import run as editing
from ui.tabs.edit import share, text
from ui.tabs.edit.drawing import drawn
from ui.tabs.edit.examples import EXAMPLES
from ui.tabs.edit.run import EditRun, EditWish
from ui.tabs.edit.share import EDIT_TAB
from ui.tabs.generate.run import Run

Answer = tuple[Any, ...]  # the run, as it is drawn, what is said, Python and link

WAYS = [("Draw anew (diffusion)", "diffusion"), ("Nudge the picture (latents)", "latents")]


def wish_of(
    picture: Picture,
    prompt: str,
    picker: Any,
    caption: str,
    canvas: Any,
    generator: str,
    way: str,
    strength: Any,
    word_weight: Any,
    seed: Any,
    steps: Any,
) -> EditWish:
    """Returns what the page holds as a wish; what is wrong with it is reported when it is read."""
    prompt, caption = prompt or "", caption or ""
    return EditWish(
        picture,
        prompt,
        # Not what the chips show, which may be those of a text that was typed over just now.
        word_picker.chosen_words(prompt, caption, word_picker.taps_of(picker)),
        caption,
        tuple(box_canvas.plain_boxes(canvas)),
        generator,
        way or "",
        editing.STRENGTH if strength is None else strength,
        editing.LAMBDA if word_weight is None else word_weight,
        whole("seed", seed),
        whole("steps", steps),
    )


def edit(*page: Any) -> Iterator[Answer]:
    """Edit the picture; what the page shows, as its steps come."""
    with in_plain_words():
        wish = wish_of(*page)
        label = generator_label(wish.generator)
    yield from streamed(
        editing.edit(wish),
        drawn,
        lambda run: text.edited(run, label),
        lambda run: (share.as_python(run), share.write_query(wish)),
    )


def stopped(run: EditRun | None) -> tuple[Any, str]:
    """The visitor has seen enough: what is there stays."""
    if run is None or run.finished or run.before is None:
        return gr.skip(), "Stopped."
    return drawn(run, stopped=True), "Stopped."


@told
def show_words(prompt: str, caption: str, picker: Any) -> dict[str, Any]:
    """The chips of the text as it stands now; what was tapped stays tapped, and what is tapped meanwhile too."""
    taps, seen = word_picker.taps_of(picker), word_picker.seen_of(picker)
    return word_picker.picker_value(prompt or "", caption or "", taps, seen)


def show_example(name: str) -> dict[str, Any]:
    """Puts an example's wish on the page."""
    return shown(EXAMPLES[name])


def shown(wish: EditWish) -> dict[str, Any]:
    """Returns what the page holds of a wish."""
    taps = word_picker.as_tapped(wish.prompt, tuple(wish.words))
    return {
        "picture": wish.picture,
        "image": wish.picture.open(),
        "caption": wish.caption,
        "prompt": wish.prompt,
        "suggested": editing.scene_caption(wish.picture),
        "picker": word_picker.picker_value(wish.prompt, wish.caption, taps),
        "canvas": canvas_on(wish.picture, wish.boxes),
        "strength": wish.strength,
        "word_weight": wish.word_weight,
        "seed": wish.seed,
        "steps": wish.steps,
        "way": wish.way or "diffusion",
        "generator": choices.plain("Generator", wish.generator),
        "where": gr.update(open=bool(wish.boxes)),
    }


def canvas_on(picture: Picture, boxes: Any = ()) -> dict[str, Any]:
    """A canvas for one box on the picture, which is made small: it travels with every event."""
    opened = picture.open()
    background = encoded(shrink(opened, CANVAS))
    return box_canvas.canvas_value(boxes, background, opened.width / opened.height, "Your picture", 1)


def read_link(first: EditWish, request: gr.Request) -> dict[str, Any]:
    """The wish of the page's address, if it asks for one; and the tab to open. Nothing is made before it is asked.

    The first picture becomes the visitor's here, and is no default: one that is lost must not turn into another.
    """
    query = dict(request.query_params)
    if query.get("tab") != EDIT_TAB:
        return {"picture": first.picture}
    wish, problem = share.read_query(query, first)
    if problem:
        gr.Warning(problem, title="About this link")
    return shown(wish) | {"tabs": gr.update(selected=EDIT_TAB)}


def take_picture(path: str | None, caption: str, suggested: str) -> tuple[Picture, str, str, str]:
    """The visitor filled the picture box; what was said of the drawn scene before is not true of it, nor the status."""
    return Picture(path=path), "" if caption == suggested else caption, "", ""


@told
def show_canvas(picture: Picture) -> dict[str, Any]:
    """The canvas with another picture; the box of the one before is gone."""
    return canvas_on(picture)


@told
def show_background(canvas: Any, picture: Picture) -> Any:
    """The tab is opened for the first time: its canvas gets the picture, which all who open the page need not load."""
    return gr.skip() if canvas is None else canvas_on(picture, box_canvas.plain_boxes(canvas))


def show_picture(picture: Picture, caption: str | None = None) -> dict[str, Any]:
    """Another picture: what it shows in words is also the text to change."""
    says = editing.scene_caption(picture) if caption is None else caption
    return {
        "picture": picture,
        "image": picture.open(),
        "caption": says,
        "prompt": says,
        "suggested": says,
        "picker": word_picker.picker_value(says, says),
        "canvas": canvas_on(picture),
    }


@told
def take_made(run: Run | None) -> dict[str, Any]:
    """The picture that the visitor made under Generate last."""
    if run is None or run.last is None or not run.last.finished:
        raise ValueError("make a picture under Generate first, then come back")
    return show_picture(Picture(made=run.last.image), run.recipe.layout.prompt)


def show_generators(selected: str, way: str) -> tuple[dict[str, Any], str, Any, Any]:
    """The list of generators, those that cannot be had now greyed, what the chosen one is good for, the ways it can go,
    and strength, where the way has one.
    """
    from guidance.generators.catalogue import GENERATORS

    entry = GENERATORS.get(selected)
    able = WAYS if entry is None or entry.kind == "diffusion" else WAYS[1:]
    way = way if way in [name for _, name in able] else able[0][1]
    note = choices.generator_note(selected) if entry else ""
    return choices.generators(selected), note, gr.update(choices=able, value=way), show_strength(way)


def show_strength(way: str) -> Any:
    """Strength is a matter of noise: only diffusion has it."""
    return gr.update(visible=way != "latents")


def save_as(kind: str, run: EditRun | None) -> Iterator[str]:
    """The run as a file of one kind, a key of share.SAVERS."""
    with in_plain_words():
        if run is None or not run.steps:
            raise ValueError("there is nothing to save yet: press Edit the picture")
        save = partial(share.SAVERS[kind], run)
    yield from saved_file(save)
