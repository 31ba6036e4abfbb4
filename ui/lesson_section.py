"""Below the Words tab's matrix: classes with a few pictures each, taught there and then."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui import lesson_export
from ui.asking import pictures_box
from ui.choice import Choice
from ui.explain_tab import VIEW_SECONDS
from ui.keeping import keeping
from ui.lesson_drawing import SENTENCES, TITLES, lesson_value
from ui.lesson_examples import EXAMPLES
from ui.lesson_view import LessonView
from ui.lesson_wiring import LessonControls, connect
from ui.lessons import MAX_CLASSES, MAX_EPOCHS, MAX_PICTURES

HEADING = """## Teach it your own classes
Name some classes and give each a picture or more. The model stays as it is: what is learnt are sixteen words around the
name, as vectors. It is learnt twice, and the table shows what that changes."""
WAITING = "Press Teach: the curves grow here while it learns, and the table says what came of it."


def build_section(tab: gr.Tab, model: Choice) -> None:
    """Lays the section out in the Blocks that is open, and connects it. `model`: where the tab's model is chosen."""
    gr.Markdown(HEADING, elem_id="lesson-heading", elem_classes="section-heading")
    states = {"count": gr.State(0), "lesson": gr.State(None, time_to_live=VIEW_SECONDS)}
    with gr.Row(elem_id="lesson-tab", elem_classes="tab-row"):
        with gr.Column(scale=5, min_width=320, elem_classes="asking"):
            asking = _asking()
        with gr.Column(scale=8, min_width=320, elem_classes="answers"):
            answers: dict[str, Any] = {"view": LessonView(lesson_value(None, WAITING), "lesson")}
            answers |= keeping(lesson_export.SAVERS, None, "lesson-")  # a link holds no pictures
            with gr.Accordion("What is learnt, and what do the numbers mean?", open=False):
                gr.Markdown("\n".join(f"- **{TITLES[way]}.** {SENTENCES[way]}" for way in TITLES) + EXPLAINER)
    connect(LessonControls(**states, **asking, **answers, model=model), tab)


EXPLAINER = """
- **Right**: the share of the pictures whose best class, by the model's score, is theirs. Pictures that were learnt from
  are not among them, as long as there are others.
- **The name's share**: of the relevance of all the prompt's tokens, how much the strongest token of the class's name
  has. A prompt can be right without its name being used: then it knows the pictures and not what they are called.
- With few pictures luck plays a part. Other pictures to learn from can give other figures."""


def _asking() -> dict[str, Any]:
    """The left column: rows of a name and its pictures, and how they are taught."""
    parts: dict[str, Any] = {"names": [], "galleries": [], "rows": []}
    with gr.Row(elem_classes="example-row"):
        parts["examples"] = {
            name: gr.Button(name, size="sm", min_width=80, elem_classes="example") for name in EXAMPLES
        }
    for number in range(MAX_CLASSES):
        with gr.Column(visible=number < 2, elem_classes="class-row") as row:
            parts["names"].append(
                gr.Textbox(
                    label=f"Class {number + 1}",
                    placeholder=f"name of class {number + 1}",
                    container=False,
                    lines=1,
                    max_lines=1,
                    elem_classes="class-name",
                )
            )
            label = f"Pictures of class {number + 1} (1 to {MAX_PICTURES})"
            parts["galleries"].append(pictures_box(label))
        parts["rows"].append(row)
    with gr.Row(elem_classes="example-row"):
        parts["add"] = gr.Button("Add a class", size="sm", min_width=80)
        parts["clear"] = gr.Button("Begin with empty classes", size="sm", min_width=80)
    parts["shots"] = gr.Slider(
        1,
        MAX_PICTURES,
        1,
        step=1,
        label="Pictures of each class to learn from (the rest are the test)",
        elem_id="shots",
    )
    parts["weight"] = gr.Slider(0, 25, 5, step=0.5, label="How much names count (λ)", elem_id="lesson-weight")
    parts["epochs"] = gr.Slider(
        1, MAX_EPOCHS, 50, step=1, label="Rounds through the pictures (epochs)", elem_id="epochs"
    )
    with gr.Row(elem_classes="asking-buttons"):
        parts["teach"] = gr.Button("Teach", variant="primary", scale=3, min_width=140, elem_id="teach")
        parts["stop"] = gr.Button("Stop", scale=1, min_width=70, elem_id="lesson-stop")
    parts["status"] = gr.Markdown("", elem_id="lesson-status", elem_classes="status-line")
    return parts
