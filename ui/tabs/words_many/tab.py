"""Below the Words tab's matrix: the same labels and phrasings about many pictures, averaged; and who calls what."""

from __future__ import annotations

import gradio as gr

from ui.components.picture_chooser import pictures_box
from ui.components.takeaway import Takeaway
from ui.components.views import WordsMatrix
from ui.events import fetching
from ui.events.queues import PRIVATE, QUIET, VIEW_SECONDS, scroll_to
from ui.events.requests import Turn, ask
from ui.tabs.words.tab import WordsTab
from ui.tabs.words_many import handlers, share
from ui.tabs.words_many.question import DRAWN, MAX_PICTURES

HEADING = """## Ask about many pictures
The labels, phrasings and the model above, about every picture that you drop here: what stays true on average?"""


class ManySection:
    """The section's components. It asks with the labels, phrasings and model of `words`."""

    def __init__(self, words: WordsTab) -> None:
        gr.Markdown(HEADING, elem_id="many-heading", elem_classes="section-heading")
        self.turn, self.answer = gr.State(Turn()), gr.State(None, time_to_live=VIEW_SECONDS)
        with gr.Row(elem_id="many-tab", elem_classes="tab-row"):
            with gr.Column(scale=4, min_width=320, elem_classes="asking"):
                self.gallery = pictures_box(f"Pictures (1 to {MAX_PICTURES})", "many-pictures")
                self.drawn = gr.Button(f"Take {DRAWN} drawn pictures", size="sm", elem_id="many-drawn")
                self.ask = gr.Button("Ask about all of them", variant="primary", elem_id="ask-many")
                self.status = gr.Markdown("", elem_id="many-status", elem_classes="status-line")
            with gr.Column(scale=9, min_width=320, elem_classes="answers"):
                self.matrix = WordsMatrix({"rows": []}, "many")
                self.takeaway = Takeaway(share.SAVERS, None, "many-")
        self._connect(words)

    def _connect(self, words: WordsTab) -> None:
        asked = [self.gallery, words.labels, words.phrasings, words.model]
        shown = [self.answer, self.matrix, self.status, self.takeaway.code]
        drawing = self.drawn.click(handlers.draw, [words.labels], [self.gallery], **QUIET)
        for trigger in (self.ask.click, drawing.success):
            _, answered = ask(
                self.turn, trigger, handlers.ask, asked, shown, self.status, fetching.fetch, [words.model]
            )
            answered.success(None, None, None, js=scroll_to("many"), **PRIVATE)
        self.takeaway.connect(handlers.save_as, [self.answer], self.status)
