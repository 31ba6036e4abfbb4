"""Who calls what on the Explain tab. Everything that may run a model shares one lane; nothing here is public."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ui import explain_events as events
from ui.cards import Cards
from ui.choice import Choice
from ui.picture_input import PictureInput

MODEL_LANE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden"}
SAVE_FILE = """(file) => {
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}"""
SHOW_CARDS = """() => {
  if (innerWidth < 700) document.getElementById("cards").scrollIntoView({ behavior: "smooth" });
}"""
FULL_LINK = "(query) => location.origin + location.pathname + query"


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    picture: gr.State
    view: gr.State
    suggested: gr.State
    default_model: gr.State
    image: PictureInput
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
    """Connects the tab's components; `ask` is what every question has in common."""
    answer = [c.view, c.cards, c.status, c.code, c.query, c.method, c.beside]
    question = [c.picture, c.prompts, c.model, c.method, c.beside]
    busy: dict[str, Any] = {**PRIVATE, **MODEL_LANE, "show_progress_on": c.status}
    _connect_opening(c, {"inputs": [c.default_model, *question], "outputs": answer, **busy})
    _connect_questions(c, {"inputs": [*question, *_drawn(c)], "outputs": answer, **busy})
    c.cards.word(events.choose_word, [c.view, *_drawn(c)], [c.view, c.cards], **busy)
    _connect_drawing(c)
    _connect_files(c)


def _drawn(c: Controls) -> list[Any]:
    return [c.opacity, c.colormap, c.turned]


def _shown(c: Controls) -> list[Any]:
    return [c.picture, c.image, c.prompts, c.suggested]


def _connect_opening(c: Controls, ask: dict[str, Any]) -> None:
    """The page opens: what the link asks is put on the page, then answered, then the models are listed."""
    page = gr.context.Context.root_block
    put = [*_shown(c), c.model, c.method, c.beside, c.cards]
    opened = page.load(events.read_link, [c.default_model], put, **QUIET)
    answered = opened.then(events.answer_link, **ask)
    answered.then(events.show_models, [c.view, c.default_model], [c.model, c.model_note], **QUIET)


def _connect_questions(c: Controls, ask: dict[str, Any]) -> None:
    """Another picture, other prompts, another model or method: the model is asked."""
    for trigger in (c.explain.click, c.prompts.submit):
        trigger(events.explain, **ask).success(None, None, None, js=SHOW_CARDS, **PRIVATE)
    for trigger in (c.method.choose, c.beside.choose):
        trigger(events.explain, **ask)
    asked = c.model.choose(events.explain, **ask)
    asked.then(events.show_models, [c.view, c.default_model], [c.model, c.model_note], **QUIET)
    c.image.clear(events.no_picture, None, [c.picture, c.status], **QUIET)
    given = c.image.upload(events.take_picture, [c.image], [c.picture], **QUIET)
    given.success(events.explain, **ask)
    for trigger, handler in ((c.gallery.select, events.pick_scene), (c.new_scene.click, events.new_scene)):
        picked = trigger(handler, [c.prompts, c.suggested], _shown(c), **QUIET)
        picked.success(events.explain, **ask)


def _connect_drawing(c: Controls) -> None:
    """Strength, colours, reversal: the kept maps are drawn again; the last wish wins."""
    drawing: dict[str, Any] = {
        "trigger_mode": "always_last",
        "concurrency_id": "redraw",
        "concurrency_limit": 4,
    }
    for trigger in (c.opacity.input, c.colormap.choose, c.turned.input):
        trigger(events.redraw, [c.view, *_drawn(c)], [c.cards], **drawing, **QUIET)


def _connect_files(c: Controls) -> None:
    """Downloads: the server writes the file, the page saves it. And the link, which only the browser knows in full."""
    slow: dict[str, Any] = {"show_progress_on": c.status, "concurrency_limit": 2, **PRIVATE}
    seen = [c.view, *_drawn(c)]
    saved = [c.cards.save(events.save_map, seen, [c.file], **slow)]
    saved += [
        button.click(partial(events.save_as, kind), seen, [c.file], **slow)
        for kind, button in c.savers.items()
    ]
    for event in saved:
        event.success(None, [c.file], None, js=SAVE_FILE, **PRIVATE)
    c.query.change(None, [c.query], [c.link], js=FULL_LINK, **PRIVATE)
