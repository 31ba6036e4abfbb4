"""Who calls what on the Edit tab; the lanes are those of the whole page. Nothing here is public."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui import edit_events as events
from ui import generate_events, generators
from ui.box_canvas import BoxCanvas
from ui.choice import Choice
from ui.edit_view import EditView
from ui.keeping import save, show_link
from ui.lanes import DRAWING_LANE, MODEL_LANE, PRIVATE, QUIET, scroll_to
from ui.picture_input import PictureInput
from ui.turns import Event, ask, stop
from ui.word_picker import WordPicker

IF_BARE = "(canvas, picture) => [canvas.background ? null : canvas, picture]"


@dataclass(frozen=True)
class Controls:
    """The components that events read and write. `generated`: the Generate tab's run; `clip`: the guiding model, "" for
    the generator's own.
    """

    picture: gr.State
    turn: gr.State
    suggested: gr.State
    run: gr.State
    clip: gr.State
    first: gr.State
    generated: gr.State
    image: PictureInput
    gallery: gr.Gallery
    new_scene: gr.Button
    take_made: gr.Button
    examples: dict[str, gr.Button]
    caption: gr.Textbox
    prompt: gr.Textbox
    picker: WordPicker
    where: gr.Accordion
    canvas: BoxCanvas
    make: gr.Button
    stop: gr.Button
    status: gr.Markdown
    way: gr.Radio
    generator: Choice
    generator_note: gr.Markdown
    strength: gr.Slider
    word_weight: gr.Slider
    seed: gr.Number
    new_seed: gr.Button
    steps: gr.Number
    view: EditView
    savers: dict[str, gr.Button]
    file: gr.File
    query: gr.Textbox
    link: gr.Textbox
    code: gr.Code


def connect(c: Controls, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Connects the tab's components."""
    _connect_opening(c, tabs, tab)
    _connect_pictures(c)
    _connect_words(c)
    _connect_edits(c)
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), [c.run], c.file, c.status)
    show_link(c.query, c.link)


def _wish(c: Controls) -> list[Any]:
    made = [c.generator, c.way, c.strength, c.word_weight, c.seed, c.steps]
    return [c.picture, c.prompt, c.picker, c.caption, c.canvas, *made]


def _given(c: Controls) -> list[Any]:
    return [c.picture, c.image, c.caption, c.prompt, c.suggested, c.picker, c.canvas]


def _shown(c: Controls) -> list[Any]:
    return [*_given(c), c.strength, c.word_weight, c.seed, c.steps, c.way, c.generator, c.where]


def _show_generators(c: Controls, after: Event) -> Dependency:
    listed = [c.generator, c.generator_note, c.way, c.strength]
    return after(events.show_generators, [c.generator, c.way], listed, **QUIET)


def _connect_opening(c: Controls, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """A link puts a wish on the page; when the tab is selected, its generators are listed, and one is opened."""
    page = gr.context.Context.root_block
    page.load(events.read_link, [c.first], [*_shown(c), tabs], **QUIET)
    tab.select(events.show_background, [c.canvas, c.picture], [c.canvas], js=IF_BARE, **QUIET)
    listed = _show_generators(c, tab.select)
    listed.then(generators.warm, [c.generator, c.clip], None, **QUIET, **MODEL_LANE)
    _show_generators(c, c.generator.choose)
    c.way.input(events.show_strength, [c.way], [c.strength], **QUIET)


def _connect_pictures(c: Controls) -> None:
    """Another picture: given, drawn, made under Generate, or an example's."""
    c.image.clear(events.no_picture, None, [c.picture, c.status], **QUIET)
    said = [c.picture, c.caption, c.suggested, c.status]
    given = c.image.upload(events.take_picture, [c.image, c.caption, c.suggested], said, **QUIET)
    drawn = given.then(events.show_canvas, [c.picture], [c.canvas], **QUIET)
    drawn.then(events.show_words, [c.prompt, c.caption, c.picker], [c.picker], **QUIET)
    c.gallery.select(events.pick, None, _given(c), **QUIET)
    c.new_scene.click(events.new_scene, None, _given(c), **QUIET)
    c.take_made.click(events.take_made, [c.generated], _given(c), **QUIET)
    for name, button in c.examples.items():
        shown = button.click(partial(events.show_example, name), None, _shown(c), **QUIET)
        _show_generators(c, shown.then)


def _connect_words(c: Controls) -> None:
    """The chips follow the texts as they are typed."""
    for typed in (c.prompt.input, c.caption.input):
        typed(events.show_words, [c.prompt, c.caption, c.picker], [c.picker], **QUIET, **DRAWING_LANE)


def _connect_edits(c: Controls) -> None:
    c.new_seed.click(generate_events.new_seed, None, [c.seed], **QUIET)
    shown, running = [c.run, c.view, c.status, c.code, c.query], []
    models = [c.generator, c.clip]
    for trigger in (c.make.click, c.prompt.submit):
        fetched, edited = ask(
            c.turn, trigger, events.edit, _wish(c), shown, c.status, generate_events.fetch, models
        )
        fetched.success(None, None, None, js=scroll_to("edit"), **PRIVATE)
        running.append((fetched, edited))
    stop(c.turn, c.stop, events.stopped, [c.run], [c.view, c.status], running)
