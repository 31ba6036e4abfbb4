"""The Generate tab: boxes with names and a prompt on the left, the picture on its way on the right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from ui import choices, first_run, generate_export, wording
from ui.box_canvas import BoxCanvas, canvas_value
from ui.choice import Choice
from ui.explain_tab import VIEW_SECONDS
from ui.generate_examples import EXAMPLES, FIRST
from ui.generate_wiring import Controls, connect
from ui.keeping import keeping
from ui.making import Wish
from ui.run_view import RunView
from ui.turns import Turn

LINK = "Link to these boxes and settings"
PRESETS = [("Quick look", "fast"), ("Best", "best"), ("As in the paper", "paper")]


def build_tab(generator: str, tabs: gr.Tabs, tab: gr.Tab) -> Controls:
    """Lays the tab out in the Blocks that is open, and connects it; its components. `generator`: the one that is chosen
    first.
    """
    first = replace(FIRST, generator=generator)
    with gr.Row(elem_id="generate-tab", elem_classes="tab-row"):
        with gr.Column(scale=5, min_width=320, elem_classes="asking"):
            asking = _asking(first)
        with gr.Column(scale=8, min_width=320, elem_classes="answers"):
            answers: dict[str, Any] = {"view": RunView(first_run.stored(), elem_id="run")}
            answers |= keeping(generate_export.SAVERS, LINK, "generate-")
            with gr.Accordion("What am I seeing, and what can it not tell me?", open=False):
                gr.Markdown(wording.GENERATE_EXPLAINER)
    states = {
        "turn": gr.State(Turn()),
        "run": gr.State(None, time_to_live=VIEW_SECONDS),
        "first": gr.State(first),
    }
    controls = Controls(**states, **asking, **answers)
    connect(controls, tabs, tab)
    return controls


def _asking(first: Wish) -> dict[str, Any]:
    """The left column: what is to be where, the whole scene, and how it is made."""
    parts: dict[str, Any] = {"canvas": BoxCanvas(canvas_value(first.boxes), elem_id="boxes")}
    with gr.Row(elem_classes="example-row"):
        parts["examples"] = {
            name: gr.Button(name, size="sm", min_width=80, elem_classes="example") for name in EXAMPLES
        }
    parts["prompt"] = gr.Textbox(
        first.prompt,
        label="The whole scene (prompt)",
        placeholder="left empty, it is what stands in the boxes",
        lines=1,
        max_lines=3,
        elem_id="generate-prompt",
        elem_classes="prompt-box",
    )
    with gr.Row(elem_classes="asking-buttons"):
        parts["make"] = gr.Button(
            "Make the picture", variant="primary", scale=3, min_width=140, elem_id="make"
        )
        parts["stop"] = gr.Button("Stop", scale=1, min_width=70, elem_id="generate-stop")
    parts["rescue"] = gr.Button(
        "Rescue neglected words", size="sm", interactive=False, elem_id="rescue", elem_classes="example"
    )
    parts["status"] = gr.Markdown(wording.STORED_RUN, elem_id="generate-status", elem_classes="status-line")
    parts["preset"] = gr.Radio(PRESETS, value=first.preset, label="How carefully (preset)", elem_id="preset")
    parts["generator"] = Choice(choices.plain("Generator", first.generator), elem_id="generator")
    parts["generator_note"] = gr.Markdown("", elem_id="generator-note", elem_classes="model-note")
    with gr.Accordion("More settings", open=False, elem_id="more-settings"):
        with gr.Row():
            parts["seed"] = gr.Number(
                first.seed, label="Seed: the same one makes the same picture", precision=0, elem_id="seed"
            )
            parts["new_seed"] = gr.Button("Another seed", size="sm", min_width=110, elem_id="new-seed")
        parts["weight"] = gr.Slider(
            0, 3, first.weight, step=0.1, label="Strength of the guidance (weight)", elem_id="weight"
        )
        parts["steps"] = gr.Number(
            first.steps, label="Steps (0: as many as the preset has)", precision=0, elem_id="steps"
        )
        parts["clip"] = gr.Textbox(
            first.clip,
            label="Model that guides (empty: the one that suits the generator)",
            elem_id="generate-clip",
        )
    return parts
