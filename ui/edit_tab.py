"""The Edit tab: a picture and what it should show on the left, before and after on the right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from ui import choices, edit_events, edit_export, edit_wording, first_edit
from ui.asking import SCENES, picture_chooser
from ui.box_canvas import BoxCanvas, canvas_value
from ui.choice import Choice
from ui.edit_examples import EXAMPLES, FIRST
from ui.edit_view import EditView
from ui.edit_wiring import Controls, connect
from ui.editing import EditWish, scene_caption
from ui.explain_tab import VIEW_SECONDS
from ui.keeping import keeping
from ui.turns import Turn
from ui.view import Picture
from ui.word_picker import WordPicker, as_tapped, picker_value

LINK = "Link to this edit (a picture of your own is not part of it)"


def build_tab(generator: str, tabs: gr.Tabs, tab: gr.Tab, generated: gr.State) -> None:
    """Lays the tab out in the Blocks that is open, and connects it. `generator`: the one that is chosen first;
    `generated`: the run of the Generate tab, whose picture can be edited.
    """
    first = replace(FIRST, generator=generator)
    states = {
        "picture": gr.State(Picture()),
        "turn": gr.State(Turn()),
        "suggested": gr.State(scene_caption(first.picture)),
        "run": gr.State(None, time_to_live=VIEW_SECONDS),
        "clip": gr.State(""),
        "first": gr.State(first),
    }
    with gr.Row(elem_id="edit-tab", elem_classes="tab-row"):
        with gr.Column(scale=5, min_width=320, elem_classes="asking"):
            asking = _picture(first) | _wanted(first) | _made(first)
        with gr.Column(scale=8, min_width=320, elem_classes="answers"):
            answers: dict[str, Any] = {"view": EditView(first_edit.stored(), elem_id="edit")}
            answers |= keeping(edit_export.SAVERS, LINK, "edit-")
            with gr.Accordion("What am I seeing, and what can it not tell me?", open=False):
                gr.Markdown(edit_wording.EXPLAINER)
    connect(Controls(**states, generated=generated, **asking, **answers), tabs, tab)


def _picture(first: EditWish) -> dict[str, Any]:
    """What is edited."""
    parts = picture_chooser(first.picture, "edit-", 170, SCENES)
    parts["take_made"] = gr.Button("The picture I made under Generate", size="sm", elem_id="take-made")
    with gr.Row(elem_classes="example-row"):
        parts["examples"] = {
            name: gr.Button(name, size="sm", min_width=70, elem_classes="example") for name in EXAMPLES
        }
    return parts


def _wanted(first: EditWish) -> dict[str, Any]:
    """What it should show, and the words that must count."""
    parts: dict[str, Any] = {
        "caption": gr.Textbox(
            first.caption,
            label="What it shows now",
            placeholder="may be left empty",
            lines=1,
            max_lines=3,
            elem_id="edit-caption",
            elem_classes="prompt-box",
        ),
        "prompt": gr.Textbox(
            first.prompt,
            label="What it should show, all of it",
            placeholder="a pink tree and a red ring on the sand",
            lines=1,
            max_lines=3,
            elem_id="edit-prompt",
            elem_classes="prompt-box",
        ),
    }
    gr.Markdown(edit_wording.WORDS_LABEL, elem_classes="words-label")
    taps = as_tapped(first.prompt, tuple(first.words))
    parts["picker"] = WordPicker(picker_value(first.prompt, first.caption, taps), elem_id="edit-words")
    return parts


def _made(first: EditWish) -> dict[str, Any]:
    """The buttons, where the picture may change, and how it is changed."""
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="asking-buttons"):
        parts["make"] = gr.Button(
            "Edit the picture", variant="primary", scale=3, min_width=140, elem_id="edit-make"
        )
        parts["stop"] = gr.Button("Stop", scale=1, min_width=70, elem_id="edit-stop")
    parts["status"] = gr.Markdown(edit_wording.STORED_EDIT, elem_id="edit-status", elem_classes="status-line")
    with gr.Accordion(
        "Only here may it change: draw a box", open=bool(first.boxes), elem_id="edit-where"
    ) as parts["where"]:
        parts["canvas"] = BoxCanvas(canvas_value(first.boxes, most=1), elem_id="edit-box")
    parts["way"] = gr.Radio(
        edit_events.WAYS, value="diffusion", label="How it is changed (way)", elem_id="edit-way"
    )
    parts["generator"] = Choice(choices.plain("Generator", first.generator), elem_id="edit-generator")
    parts["generator_note"] = gr.Markdown("", elem_id="edit-generator-note", elem_classes="model-note")
    with gr.Accordion("More settings", open=False, elem_id="edit-settings"):
        parts["strength"] = gr.Slider(
            0.05,
            1,
            first.strength,
            step=0.05,
            label="How much of the picture may go (strength)",
            elem_id="edit-strength",
        )
        parts["word_weight"] = gr.Slider(
            0,
            10,
            first.word_weight,
            step=0.1,
            label="How much the words count (lambda)",
            elem_id="edit-lambda",
        )
        with gr.Row():
            parts["seed"] = gr.Number(
                first.seed,
                label="Seed: the same one makes the same picture",
                precision=0,
                elem_id="edit-seed",
            )
            parts["new_seed"] = gr.Button("Another seed", size="sm", min_width=110, elem_id="edit-new-seed")
        parts["steps"] = gr.Number(
            first.steps, label="Steps (0: as many as usual)", precision=0, elem_id="edit-steps"
        )
    return parts
