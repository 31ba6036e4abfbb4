"""The Compare tab: one picture, one prompt, every method side by side, and three experiments; and who calls what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import Dependency

from explain.clip.catalogue import AUTOMATIC
from ui.components import choices
from ui.components.choice import Choice
from ui.components.look_controls import colours, strength
from ui.components.picture_chooser import PictureChooser
from ui.components.picture_input import picture_input
from ui.components.takeaway import Takeaway
from ui.components.views import TileGrid
from ui.events import fetching
from ui.events.queues import DRAWING_LANE, QUIET, VIEW_SECONDS
from ui.events.requests import Event, Turn, Waiting, ask, named, stop
from ui.shared.links import FIRST_PICTURE
from ui.shared.pictures import Picture, suggested_prompt
from ui.shared.text import AUTOMATIC_NOTE
from ui.tabs.compare import comparison, drawing, handlers, share, text

LINK = "Link to this comparison (an uploaded picture is not part of it)"
WITH_SEARCH = "(view, adopted, model, query) => [view, adopted, model, location.search]"


class CompareTab:
    """The tab's components. It opens with what the Explain tab answered last, its `view`, which `adopted` then holds.

    `default_model`: the state of the model that is chosen when the page opens.
    """

    def __init__(
        self,
        model: str,
        tabs: gr.Tabs,
        tab: gr.Tab,
        view: gr.State,
        default_model: gr.State,
        adopted: gr.State,
    ) -> None:
        self.turn, self.suggested = gr.State(Turn()), gr.State("")
        self.found = gr.State(None, time_to_live=VIEW_SECONDS)
        self.adopted, self.default_model = adopted, default_model
        with gr.Row(elem_id="compare-tab", elem_classes="tab-row"):
            with gr.Column(scale=4, min_width=320, elem_classes="asking"):
                self._lay_out_question(FIRST_PICTURE, model)
            with gr.Column(scale=9, min_width=320, elem_classes="answers"):
                self._lay_out_answer()
        running = [self._connect_opening(tabs, tab, view), *self._connect_questions()]
        stop(self.turn, self.stop, handlers.stopped, [self.found], [self.status], running)
        for trigger in (self.opacity.input, self.colormap.choose, self.order.choose):
            self._draw(trigger)
        self.takeaway.connect(handlers.save_as, [self.found, *self._style], self.status)

    def _lay_out_question(self, picture: Picture, model: str) -> None:
        """Picture, prompt, model, and the experiments."""
        self.chooser = PictureChooser(picture, "compare-")
        with gr.Accordion("Where is the thing? Give a mask", open=False, visible=False) as self.mask_box:
            gr.Markdown("A picture of the same shape, white where the thing is and black elsewhere.")
            self.mask = picture_input(label="Mask", sources=["upload"], height=160, elem_id="mask")
        self.prompt = gr.Textbox(
            suggested_prompt(picture),
            label="Prompt",
            placeholder="a red car",
            lines=1,
            max_lines=1,
            elem_id="compare-prompt",
            elem_classes="prompt-box",
        )
        with gr.Row(elem_classes="asking-buttons"):
            self.compare = gr.Button("Compare", variant="primary", scale=3, min_width=120, elem_id="compare")
            self.stop = gr.Button("Stop", scale=1, min_width=70, elem_id="stop")
        self.status = gr.Markdown("", elem_id="compare-status", elem_classes="status-line")
        with gr.Column(elem_classes="experiments"):
            gr.Markdown("#### Change one thing, and see which maps follow")
            self.background = gr.Radio(
                [(label, name) for name, label in comparison.BACKGROUNDS.items()],
                value=comparison.AS_DRAWN,
                label="Where the thing is",
                elem_id="background",
            )
            self.shuffled = gr.Checkbox(label="Shuffle the words of the prompt", elem_id="shuffled")
            self.random = gr.Checkbox(label="Random weights: a model that never learnt", elem_id="random")
        self.slow = gr.Checkbox(
            False,
            label="Slow methods too: gScoreCAM and occlusion run the model hundreds of times",
            elem_id="slow",
        )
        self.model = Choice(choices.plain("Model", model), elem_id="compare-model")
        note = AUTOMATIC_NOTE if model == AUTOMATIC else ""
        self.model_note = gr.Markdown(note, elem_id="compare-model-note", elem_classes="model-note")

    def _lay_out_answer(self) -> None:
        """How tiles are sorted and drawn, and the tiles."""
        style = comparison.Style()
        with gr.Row(elem_id="compare-look", elem_classes="look-row"):
            self.order = Choice(drawing.order_choice(), elem_id="order")
            self.colormap = colours(style.colormap, "compare-colormap")
            self.opacity = strength(style.opacity, "compare-opacity")
        self.tiles = TileGrid({"tiles": [], "order": []}, "tiles")
        self.takeaway = Takeaway(share.SAVERS, LINK, "compare-")
        with gr.Accordion("What do the numbers mean, and what do they not?", open=False):
            gr.Markdown(text.COMPARE_EXPLAINER)

    @property
    def _style(self) -> list[Any]:
        return [self.opacity, self.colormap, self.order]

    @property
    def _shown(self) -> dict[str, Any]:
        """Components that another picture changes, by name."""
        return {
            "picture": self.chooser.picture,
            "image": self.chooser.image,
            "prompt": self.prompt,
            "suggested": self.suggested,
            "mask_box": self.mask_box,
            "mask": self.mask,
            "background": self.background,
        }

    def _ask(self, after: Event) -> Waiting:
        """A question: the model's files are fetched, the methods answer one by one."""
        switches = [self.background, self.shuffled, self.random, self.mask, self.slow]
        question = [self.chooser.picture, self.prompt, self.model, *switches, *self._style, self.found]
        answer = [self.found, self.tiles, self.status, self.takeaway.code, self.takeaway.query]
        fetched, asked = ask(
            self.turn, after, handlers.compare, question, answer, self.status, fetching.fetch, [self.model]
        )
        self._draw(asked.success, handlers.redraw_if_restyled)
        return fetched, asked

    def _draw(self, after: Event, handler: Callable[..., Any] = handlers.redraw) -> Dependency:
        return after(handler, [self.found, *self._style], [self.tiles], **DRAWING_LANE, **QUIET)

    def _connect_opening(self, tabs: gr.Tabs, tab: gr.Tab, view: gr.State) -> Waiting:
        """A link to a comparison opens it; else the tab, when it is selected, asks what the Explain tab asked last."""
        page = gr.context.Context.root_block
        taken = self._shown | {"model": self.model, "tiles": self.tiles, "adopted": self.adopted}
        put = taken | {"shuffled": self.shuffled, "random": self.random, "order": self.order, "tabs": tabs}
        linked = named(handlers.read_link, put)
        page.load(linked, [self.default_model], list(put.values()), **QUIET)
        theirs = [view, self.adopted, self.default_model, self.takeaway.query]
        adopt = named(handlers.adopt, taken)
        selected = tab.select(adopt, theirs, list(taken.values()), js=WITH_SEARCH, **QUIET)
        listed = [self.model, self.model_note]
        selected.then(choices.show_models, [self.model, self.default_model], listed, **QUIET)
        asked = self._ask(self.adopted.change)
        self._list_after(*(job.failure for job in asked))
        return asked

    def _list_after(self, *events: Event) -> None:
        """The list goes back to the model that answered."""
        for after in events:
            seen, listed = [self.found, self.default_model], [self.model, self.model_note]
            after(handlers.show_models_of, seen, listed, **QUIET)

    def _connect_questions(self) -> list[Waiting]:
        """Another picture, prompt, model or experiment: the methods are asked."""
        triggers: list[Event] = [self.compare.click, self.prompt.submit]
        triggers += [box.input for box in (self.background, self.shuffled, self.random, self.slow)]
        self.chooser.on_clear(self.status)
        uploaded = {name: self._shown[name] for name in ("picture", "mask_box", "mask", "background")}
        given = self.chooser.image.upload(
            named(handlers.take_picture, uploaded), [self.chooser.image], list(uploaded.values()), **QUIET
        )
        triggers += [given.success, self.mask.upload, self.mask.clear]
        another = named(handlers.show_picture, self._shown)
        triggers += self.chooser.on_another(
            another, [self.prompt, self.suggested], list(self._shown.values())
        )
        running = [self._ask(trigger) for trigger in triggers]
        fetched, answered = self._ask(self.model.choose)
        self._list_after(fetched.failure, answered.then)  # the latter also after a failure
        return [*running, (fetched, answered)]
