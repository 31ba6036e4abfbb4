"""The Explain tab: a picture and prompts on the left, one card per prompt on the right."""

from __future__ import annotations

from typing import Any

import gradio as gr

from explain.catalogue import AUTOMATIC
from ui import choices, drawing, export, wording
from ui.asking import picture_chooser
from ui.box_canvas import BoxCanvas, canvas_value
from ui.cards import Cards
from ui.choice import Choice, Option, choice_value
from ui.drawing import COLORMAPS, Look
from ui.explain_wiring import Controls, connect
from ui.keeping import keeping
from ui.link import Question
from ui.turns import Turn
from ui.view import Picture

LINK = "Link to this view (an uploaded picture is not part of it)"
VIEW_SECONDS = 3600  # how long an answer is kept after it was given; only words and looks need it


def build_tab(default_model: str) -> Controls:
    """Lays the tab out in the Blocks that is open, and connects it; its components, for other tabs to read."""
    question = Question(model=default_model)
    states = {
        # Their defaults are what a visitor has whose state is gone: better no picture than one that is not shown.
        "picture": gr.State(Picture()),
        "turn": gr.State(Turn()),
        "view": gr.State(None, time_to_live=VIEW_SECONDS),
        "suggested": gr.State(""),
        "boxed": gr.State(None),
        "default_model": gr.State(default_model),
    }
    with gr.Row(elem_id="explain-tab", elem_classes="tab-row"):
        with gr.Column(scale=4, min_width=320, elem_id="asking", elem_classes="asking"):
            asking = _asking(question)
        with gr.Column(scale=9, min_width=320, elem_id="answers"):
            answers = _answers(question) | keeping(export.SAVERS, LINK)
            with gr.Accordion("What am I seeing, and what can it not tell me?", open=False):
                gr.Markdown(wording.EXPLAINER)
    controls = Controls(**states, **asking, **answers)
    connect(controls)
    return controls


def _asking(question: Question) -> dict[str, Any]:
    """The left column: what is looked at, what is asked, and who answers."""
    parts = picture_chooser(question.picture)
    parts["prompts"] = gr.Textbox(
        question.text,
        label="Prompts, one per line",
        placeholder="a red car\nthe sky",
        lines=3,
        max_lines=8,
        elem_id="prompts",
        elem_classes="prompt-box",
    )
    parts["explain"] = gr.Button("Explain", variant="primary", elem_id="explain")
    parts["status"] = gr.Markdown("The model is waking up.", elem_id="status", elem_classes="status-line")
    with gr.Accordion("Where is the thing? Draw a box", open=False, visible=False) as parts["where_box"]:
        gr.Markdown(wording.WHERE)
        parts["where"] = BoxCanvas(canvas_value(()), elem_id="where")
    parts["model"] = Choice(choices.plain("Model", question.model), elem_id="model")
    note = wording.AUTOMATIC_NOTE if question.model == AUTOMATIC else ""
    parts["model_note"] = gr.Markdown(note, elem_id="model-note", elem_classes="model-note")
    return parts


def _answers(question: Question) -> dict[str, Any]:
    """The right column: which maps, how they are drawn, and the cards."""
    look = Look()
    parts: dict[str, Any] = {}
    with gr.Row(elem_id="look", elem_classes="look-row"):
        parts["method"] = Choice(choices.plain("Map", question.method), elem_id="method")
        parts["beside"] = Choice(choices.plain("Beside it", question.beside), elem_id="beside")
        colours = {"": [Option(name, label) for name, label in COLORMAPS.items()]}
        parts["colormap"] = Choice(choice_value("Colours", look.colormap, colours), elem_id="colormap")
        parts["opacity"] = strength(look.opacity, "opacity")
        parts["turned"] = gr.Checkbox(look.turned, label="Reverse first map", min_width=140, elem_id="turned")
    parts["cards"] = Cards(drawing.waiting(question.picture), "cards")
    return parts


def strength(value: float, elem_id: str) -> gr.Slider:
    """How strongly maps are drawn over the picture."""
    return gr.Slider(
        0,
        1,
        value,
        step=0.05,
        label="Strength",
        buttons=[],
        min_width=140,
        elem_id=elem_id,
        elem_classes="strength",
    )
