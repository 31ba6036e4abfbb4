"""The Explain tab: a picture and prompts on the left, one card per prompt on the right; and who calls what.

Everything that may run a model shares one queue, and nothing else is in it: files are fetched before, cards are drawn
after. No event is public.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import Dependency

from explain.clip.catalogue import AUTOMATIC
from ui.components import choices
from ui.components.box_canvas import BoxCanvas, canvas_value
from ui.components.choice import Choice
from ui.components.look_controls import colours, strength
from ui.components.picture_chooser import PictureChooser
from ui.components.takeaway import Takeaway
from ui.components.views import Cards
from ui.events import fetching
from ui.events.queues import DRAWING_LANE, MODEL_LANE, PRIVATE, QUIET, VIEW_SECONDS, scroll_to
from ui.events.requests import Event, Turn, ask
from ui.shared.drawing import Look, waiting
from ui.shared.links import Question
from ui.shared.text import AUTOMATIC_NOTE
from ui.tabs.explain import handlers, share, text

LINK = "Link to this view (an uploaded picture is not part of it)"


class ExplainTab:
    """The tab's components. Others read `view`, the last answer, and `default_model`."""

    def __init__(self, model: str) -> None:
        question = Question(model=model)
        self.turn, self.default_model = gr.State(Turn()), gr.State(model)
        self.view = gr.State(None, time_to_live=VIEW_SECONDS)
        self.suggested, self.boxed = gr.State(""), gr.State(None)
        with gr.Row(elem_id="explain-tab", elem_classes="tab-row"):
            with gr.Column(scale=4, min_width=320, elem_id="asking", elem_classes="asking"):
                self._lay_out_question(question)
            with gr.Column(scale=9, min_width=320, elem_id="answers"):
                self._lay_out_answer(question)
        self._connect_opening()
        self._connect_questions()
        self._connect_drawing()

    def _lay_out_question(self, question: Question) -> None:
        """Lays out the picture, the prompts, and the choice of the model that answers."""
        self.chooser = PictureChooser(question.picture)
        self.prompts = gr.Textbox(
            question.text,
            label="Prompts, one per line",
            placeholder="a red car\nthe sky",
            lines=3,
            max_lines=8,
            elem_id="prompts",
            elem_classes="prompt-box",
        )
        self.explain = gr.Button("Explain", variant="primary", elem_id="explain")
        self.status = gr.Markdown("The model is waking up.", elem_id="status", elem_classes="status-line")
        with gr.Accordion("Where is the thing? Draw a box", open=False, visible=False) as self.where_box:
            gr.Markdown(text.WHERE)
            self.where = BoxCanvas(canvas_value(()), elem_id="where")
        self.model = Choice(choices.plain("Model", question.model), elem_id="model")
        note = AUTOMATIC_NOTE if question.model == AUTOMATIC else ""
        self.model_note = gr.Markdown(note, elem_id="model-note", elem_classes="model-note")

    def _lay_out_answer(self, question: Question) -> None:
        """Which maps, how they are drawn, and the cards."""
        look = Look()
        with gr.Row(elem_id="look", elem_classes="look-row"):
            self.method = Choice(choices.plain("Map", question.method), elem_id="method")
            self.beside = Choice(choices.plain("Beside it", question.beside), elem_id="beside")
            self.colormap = colours(look.colormap, "colormap")
            self.opacity = strength(look.opacity, "opacity")
            self.turned = gr.Checkbox(look.turned, label="Reverse first map", min_width=140, elem_id="turned")
        self.cards = Cards(waiting(question.picture), "cards")
        self.takeaway = Takeaway(share.SAVERS, LINK)
        with gr.Accordion("What am I seeing, and what can it not tell me?", open=False):
            gr.Markdown(text.EXPLAINER)

    @property
    def _question(self) -> list[Any]:
        return [self.chooser.picture, self.prompts, self.model, self.method, self.beside]

    @property
    def _answer(self) -> list[Any]:
        kept = self.takeaway
        return [self.view, self.status, kept.code, kept.query, self.method, self.beside]

    @property
    def _look(self) -> list[Any]:
        return [self.opacity, self.colormap, self.turned, self.where]

    @property
    def _shown(self) -> list[Any]:
        return [self.chooser.picture, self.chooser.image, self.prompts, self.suggested]

    def _ask(self, after: Event) -> tuple[Dependency, Dependency, Dependency]:
        """A question: the model's files are fetched, the model is asked, the cards are drawn."""
        fetched, asked = ask(
            self.turn,
            after,
            handlers.explain,
            self._question,
            self._answer,
            self.status,
            fetching.fetch,
            [self.model],
        )
        return fetched, asked, self._draw_answer(asked)

    def _draw_answer(self, asked: Dependency) -> Dependency:
        """The cards of another answer; boxes of the picture before do not count any more."""
        boxes = [self.where_box, self.where, self.boxed]
        where = asked.success(handlers.show_where, [self.view, self.boxed], boxes, **QUIET)
        return self._draw(where.success)

    def _draw(self, after: Event) -> Dependency:
        return after(handlers.redraw, [self.view, *self._look], [self.cards], **DRAWING_LANE, **QUIET)

    def _list_models(self, after: Event) -> None:
        listed = [self.model, self.model_note]
        after(handlers.show_models, [self.view, self.default_model], listed, **QUIET)

    def _connect_opening(self) -> None:
        """The page opens: what the link asks is put on the page, then answered, then the models are listed."""
        page = gr.context.Context.root_block
        put = [*self._shown, self.model, self.method, self.beside, self.cards]
        opened = page.load(handlers.read_link, [self.default_model], put, **QUIET)
        _, answered = ask(
            self.turn,
            opened.then,
            handlers.answer_link,
            [self.default_model, *self._question],
            self._answer,
            self.status,
            fetching.fetch_link,
            [self.default_model, self.model],
        )
        self._draw_answer(answered)
        self._list_models(answered.then)

    def _connect_questions(self) -> None:
        """Another picture, other prompts, another model or method: the model is asked."""
        for trigger in (self.explain.click, self.prompts.submit):
            *_, drawn = self._ask(trigger)
            drawn.success(None, None, None, js=scroll_to("cards"), **PRIVATE)
        self.chooser.on_clear(self.status)
        given = [self.prompts, self.suggested]
        pictures = self.chooser.on_another(handlers.show_picture, given, self._shown)
        for trigger in (self.method.choose, self.beside.choose, self.chooser.on_upload(), *pictures):
            self._ask(trigger)
        fetched, asked, _ = self._ask(self.model.choose)
        # Also after a failure: the list goes back to the model that answered.
        for after in (fetched.failure, asked.then):
            self._list_models(after)
        chosen = self.cards.word(
            handlers.choose_word,
            [self.view],
            [self.view],
            **PRIVATE,
            **MODEL_LANE,
            show_progress_on=self.status,
        )
        self._draw(chosen.success)

    def _connect_drawing(self) -> None:
        """Strength, colours, reversal: the kept maps are drawn again, the last wish wins; and files of them."""
        for trigger in (self.opacity.input, self.colormap.choose, self.turned.input, self.where.input):
            self._draw(trigger)
        seen = [self.view, *self._look]
        self.takeaway.save(self.cards.save, handlers.save_map, seen, self.status)
        self.takeaway.connect(handlers.save_as, seen, self.status)
