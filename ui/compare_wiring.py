"""Who calls what on the Compare tab; the lanes are those of the whole page. Nothing here is public."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui import compare_events as events
from ui import explain_events
from ui.choice import Choice
from ui.explain_wiring import Controls as ExplainControls
from ui.keeping import save, show_link
from ui.lanes import DRAWING_LANE, QUIET
from ui.picture_input import PictureInput
from ui.tiles import TileGrid
from ui.turns import Event, Waiting, ask, stop

WITH_SEARCH = "(view, adopted, model, query) => [view, adopted, model, location.search]"


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    picture: gr.State
    turn: gr.State
    found: gr.State
    suggested: gr.State
    adopted: gr.State
    default_model: gr.State
    image: PictureInput
    gallery: gr.Gallery
    new_scene: gr.Button
    mask_box: gr.Accordion
    mask: PictureInput
    prompt: gr.Textbox
    compare: gr.Button
    stop: gr.Button
    status: gr.Markdown
    background: gr.Radio
    shuffled: gr.Checkbox
    random: gr.Checkbox
    slow: gr.Checkbox
    model: Choice
    model_note: gr.Markdown
    order: Choice
    colormap: Choice
    opacity: gr.Slider
    tiles: TileGrid
    savers: dict[str, gr.Button]
    file: gr.File
    query: gr.Textbox
    link: gr.Textbox
    code: gr.Code


def connect(c: Controls, tabs: gr.Tabs, tab: gr.Tab, explained: ExplainControls) -> None:
    """Connects the tab's components."""
    running = [_connect_opening(c, tabs, tab, explained), *_connect_questions(c)]
    stop(c.turn, c.stop, events.stopped, [c.found], [c.status], running)
    for trigger in (c.opacity.input, c.colormap.choose, c.order.choose):
        _draw(c, trigger)
    _connect_files(c)


def _ask(c: Controls, after: Event) -> Waiting:
    """A question: the model's files are fetched, the methods answer one by one."""
    question = [*_question(c), *_style(c), c.found]
    fetched, asked = ask(
        c.turn, after, events.compare, question, _answer(c), c.status, explain_events.fetch, [c.model]
    )
    _draw(c, asked.success, events.redraw_if_restyled)
    return fetched, asked


def _draw(c: Controls, after: Event, handler: Callable[..., Any] = events.redraw) -> Dependency:
    return after(handler, [c.found, *_style(c)], [c.tiles], **DRAWING_LANE, **QUIET)


def _question(c: Controls) -> list[Any]:
    return [c.picture, c.prompt, c.model, c.background, c.shuffled, c.random, c.mask, c.slow]


def _style(c: Controls) -> list[Any]:
    return [c.opacity, c.colormap, c.order]


def _answer(c: Controls) -> list[Any]:
    return [c.found, c.tiles, c.status, c.code, c.query]


def _shown(c: Controls) -> list[Any]:
    return [c.picture, c.image, c.prompt, c.suggested, c.mask_box, c.mask, c.background]


def _connect_opening(c: Controls, tabs: gr.Tabs, tab: gr.Tab, explained: ExplainControls) -> Waiting:
    """A link to a comparison opens it; else the tab, when it is selected, asks what the Explain tab asked last."""
    page = gr.context.Context.root_block
    switches = [c.shuffled, c.random, c.order]
    put = [*_shown(c), c.model, *switches, c.tiles, c.adopted, tabs]
    page.load(events.read_link, [c.default_model], put, **QUIET)
    theirs = [explained.view, c.adopted, c.default_model, c.query]
    taken = [*_shown(c), c.model, c.tiles, c.adopted]
    selected = tab.select(events.adopt, theirs, taken, js=WITH_SEARCH, **QUIET)
    selected.then(events.show_models, [c.model, c.default_model], [c.model, c.model_note], **QUIET)
    asked = _ask(c, c.adopted.change)
    _list_after(c, *(job.failure for job in asked))
    return asked


def _list_after(c: Controls, *events_before: Event) -> None:
    """The list goes back to the model that answered."""
    for after in events_before:
        after(events.show_models_of, [c.found, c.default_model], [c.model, c.model_note], **QUIET)


def _connect_questions(c: Controls) -> list[Waiting]:
    """Another picture, prompt, model or experiment: the methods are asked."""
    triggers: list[Event] = [c.compare.click, c.prompt.submit]
    triggers += [box.input for box in (c.background, c.shuffled, c.random, c.slow)]
    c.image.clear(explain_events.no_picture, None, [c.picture, c.status], **QUIET)
    given = c.image.upload(
        events.take_picture, [c.image], [c.picture, c.mask_box, c.mask, c.background], **QUIET
    )
    triggers += [given.success, c.mask.upload, c.mask.clear]
    for trigger, handler in ((c.gallery.select, events.pick), (c.new_scene.click, events.new_scene)):
        picked = trigger(handler, [c.prompt, c.suggested], _shown(c), **QUIET)
        triggers.append(picked.success)
    running = [_ask(c, trigger) for trigger in triggers]
    fetched, answered = _ask(c, c.model.choose)
    _list_after(c, fetched.failure, answered.then)  # the latter also after a failure
    return [*running, (fetched, answered)]


def _connect_files(c: Controls) -> None:
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), [c.found, *_style(c)], c.file, c.status)
    show_link(c.query, c.link)
