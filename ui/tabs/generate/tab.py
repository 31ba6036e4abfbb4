"""The Generate tab: boxes with names and a prompt on the left, the picture on its way on the right; the events."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from ui.components import choices
from ui.components.box_canvas import BoxCanvas, canvas_value
from ui.components.choice import Choice
from ui.components.takeaway import Takeaway
from ui.components.views import RunView
from ui.events.queues import MODEL_LANE, QUIET, VIEW_SECONDS
from ui.events.requests import Turn, ask, named, stop
from ui.models import generator_jobs
from ui.shared.inputs import new_seed
from ui.tabs.generate import examples, handlers, share, text
from ui.tabs.generate.examples import EXAMPLES, FIRST
from ui.tabs.generate.run import Wish

LINK = "Link to these boxes and settings"
PRESETS = [("Quick look", "fast"), ("Best", "best"), ("As in the paper", "paper")]


class GenerateTab:
    """The tab's components. `generator`: the one that is chosen first. Others read `run`, the last one."""

    def __init__(self, generator: str, tabs: gr.Tabs, tab: gr.Tab) -> None:
        first = replace(FIRST, generator=generator)
        self.turn, self.first = gr.State(Turn()), gr.State(first)
        self.run = gr.State(None, time_to_live=VIEW_SECONDS)
        with gr.Row(elem_id="generate-tab", elem_classes="tab-row"):
            with gr.Column(scale=5, min_width=320, elem_classes="asking"):
                self._lay_out_layout(first)
                self._lay_out_settings(first)
            with gr.Column(scale=8, min_width=320, elem_classes="answers"):
                self.view = RunView(examples.stored(), elem_id="run")
                self.takeaway = Takeaway(share.SAVERS, LINK, "generate-")
                with gr.Accordion("What am I seeing, and what can it not tell me?", open=False):
                    gr.Markdown(text.GENERATE_EXPLAINER)
        self._connect_opening(tabs, tab)
        self._connect_runs()
        self.takeaway.connect(handlers.save_as, [self.run], self.status)

    def _lay_out_layout(self, first: Wish) -> None:
        """Lays out the canvas of boxes, the prompt of the whole scene, and the buttons."""
        self.canvas = BoxCanvas(canvas_value(first.boxes), elem_id="boxes")
        with gr.Row(elem_classes="example-row"):
            self.examples = {
                name: gr.Button(name, size="sm", min_width=80, elem_classes="example") for name in EXAMPLES
            }
        self.prompt = gr.Textbox(
            first.prompt,
            label="The whole scene (prompt)",
            placeholder="left empty, it is what stands in the boxes",
            lines=1,
            max_lines=3,
            elem_id="generate-prompt",
            elem_classes="prompt-box",
        )
        with gr.Row(elem_classes="asking-buttons"):
            self.make = gr.Button(
                "Make the picture", variant="primary", scale=3, min_width=140, elem_id="make"
            )
            self.stop = gr.Button("Stop", scale=1, min_width=70, elem_id="generate-stop")
        self.rescue = gr.Button(
            "Rescue neglected words", size="sm", interactive=False, elem_id="rescue", elem_classes="example"
        )
        self.status = gr.Markdown(text.STORED_RUN, elem_id="generate-status", elem_classes="status-line")

    def _lay_out_settings(self, first: Wish) -> None:
        """How it is made."""
        self.preset = gr.Radio(PRESETS, value=first.preset, label="How carefully (preset)", elem_id="preset")
        self.generator = Choice(choices.plain("Generator", first.generator), elem_id="generator")
        self.generator_note = gr.Markdown("", elem_id="generator-note", elem_classes="model-note")
        with gr.Accordion("More settings", open=False, elem_id="more-settings"):
            with gr.Row():
                self.seed = gr.Number(
                    first.seed, label="Seed: the same one makes the same picture", precision=0, elem_id="seed"
                )
                self.new_seed = gr.Button("Another seed", size="sm", min_width=110, elem_id="new-seed")
            self.weight = gr.Slider(
                0, 3, first.weight, step=0.1, label="Strength of the guidance (weight)", elem_id="weight"
            )
            self.steps = gr.Number(
                first.steps, label="Steps (0: as many as the preset has)", precision=0, elem_id="steps"
            )
            self.clip = gr.Textbox(
                first.clip,
                label="Model that guides (empty: the one that suits the generator)",
                elem_id="generate-clip",
            )

    def _connect_opening(self, tabs: gr.Tabs, tab: gr.Tab) -> None:
        """A link puts a wish on the page, and so do examples; when the tab is selected, its generators are listed."""
        page = gr.context.Context.root_block
        shown: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("prompt", "canvas", "preset", "seed", "weight", "generator", "clip", "steps")
        }
        linked = shown | {"tabs": tabs}
        page.load(named(handlers.read_link, linked), [self.first], list(linked.values()), **QUIET)
        for name, button in self.examples.items():
            example = named(handlers.show_example, shown)
            button.click(partial(example, name), None, list(shown.values()), **QUIET)
        listed = [self.generator, self.generator_note]
        selected = tab.select(handlers.show_generators, [self.generator], listed, **QUIET)
        selected.then(generator_jobs.warm, [self.generator, self.clip], None, **QUIET, **MODEL_LANE)
        self.generator.choose(handlers.show_generators, [self.generator], listed, **QUIET)
        self.new_seed.click(new_seed, None, [self.seed], **QUIET)

    def _connect_runs(self) -> None:
        """A wish: the models' files are fetched, the picture is made. A rescue has them already."""
        sampled = [self.generator, self.preset, self.clip, self.seed, self.weight, self.steps]
        wish = [self.prompt, self.canvas, *sampled]
        kept = self.takeaway
        shown = [self.run, self.view, self.status, kept.code, kept.query, self.rescue]
        running = [ask(self.turn, self.rescue.click, handlers.rescue, [self.run], shown, self.status)]
        models = [self.generator, self.clip]
        for trigger in (self.make.click, self.prompt.submit):
            running.append(
                ask(self.turn, trigger, handlers.make, wish, shown, self.status, handlers.fetch, models)
            )
        stopped = [self.view, self.status, self.rescue]
        stop(self.turn, self.stop, handlers.stopped, [self.run], stopped, running)
