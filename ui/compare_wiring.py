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
from ui.lanes import (
    DOWNLOAD_LANE,
    DRAWING_LANE,
    MODEL_LANE,
    PRIVATE,
    QUIET,
)
from ui.picture_input import PictureInput
from ui.tiles import TileGrid

WITH_SEARCH = "(view, adopted, model, query) => [view, adopted, model, location.search]"
Event = Callable[..., Dependency]


@dataclass(frozen=True)
class Controls:
    """The components that events read and write."""

    picture: gr.State
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
    running = [*_connect_opening(c, tabs, tab, explained), *_connect_questions(c)]
    c.stop.click(events.stopped, [c.found], [c.status], cancels=running, **QUIET)
    for trigger in (c.opacity.input, c.colormap.choose, c.order.choose):
        _draw(c, trigger)
    _connect_files(c)


def _ask(c: Controls, after: Event) -> Dependency:
    """A question: the model's files are fetched, the methods answer one by one."""
    fetched = after(explain_events.fetch, [c.model], None, **_fetching(c))
    return _compare(c, fetched.success)


def _compare(c: Controls, after: Event) -> Dependency:
    asked = after(events.compare, [*_question(c), *_style(c), c.found], _answer(c), **_asking(c))
    _draw(c, asked.success, events.redraw_if_restyled)
    return asked


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


def _fetching(c: Controls) -> dict[str, Any]:
    return {**PRIVATE, **DOWNLOAD_LANE, "show_progress_on": c.status}


def _asking(c: Controls) -> dict[str, Any]:
    """ "multiple", or a page whose stopped answer is not quite over yet would drop the next question."""
    return {**PRIVATE, **MODEL_LANE, "trigger_mode": "multiple", "show_progress_on": c.status}


def _connect_opening(c: Controls, tabs: gr.Tabs, tab: gr.Tab, explained: ExplainControls) -> list[Dependency]:
    """A link to a comparison opens it; else the tab, when it is selected, asks what the Explain tab asked last."""
    page = gr.context.Context.root_block
    switches = [c.shuffled, c.random, c.order]
    put = [*_shown(c), c.model, *switches, c.tiles, c.adopted, tabs]
    opened = page.load(events.read_link, [c.default_model], put, **QUIET)
    linked = _compare_if_asked(c, opened)
    theirs = [explained.view, c.adopted, c.default_model, c.query]
    selected = tab.select(events.adopt, theirs, [*_shown(c), c.model, c.adopted], js=WITH_SEARCH, **QUIET)
    adopted = _compare_if_asked(c, selected)
    return [linked, adopted]


def _compare_if_asked(c: Controls, before: Dependency) -> Dependency:
    asked = before.then(
        events.compare_if_new, [c.adopted, *_question(c), *_style(c), c.found], _answer(c), **_asking(c)
    )
    asked.then(events.show_models, [c.model], [c.model, c.model_note], **QUIET)
    return asked


def _connect_questions(c: Controls) -> list[Dependency]:
    """Another picture, prompt, model or experiment: the methods are asked."""
    triggers: list[Event] = [c.compare.click, c.prompt.submit]
    triggers += [box.input for box in (c.background, c.shuffled, c.random, c.slow)]
    c.image.clear(explain_events.no_picture, None, [c.picture, c.status], **QUIET)
    given = c.image.upload(
        events.take_picture, [c.image], [c.picture, c.mask_box, c.mask, c.background], **QUIET
    )
    triggers += [given.success, c.mask.upload, c.mask.clear]
    for trigger, handler in ((c.gallery.select, events.pick_scene), (c.new_scene.click, events.new_scene)):
        picked = trigger(handler, [c.prompt, c.suggested], _shown(c), **QUIET)
        triggers.append(picked.success)
    asked = [_ask(c, trigger) for trigger in triggers]
    fetched = c.model.choose(explain_events.fetch, [c.model], None, **_fetching(c))
    answered = _compare(c, fetched.success)
    for after in (fetched.failure, answered.then):
        after(events.show_models_of, [c.found, c.default_model], [c.model, c.model_note], **QUIET)
    return [*asked, answered]


def _connect_files(c: Controls) -> None:
    for kind, button in c.savers.items():
        save(button.click, partial(events.save_as, kind), [c.found, *_style(c)], c.file, c.status)
    show_link(c.query, c.link)
