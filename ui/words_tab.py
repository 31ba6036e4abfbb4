"""The Words tab: one picture, some labels, many phrasings: what CLIP answers in each, and which words it uses."""

from __future__ import annotations

from typing import Any

import gradio as gr

from explain.catalogue import AUTOMATIC
from ui import choices, words_export, words_wording
from ui.asking import picture_chooser
from ui.choice import Choice
from ui.explain_tab import VIEW_SECONDS
from ui.keeping import keeping
from ui.turns import Turn
from ui.view import Picture
from ui.wording import AUTOMATIC_NOTE
from ui.words_examples import EXAMPLES, FIRST
from ui.words_matrix import WordsMatrix
from ui.words_question import WordsAsked
from ui.words_wiring import Controls, connect

LINK = "Link to this question (an uploaded picture is not part of it)"


def build_tab(model: str, tabs: gr.Tabs, tab: gr.Tab, put: gr.State) -> Controls:
    """Lays the tab out in the Blocks that is open, and connects it; its components, for what stands below it. `put`
    holds the question that it opens with.
    """
    first = FIRST.asked_of(model)
    states = {
        "picture": gr.State(Picture()),
        "turn": gr.State(Turn()),
        "answer": gr.State(None, time_to_live=VIEW_SECONDS),
        "suggested": gr.State(""),
        "put": put,
        "default_model": gr.State(model),
    }
    with gr.Row(elem_id="words-tab", elem_classes="tab-row"):
        with gr.Column(scale=4, min_width=320, elem_classes="asking"):
            asking = _asking(first)
        with gr.Column(scale=9, min_width=320, elem_classes="answers"):
            answers: dict[str, Any] = {"matrix": WordsMatrix({"rows": []}, "matrix")}
            answers |= keeping(words_export.SAVERS, LINK, "words-")
            with gr.Accordion("What do the numbers mean, and what do they not?", open=False):
                gr.Markdown(words_wording.EXPLAINER)
    controls = Controls(**states, **asking, **answers)
    connect(controls, tabs, tab)
    return controls


def _asking(first: WordsAsked) -> dict[str, Any]:
    """The left column: picture, labels, phrasings, model, and examples."""
    parts = picture_chooser(first.picture, "words-")
    with gr.Row(elem_classes="example-row"):
        parts["examples"] = {
            name: gr.Button(name, size="sm", min_width=80, elem_classes="example") for name in EXAMPLES
        }
    parts["labels"] = gr.Textbox(
        first.labels,
        label=f"Labels: {words_wording.LABELS_INFO}",
        placeholder="cat, dog",
        lines=1,
        max_lines=6,
        elem_id="labels",
        elem_classes="prompt-box",
    )
    parts["ask"] = gr.Button("Ask in all phrasings", variant="primary", elem_id="ask-words")
    parts["status"] = gr.Markdown("", elem_id="words-status", elem_classes="status-line")
    parts["phrasings"] = gr.Textbox(
        first.phrasings,
        label=f"Phrasings: {words_wording.PHRASINGS_INFO}",
        placeholder="a photo of a {}",
        lines=5,
        max_lines=8,
        elem_id="phrasings",
        elem_classes="prompt-box",
    )
    parts["model"] = Choice(choices.plain("Model", first.model), elem_id="words-model")
    note = AUTOMATIC_NOTE if first.model == AUTOMATIC else ""
    parts["model_note"] = gr.Markdown(note, elem_id="words-model-note", elem_classes="model-note")
    return parts
