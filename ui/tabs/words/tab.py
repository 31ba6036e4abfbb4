"""The Words tab: one picture, some labels, many phrasings: what CLIP answers in each, and which words it uses; and who
calls what.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from explain.clip.catalogue import AUTOMATIC
from ui.components import choices
from ui.components.choice import Choice
from ui.components.picture_chooser import PictureChooser
from ui.components.takeaway import Takeaway
from ui.components.views import WordsMatrix
from ui.events import fetching
from ui.events.queues import PRIVATE, QUIET, VIEW_SECONDS, scroll_to
from ui.events.requests import Event, Turn, Waiting, ask, named
from ui.shared.text import AUTOMATIC_NOTE
from ui.tabs.words import handlers, share, text
from ui.tabs.words.examples import EXAMPLES, FIRST
from ui.tabs.words.question import WordsAsked

LINK = "Link to this question (an uploaded picture is not part of it)"
WITH_SEARCH = "(put, model, query) => [put, model, location.search]"


class WordsTab:
    """The tab's components. `put` holds the question that it opens with; what stands below it reads `labels`,
    `phrasings` and `model`.
    """

    def __init__(self, model: str, tabs: gr.Tabs, tab: gr.Tab, put: gr.State) -> None:
        self.turn, self.suggested = gr.State(Turn()), gr.State("")
        self.answer = gr.State(None, time_to_live=VIEW_SECONDS)
        self.put, self.default_model = put, gr.State(model)
        with gr.Row(elem_id="words-tab", elem_classes="tab-row"):
            with gr.Column(scale=4, min_width=320, elem_classes="asking"):
                self._lay_out_question(FIRST.asked_of(model))
            with gr.Column(scale=9, min_width=320, elem_classes="answers"):
                self.matrix = WordsMatrix({"rows": []}, "matrix")
                self.takeaway = Takeaway(share.SAVERS, LINK, "words-")
                with gr.Accordion("What do the numbers mean, and what do they not?", open=False):
                    gr.Markdown(text.EXPLAINER)
        self._connect_opening(tabs, tab)
        self._connect_questions()
        self.takeaway.connect(handlers.save_as, [self.answer], self.status)

    def _lay_out_question(self, first: WordsAsked) -> None:
        """Picture, labels, phrasings, model, and examples."""
        self.chooser = PictureChooser(first.picture, "words-")
        with gr.Row(elem_classes="example-row"):
            self.examples = {
                name: gr.Button(name, size="sm", min_width=80, elem_classes="example") for name in EXAMPLES
            }
        self.labels = gr.Textbox(
            first.labels,
            label=f"Labels: {text.LABELS_INFO}",
            placeholder="cat, dog",
            lines=1,
            max_lines=6,
            elem_id="labels",
            elem_classes="prompt-box",
        )
        self.ask = gr.Button("Ask in all phrasings", variant="primary", elem_id="ask-words")
        self.status = gr.Markdown("", elem_id="words-status", elem_classes="status-line")
        self.phrasings = gr.Textbox(
            first.phrasings,
            label=f"Phrasings: {text.PHRASINGS_INFO}",
            placeholder="a photo of a {}",
            lines=5,
            max_lines=8,
            elem_id="phrasings",
            elem_classes="prompt-box",
        )
        self.model = Choice(choices.plain("Model", first.model), elem_id="words-model")
        note = AUTOMATIC_NOTE if first.model == AUTOMATIC else ""
        self.model_note = gr.Markdown(note, elem_id="words-model-note", elem_classes="model-note")

    @property
    def _shown(self) -> list[Any]:
        return [self.chooser.picture, self.chooser.image, self.labels, self.suggested]

    def _ask(self, after: Event) -> Waiting:
        """A question: the model's files are fetched, the model is asked."""
        question = [self.chooser.picture, self.labels, self.phrasings, self.model]
        answer = [self.answer, self.matrix, self.status, self.takeaway.code, self.takeaway.query]
        return ask(
            self.turn, after, handlers.ask, question, answer, self.status, fetching.fetch, [self.model]
        )

    def _connect_opening(self, tabs: gr.Tabs, tab: gr.Tab) -> None:
        """A link to a question asks it; else the tab, when it is first selected, asks the first example."""
        page = gr.context.Context.root_block
        taken = {
            "picture": self.chooser.picture,
            "image": self.chooser.image,
            "labels": self.labels,
            "suggested": self.suggested,
            "phrasings": self.phrasings,
            "model": self.model,
            "matrix": self.matrix,
            "put": self.put,
        }
        linked = taken | {"tabs": tabs}
        page.load(named(handlers.read_link, linked), [self.default_model], list(linked.values()), **QUIET)
        seen = [self.put, self.default_model, self.takeaway.query]
        opened = named(handlers.open_tab, taken)
        selected = tab.select(opened, seen, list(taken.values()), js=WITH_SEARCH, **QUIET)
        listed = [self.model, self.model_note]
        selected.then(choices.show_models, [self.model, self.default_model], listed, **QUIET)
        asked = self._ask(self.put.change)
        self._list_after(*(job.failure for job in asked))

    def _list_after(self, *events: Event) -> None:
        """The list goes back to the model that answered."""
        for after in events:
            seen, listed = [self.answer, self.default_model], [self.model, self.model_note]
            after(handlers.show_models_of, seen, listed, **QUIET)

    def _connect_questions(self) -> None:
        """Another picture, other labels or phrasings, another model: the model is asked."""
        for trigger in (self.ask.click, self.labels.submit):
            _, asked = self._ask(trigger)
            asked.success(None, None, None, js=scroll_to("matrix"), **PRIVATE)
        self.chooser.on_clear(self.status)
        triggers = [self.chooser.on_upload()]
        triggers += self.chooser.on_another(handlers.show_picture, [self.labels, self.suggested], self._shown)
        for name, button in self.examples.items():
            example = partial(handlers.show_example, name)
            triggers.append(button.click(example, None, [*self._shown, self.phrasings], **QUIET).success)
        for trigger in triggers:
            self._ask(trigger)
        fetched, asked = self._ask(self.model.choose)
        self._list_after(fetched.failure, asked.then)  # the latter also after a failure
