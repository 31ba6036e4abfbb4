"""The Edit tab: a picture and what it should show on the left, before and after on the right; and who calls what."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui.components import choices
from ui.components.box_canvas import BoxCanvas, canvas_value
from ui.components.choice import Choice
from ui.components.picture_chooser import SCENES, PictureChooser
from ui.components.takeaway import Takeaway
from ui.components.views import EditView
from ui.components.word_picker import WordPicker, as_tapped, picker_value
from ui.events.queues import DRAWING_LANE, MODEL_LANE, PRIVATE, QUIET, VIEW_SECONDS, scroll_to
from ui.events.requests import Event, Turn, ask, named, stop
from ui.models import generator_jobs
from ui.shared.inputs import new_seed
from ui.tabs.edit import examples, handlers, share, text
from ui.tabs.edit.examples import EXAMPLES, FIRST
from ui.tabs.edit.run import EditWish, scene_caption
from ui.tabs.generate.handlers import fetch

LINK = "Link to this edit (a picture of your own is not part of it)"
IF_BARE = "(canvas, picture) => [canvas.background ? null : canvas, picture]"


class EditTab:
    """The tab's components. `generator`: the one that is chosen first; `generated`: the run of the Generate tab, whose
    picture can be edited. `clip`: the guiding model, "" for the generator's own.
    """

    def __init__(self, generator: str, tabs: gr.Tabs, tab: gr.Tab, generated: gr.State) -> None:
        first = replace(FIRST, generator=generator)
        self.turn, self.first, self.clip = gr.State(Turn()), gr.State(first), gr.State("")
        self.suggested = gr.State(scene_caption(first.picture))
        self.run = gr.State(None, time_to_live=VIEW_SECONDS)
        with gr.Row(elem_id="edit-tab", elem_classes="tab-row"):
            with gr.Column(scale=5, min_width=320, elem_classes="asking"):
                self._lay_out_picture(first)
                self._lay_out_wish(first)
                self._lay_out_settings(first)
            with gr.Column(scale=8, min_width=320, elem_classes="answers"):
                self.view = EditView(examples.stored(), elem_id="edit")
                self.takeaway = Takeaway(share.SAVERS, LINK, "edit-")
                with gr.Accordion("What am I seeing, and what can it not tell me?", open=False):
                    gr.Markdown(text.EXPLAINER)
        self._connect_opening(tabs, tab)
        self._connect_pictures(generated)
        self._connect_edits()
        self.takeaway.connect(handlers.save_as, [self.run], self.status)

    def _lay_out_picture(self, first: EditWish) -> None:
        """Lays out the picture to edit."""
        self.chooser = PictureChooser(first.picture, "edit-", 170, SCENES)
        self.take_made = gr.Button("The picture I made under Generate", size="sm", elem_id="take-made")
        with gr.Row(elem_classes="example-row"):
            self.examples = {
                name: gr.Button(name, size="sm", min_width=70, elem_classes="example") for name in EXAMPLES
            }

    def _lay_out_wish(self, first: EditWish) -> None:
        """Lays out what the picture should show, the words that must count, and the buttons."""
        self.caption = gr.Textbox(
            first.caption,
            label="What it shows now",
            placeholder="may be left empty",
            lines=1,
            max_lines=3,
            elem_id="edit-caption",
            elem_classes="prompt-box",
        )
        self.prompt = gr.Textbox(
            first.prompt,
            label="What it should show, all of it",
            placeholder="a pink tree and a red ring on the sand",
            lines=1,
            max_lines=3,
            elem_id="edit-prompt",
            elem_classes="prompt-box",
        )
        gr.Markdown(text.WORDS_LABEL, elem_classes="words-label")
        taps = as_tapped(first.prompt, tuple(first.words))
        self.picker = WordPicker(picker_value(first.prompt, first.caption, taps), elem_id="edit-words")
        with gr.Row(elem_classes="asking-buttons"):
            self.make = gr.Button(
                "Edit the picture", variant="primary", scale=3, min_width=140, elem_id="edit-make"
            )
            self.stop = gr.Button("Stop", scale=1, min_width=70, elem_id="edit-stop")
        self.status = gr.Markdown(text.STORED_EDIT, elem_id="edit-status", elem_classes="status-line")

    def _lay_out_settings(self, first: EditWish) -> None:
        """Where the picture may change, and how it is changed."""
        with gr.Accordion(
            "Only here may it change: draw a box", open=bool(first.boxes), elem_id="edit-where"
        ) as self.where:
            self.canvas = BoxCanvas(canvas_value(first.boxes, most=1), elem_id="edit-box")
        self.way = gr.Radio(
            handlers.WAYS, value="diffusion", label="How it is changed (way)", elem_id="edit-way"
        )
        self.generator = Choice(choices.plain("Generator", first.generator), elem_id="edit-generator")
        self.generator_note = gr.Markdown("", elem_id="edit-generator-note", elem_classes="model-note")
        with gr.Accordion("More settings", open=False, elem_id="edit-settings"):
            self.strength = gr.Slider(
                0.05,
                1,
                first.strength,
                step=0.05,
                label="How much of the picture may go (strength)",
                elem_id="edit-strength",
            )
            self.word_weight = gr.Slider(
                0,
                10,
                first.word_weight,
                step=0.1,
                label="How much the words count (lambda)",
                elem_id="edit-lambda",
            )
            with gr.Row():
                self.seed = gr.Number(
                    first.seed,
                    label="Seed: the same one makes the same picture",
                    precision=0,
                    elem_id="edit-seed",
                )
                self.new_seed = gr.Button("Another seed", size="sm", min_width=110, elem_id="edit-new-seed")
            self.steps = gr.Number(
                first.steps, label="Steps (0: as many as usual)", precision=0, elem_id="edit-steps"
            )

    @property
    def _given(self) -> dict[str, Any]:
        """Components that another picture changes, by name."""
        return {
            "picture": self.chooser.picture,
            "image": self.chooser.image,
            "caption": self.caption,
            "prompt": self.prompt,
            "suggested": self.suggested,
            "picker": self.picker,
            "canvas": self.canvas,
        }

    @property
    def _shown(self) -> dict[str, Any]:
        """Components that another wish changes, by name."""
        names = ("strength", "word_weight", "seed", "steps", "way", "generator", "where")
        return self._given | {name: getattr(self, name) for name in names}

    def _list_generators(self, after: Event) -> Dependency:
        listed = [self.generator, self.generator_note, self.way, self.strength]
        return after(handlers.show_generators, [self.generator, self.way], listed, **QUIET)

    def _connect_opening(self, tabs: gr.Tabs, tab: gr.Tab) -> None:
        """A link puts a wish on the page; when the tab is selected, its generators are listed, and one is opened."""
        page = gr.context.Context.root_block
        linked = self._shown | {"tabs": tabs}
        page.load(named(handlers.read_link, linked), [self.first], list(linked.values()), **QUIET)
        seen = [self.canvas, self.chooser.picture]
        tab.select(handlers.show_background, seen, [self.canvas], js=IF_BARE, **QUIET)
        listed = self._list_generators(tab.select)
        listed.then(generator_jobs.warm, [self.generator, self.clip], None, **QUIET, **MODEL_LANE)
        self._list_generators(self.generator.choose)
        self.way.input(handlers.show_strength, [self.way], [self.strength], **QUIET)

    def _connect_pictures(self, generated: gr.State) -> None:
        """Another picture: given, drawn, made under Generate, or an example's. The chips follow the texts."""
        chooser = self.chooser
        chooser.on_clear(self.status)
        said = [chooser.picture, self.caption, self.suggested, self.status]
        told = [chooser.image, self.caption, self.suggested]
        given = chooser.image.upload(handlers.take_picture, told, said, **QUIET)
        drawn = given.then(handlers.show_canvas, [chooser.picture], [self.canvas], **QUIET)
        words = [self.prompt, self.caption, self.picker]
        drawn.then(handlers.show_words, words, [self.picker], **QUIET)
        shown = self._given
        chooser.on_another(named(handlers.show_picture, shown), [], list(shown.values()))
        made = named(handlers.take_made, shown)
        self.take_made.click(made, [generated], list(shown.values()), **QUIET)
        example = named(handlers.show_example, self._shown)
        for name, button in self.examples.items():
            pressed = button.click(partial(example, name), None, list(self._shown.values()), **QUIET)
            self._list_generators(pressed.then)
        for typed in (self.prompt.input, self.caption.input):
            typed(handlers.show_words, words, [self.picker], **QUIET, **DRAWING_LANE)

    def _connect_edits(self) -> None:
        self.new_seed.click(new_seed, None, [self.seed], **QUIET)
        made = [self.generator, self.way, self.strength, self.word_weight, self.seed, self.steps]
        wish = [self.chooser.picture, self.prompt, self.picker, self.caption, self.canvas, *made]
        shown = [self.run, self.view, self.status, self.takeaway.code, self.takeaway.query]
        models, running = [self.generator, self.clip], []
        for trigger in (self.make.click, self.prompt.submit):
            waiting = ask(self.turn, trigger, handlers.edit, wish, shown, self.status, fetch, models)
            waiting[0].success(None, None, None, js=scroll_to("edit"), **PRIVATE)
            running.append(waiting)
        stop(self.turn, self.stop, handlers.stopped, [self.run], [self.view, self.status], running)
