"""From a press to its answer. What stood on the page then is kept until the models are free, for the page may show
something else by that time; and what is pressed last is what is answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from inspect import isgeneratorfunction
from typing import Any

import gradio as gr
from gradio.events import Dependency

from ui.events.fetching import NO_PROGRESS
from ui.events.queues import DOWNLOAD_LANE, MODEL_LANE, PRIVATE, QUIET

Event = Callable[..., Dependency]  # what takes a handler: a trigger, or `then` and `success` of another event
Question = Callable[[], Any]  # a handler with what stood on the page
Waiting = tuple[Dependency, Dependency]  # files are fetched, then a model answers


@dataclass
class Turn:
    """Request that a visitor waits for in one tab. It changes in place, so that an answer on its way sees that
    another was asked for. Gradio copies the first one for every visitor.
    """

    presses: int = 0  # each stop is one, too
    begun: int = 0  # goes up where what runs must end
    question: Question | None = None  # what is to be answered next
    cut: bool = False  # what the page shows is of a run that was ended

    def press(self) -> int:
        """Something was asked for; what it is comes with `put`, when all files are here."""
        self.presses += 1
        return self.presses

    def put(self, press: int, question: Question | None) -> None:
        """This is to be answered, unless something was pressed since: it ends what runs."""
        if press == self.presses:
            self.begun += 1
            self.question = question

    def take(self) -> Question | None:
        """Takes what is to be answered, once: of several jobs in the queue, one answers."""
        question, self.question = self.question, None
        return question

    def stop(self) -> None:
        """Nothing comes of what was pressed."""
        self.put(self.press(), None)


def ask(
    turn: gr.State,
    after: Event,
    handler: Callable[..., Any],
    asked: Sequence[Any],
    shown: Sequence[Any],
    status: gr.Markdown,
    fetch: Callable[..., Awaitable[None]] | None = None,
    models: Sequence[Any] = (),
) -> Waiting:
    """A question: the files of its `models` are fetched, then the handler is asked what stood on the page.

    "multiple": what is pressed while another answer is on its way must not be dropped.
    """
    common = {**PRIVATE, "trigger_mode": "multiple", "show_progress_on": status}
    given, answering = [turn, *models, *asked], _streaming if isgeneratorfunction(handler) else _answering
    fetched = after(_fetching(handler, fetch, len(models)), given, None, **common, **DOWNLOAD_LANE)
    return fetched, fetched.success(answering(len(shown)), [turn], list(shown), **common, **MODEL_LANE)


def stop(
    turn: gr.State,
    button: gr.Button,
    handler: Callable[..., Any],
    seen: Sequence[Any],
    shown: Sequence[Any],
    running: Sequence[Waiting],
) -> None:
    """Makes the button end what runs after its step, and drop what waits. `running`: what may run, as `ask` gave it.

    Gradio's `cancels` lets the page go at once; but of several jobs it ends only the last, and an answer whose files it
    no longer waits for is asked all the same.
    """

    def stopped(turn: Turn, *seen: Any) -> Any:
        turn.stop()
        return handler(*seen)

    def failed(turn: Turn, *seen: Any) -> Any:
        return handler(*seen) if turn.cut else gr.skip()

    # Answers first: one that begins while it is cancelled would be cancelled before it has a name.
    fetched, answered = zip(*running, strict=True)
    pressed = button.click(stopped, [turn, *seen], list(shown), cancels=[*answered, *fetched], **QUIET)
    pressed.then(handler, list(seen), list(shown), **QUIET)  # a step may have come meanwhile
    for one in answered:  # it may have ended a run, which would seem to go on
        one.failure(failed, [turn, *seen], list(shown), **QUIET)


def named(
    handler: Callable[..., Mapping[str, Any]], outputs: Mapping[str, Any]
) -> Callable[..., tuple[Any, ...]]:
    """A handler that says by name what changes, as Gradio takes it: the other `outputs` stay as they are."""

    @wraps(handler)
    def in_order(*given: Any) -> tuple[Any, ...]:
        found = handler(*given)
        if unknown := set(found) - set(outputs):
            raise KeyError(f"no outputs of these names: {', '.join(sorted(unknown))}")
        return tuple(found.get(name, gr.skip()) for name in outputs)

    return in_order


def _fetching(
    handler: Callable[..., Any], fetch: Callable[..., Awaitable[None]] | None, models: int
) -> Callable[..., Awaitable[None]]:
    async def fetching(turn: Turn, progress: gr.Progress = NO_PROGRESS, *given: Any) -> None:
        press = turn.press()
        if fetch is not None:
            await fetch(*given[:models], progress)
        turn.put(press, partial(handler, *given[models:]))

    return fetching


def _answering(shown: int) -> Callable[[Turn], Any]:
    def answering(turn: Turn) -> Any:
        question = turn.take()
        return _nothing(shown) if question is None else question()

    return answering


def _streaming(shown: int) -> Callable[[Turn], Iterator[Any]]:
    def streaming(turn: Turn) -> Iterator[Any]:
        question, begun = turn.take(), turn.begun
        answered = False
        for answer in question() if question else ():
            turn.cut = turn.begun != begun
            if turn.cut:
                break
            answered = True
            yield answer
        # Gradio sends what was yielded last once more at the end. That must not undo what another press has drawn; and
        # where nothing was yielded it would empty the page. Nothing comes after a last answer, though: the page's
        # client writes each difference into the message before it, which may not have been read yet.
        if turn.cut or not answered:
            yield _nothing(shown)

    return streaming


def _nothing(shown: int) -> tuple[Any, ...]:
    return tuple(gr.skip() for _ in range(shown))
