"""The Compare tab: one picture, one prompt, every method side by side; and three experiments on them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from explain.catalogue import AUTOMATIC
from ui import choices, compare_export, comparison_drawing, wording
from ui.asking import picture_chooser
from ui.choice import Choice, Option, choice_value
from ui.compare_wiring import Controls, connect
from ui.comparison_drawing import Style
from ui.drawing import COLORMAPS
from ui.explain_tab import VIEW_SECONDS, strength
from ui.explain_wiring import Controls as ExplainControls
from ui.keeping import keeping
from ui.link import FIRST_PICTURE
from ui.picture_input import picture_input
from ui.tiles import TileGrid
from ui.turns import Turn
from ui.view import Picture, suggested_prompt

LINK = "Link to this comparison (an uploaded picture is not part of it)"


def build_tab(
    default_model: str, tabs: gr.Tabs, tab: gr.Tab, explained: ExplainControls, adopted: gr.State
) -> None:
    """Lays the tab out in the Blocks that is open, and connects it. It opens with what `explained` was asked, which
    `adopted` then holds.
    """
    first = FIRST_PICTURE
    states = {
        "picture": gr.State(Picture()),
        "turn": gr.State(Turn()),
        "found": gr.State(None, time_to_live=VIEW_SECONDS),
        "suggested": gr.State(""),
        "adopted": adopted,
        "default_model": explained.default_model,
    }
    with gr.Row(elem_id="compare-tab", elem_classes="tab-row"):
        with gr.Column(scale=4, min_width=320, elem_classes="asking"):
            asking = _asking(first, default_model)
        with gr.Column(scale=9, min_width=320, elem_classes="answers"):
            answers = _answers() | keeping(compare_export.SAVERS, LINK, "compare-")
            with gr.Accordion("What do the numbers mean, and what do they not?", open=False):
                gr.Markdown(wording.COMPARE_EXPLAINER)
    connect(Controls(**states, **asking, **answers), tabs, tab, explained)


def _asking(picture: Picture, model: str) -> dict[str, Any]:
    """The left column: picture, prompt, model, and the experiments."""
    parts = picture_chooser(picture, "compare-")
    with gr.Accordion("Where is the thing? Give a mask", open=False, visible=False) as parts["mask_box"]:
        gr.Markdown("A picture of the same shape, white where the thing is and black elsewhere.")
        parts["mask"] = picture_input(label="Mask", sources=["upload"], height=160, elem_id="mask")
    parts["prompt"] = gr.Textbox(
        suggested_prompt(picture),
        label="Prompt",
        placeholder="a red car",
        lines=1,
        max_lines=1,
        elem_id="compare-prompt",
        elem_classes="prompt-box",
    )
    with gr.Row(elem_classes="asking-buttons"):
        parts["compare"] = gr.Button("Compare", variant="primary", scale=3, min_width=120, elem_id="compare")
        parts["stop"] = gr.Button("Stop", scale=1, min_width=70, elem_id="stop")
    parts["status"] = gr.Markdown("", elem_id="compare-status", elem_classes="status-line")
    with gr.Column(elem_classes="experiments"):
        gr.Markdown("#### Change one thing, and see which maps follow")
        parts["background"] = gr.Radio(
            [(label, name) for name, label in wording.BACKGROUNDS.items()],
            value=wording.AS_DRAWN,
            label="Where the thing is",
            elem_id="background",
        )
        parts["shuffled"] = gr.Checkbox(label="Shuffle the words of the prompt", elem_id="shuffled")
        parts["random"] = gr.Checkbox(label="Random weights: a model that never learnt", elem_id="random")
    parts["slow"] = gr.Checkbox(
        False,
        label="Slow methods too: gScoreCAM and occlusion run the model hundreds of times",
        elem_id="slow",
    )
    parts["model"] = Choice(choices.plain("Model", model), elem_id="compare-model")
    note = wording.AUTOMATIC_NOTE if model == AUTOMATIC else ""
    parts["model_note"] = gr.Markdown(note, elem_id="compare-model-note", elem_classes="model-note")
    return parts


def _answers() -> dict[str, Any]:
    """The right column: how tiles are sorted and drawn, and the tiles."""
    style, parts = Style(), {}
    with gr.Row(elem_id="compare-look", elem_classes="look-row"):
        parts["order"] = Choice(comparison_drawing.order_choice(), elem_id="order")
        colours = {"": [Option(name, label) for name, label in COLORMAPS.items()]}
        parts["colormap"] = Choice(
            choice_value("Colours", style.colormap, colours), elem_id="compare-colormap"
        )
        parts["opacity"] = strength(style.opacity, "compare-opacity")
    parts["tiles"] = TileGrid({"tiles": [], "order": []}, "tiles")
    return parts
