"""Below the Words tab's matrix: the same labels and phrasings about many pictures, averaged."""

from __future__ import annotations

from functools import partial

import gradio as gr

from ui import explain_events, many_export
from ui import many_events as events
from ui.asking import pictures_box
from ui.explain_tab import VIEW_SECONDS
from ui.keeping import keeping, save
from ui.lanes import PRIVATE, QUIET, scroll_to
from ui.many_pictures import DRAWN, MAX_PICTURES
from ui.turns import Turn, ask
from ui.words_matrix import WordsMatrix
from ui.words_wiring import Controls

HEADING = """## Ask about many pictures
The labels, phrasings and the model above, about every picture that you drop here: what stays true on average?"""


def build_section(words: Controls) -> None:
    """Lays the section out in the Blocks that is open, and connects it. `words`: the tab's own components."""
    gr.Markdown(HEADING, elem_id="many-heading", elem_classes="section-heading")
    answer = gr.State(None, time_to_live=VIEW_SECONDS)
    with gr.Row(elem_id="many-tab", elem_classes="tab-row"):
        with gr.Column(scale=4, min_width=320, elem_classes="asking"):
            gallery = pictures_box(f"Pictures (1 to {MAX_PICTURES})", "many-pictures")
            drawn = gr.Button(f"Take {DRAWN} drawn pictures", size="sm", elem_id="many-drawn")
            asked = gr.Button("Ask about all of them", variant="primary", elem_id="ask-many")
            status = gr.Markdown("", elem_id="many-status", elem_classes="status-line")
        with gr.Column(scale=9, min_width=320, elem_classes="answers"):
            matrix = WordsMatrix({"rows": []}, "many")
            kept = keeping(many_export.SAVERS, None, "many-")
    given = [gallery, words.labels, words.phrasings, words.model]
    shown, turn = [answer, matrix, status, kept["code"]], gr.State(Turn())
    drawing = drawn.click(events.draw, [words.labels], [gallery], **QUIET)
    for trigger in (asked.click, drawing.success):
        _, answered = ask(
            turn, trigger, events.ask, given, shown, status, explain_events.fetch, [words.model]
        )
        answered.success(None, None, None, js=scroll_to("many"), **PRIVATE)
    for kind, button in kept["savers"].items():
        save(button.click, partial(events.save_as, kind), [answer], kept["file"], status)
