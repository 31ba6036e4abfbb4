"""Below the Words tab's matrix: classes with a few pictures each, taught there and then; and who calls what."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from ui.components.choice import Choice
from ui.components.picture_chooser import pictures_box
from ui.components.takeaway import Takeaway
from ui.components.views import LessonView
from ui.events import fetching
from ui.events.queues import QUIET, VIEW_SECONDS
from ui.events.requests import Turn, ask, stop
from ui.tabs.lesson import handlers, share
from ui.tabs.lesson.drawing import SENTENCES, TITLES, lesson_value
from ui.tabs.lesson.examples import EXAMPLES, FIRST
from ui.tabs.lesson.lesson import MAX_CLASSES, MAX_EPOCHS, MAX_PICTURES

HEADING = """## Teach it your own classes
Name some classes and give each a picture or more. The model stays as it is: what is learnt are sixteen words around the
name, as vectors. It is learnt twice, and the table shows what that changes."""
WAITING = "Press Teach: the curves grow here while it learns, and the table says what came of it."
EXPLAINER = """
- **Right**: the share of the pictures whose best class, by the model's score, is theirs. Pictures that were learnt from
  are not among them, as long as there are others.
- **The name's share**: of the relevance of all the prompt's tokens, how much the strongest token of the class's name
  has. A prompt can be right without its name being used: then it knows the pictures and not what they are called.
- With few pictures luck plays a part. Other pictures to learn from can give other figures."""


class LessonSection:
    """The section's components. `model`: where the tab's model is chosen. `count`: how many rows are in sight, 0 before
    the first.
    """

    def __init__(self, tab: gr.Tab, model: Choice) -> None:
        gr.Markdown(HEADING, elem_id="lesson-heading", elem_classes="section-heading")
        self.count, self.turn = gr.State(0), gr.State(Turn())
        self.lesson = gr.State(None, time_to_live=VIEW_SECONDS)
        with gr.Row(elem_id="lesson-tab", elem_classes="tab-row"):
            with gr.Column(scale=5, min_width=320, elem_classes="asking"):
                self._lay_out_classes()
                self._lay_out_teaching()
            with gr.Column(scale=8, min_width=320, elem_classes="answers"):
                self.view = LessonView(lesson_value(None, WAITING), "lesson")
                self.takeaway = Takeaway(share.SAVERS, None, "lesson-")  # a link holds no pictures
                with gr.Accordion("What is learnt, and what do the numbers mean?", open=False):
                    ways = "\n".join(f"- **{TITLES[way]}.** {SENTENCES[way]}" for way in TITLES)
                    gr.Markdown(ways + EXPLAINER)
        self._connect(tab, model)

    def _lay_out_classes(self) -> None:
        """Rows of a name and its pictures."""
        self.names: list[gr.Textbox] = []
        self.galleries: list[gr.Gallery] = []
        self.rows: list[gr.Column] = []
        with gr.Row(elem_classes="example-row"):
            self.examples = {
                name: gr.Button(name, size="sm", min_width=80, elem_classes="example") for name in EXAMPLES
            }
        for number in range(MAX_CLASSES):
            with gr.Column(visible=number < 2, elem_classes="class-row") as row:
                self.names.append(
                    gr.Textbox(
                        label=f"Class {number + 1}",
                        placeholder=f"name of class {number + 1}",
                        container=False,
                        lines=1,
                        max_lines=1,
                        elem_classes="class-name",
                    )
                )
                self.galleries.append(pictures_box(f"Pictures of class {number + 1} (1 to {MAX_PICTURES})"))
            self.rows.append(row)
        with gr.Row(elem_classes="example-row"):
            self.add = gr.Button("Add a class", size="sm", min_width=80)
            self.clear = gr.Button("Begin with empty classes", size="sm", min_width=80)

    def _lay_out_teaching(self) -> None:
        """How they are taught."""
        self.shots = gr.Slider(
            1,
            MAX_PICTURES,
            1,
            step=1,
            label="Pictures of each class to learn from (the rest are the test)",
            elem_id="shots",
        )
        self.weight = gr.Slider(0, 25, 5, step=0.5, label="How much names count (λ)", elem_id="lesson-weight")
        self.epochs = gr.Slider(
            1, MAX_EPOCHS, 50, step=1, label="Rounds through the pictures (epochs)", elem_id="epochs"
        )
        with gr.Row(elem_classes="asking-buttons"):
            self.teach = gr.Button("Teach", variant="primary", scale=3, min_width=140, elem_id="teach")
            self.stop = gr.Button("Stop", scale=1, min_width=70, elem_id="lesson-stop")
        self.status = gr.Markdown("", elem_id="lesson-status", elem_classes="status-line")

    def _connect(self, tab: gr.Tab, model: Choice) -> None:
        everything: list[Any] = [self.count, self.shots, *self.names, *self.galleries, *self.rows]
        tab.select(partial(handlers.first_example, name=FIRST), [self.count], everything, **QUIET)
        for name, button in self.examples.items():
            button.click(partial(handlers.show_example, name), None, everything, **QUIET)
        self.add.click(handlers.add_class, [self.count], [self.count, *self.rows], **QUIET)
        self.clear.click(handlers.clear, None, everything, **QUIET)
        given = [model, self.shots, self.weight, self.epochs, *self.names, *self.galleries]
        shown = [self.lesson, self.view, self.status, self.takeaway.code]
        taught = ask(
            self.turn, self.teach.click, handlers.teach, given, shown, self.status, fetching.fetch, [model]
        )
        stop(self.turn, self.stop, handlers.stopped, [self.lesson], [self.status], [taught])
        self.takeaway.connect(handlers.save_as, [self.lesson], self.status)
