"""A picture on its way: what a visitor asked for, and what came back so far. Nothing is shared between visitors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ui.events.streaming import OWN_STEPS, grown
from ui.models import clip_jobs, generator_jobs

if TYPE_CHECKING:
    from guidance.generating import Step
    from guidance.objectives.word_relevance import WordReading
    from guidance.records import Recipe


@dataclass(frozen=True)
class Wish:
    """Wish of a visitor, as the page has it: `boxes` as the canvas gives them, `clip` the model that guides.
    Checked by `read`.
    """

    prompt: str
    boxes: Sequence[Mapping[str, Any]]
    generator: str = generator_jobs.DEFAULT_GENERATOR
    preset: str = "fast"
    clip: str = ""
    seed: int = 0
    weight: float = 1.0
    steps: int = OWN_STEPS

    def read(self) -> tuple[Recipe, tuple[str, ...]]:
        """Returns the recipe, and notes on what was put right. ValueError for what cannot be done."""
        from guidance.generators.catalogue import find
        from guidance.layout.parsing import parse_boxes
        from guidance.presets import named_preset
        from guidance.records import Recipe, make_layout

        entry = find(self.generator)
        boxes, notes = parse_boxes(self.boxes)
        if not boxes:
            raise ValueError("There is no box yet: draw one, and say what is to be in it")
        preset = named_preset(self.preset, entry)
        steps = preset.sampling.steps if self.steps == OWN_STEPS else self.steps
        preset = replace(preset, sampling=replace(preset.sampling, weight=self.weight, steps=steps))
        layout = make_layout(self.prompt, boxes)
        return Recipe(layout, self.generator, self.clip or entry.guide, self.seed, preset), notes


@dataclass(frozen=True)
class Run:
    """The steps so far that are kept. `alone`: the same seed without guidance, or where words are rescued the picture
    that neglected them. `words`: what the finished picture makes of the prompt's words; `words_before`: the same of the
    picture that neglected some.
    """

    recipe: Recipe
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    alone: Step | None = None
    words: tuple[WordReading, ...] = ()
    words_before: tuple[WordReading, ...] = ()
    seconds: float = 0.0
    finished: bool = False

    @property
    def last(self) -> Step | None:
        return self.steps[-1] if self.steps else None

    @property
    def settled(self) -> bool:
        return self.finished or self.last is None or self.last.finished

    @property
    def neglected(self) -> tuple[str, ...]:
        """The words of the prompt that the finished picture makes little of."""
        from guidance.objectives.word_relevance import neglected

        return neglected(self.words)

    @property
    def seconds_left(self) -> float | None:
        """Judged by the steps so far; None before there are some."""
        if self.last is None or self.last.finished or self.last.index < 2:
            return None
        return self.seconds / (self.last.index + 1) * (self.last.total - self.last.index)


def make(wish: Wish) -> Iterator[Run]:
    """The run, after every step. Close it to stop."""
    yield from _made(Run(*wish.read()))


def rescue(run: Run) -> Iterator[Run]:
    """A finished run again, with the words in mind that its picture neglects: the same boxes, seed and settings. Its
    picture and words stay beside the new ones. ValueError where no word is neglected.
    """
    if not run.neglected:
        raise ValueError("no word of the prompt is neglected in this picture, so there is nothing to rescue")
    # Those that were rescued before count on.
    words = tuple(dict.fromkeys([*run.recipe.words, *run.neglected]))
    recipe = replace(run.recipe, words=words)
    yield from _made(Run(recipe, run.notes, alone=run.last, words_before=run.words))


def _made(now: Run) -> Iterator[Run]:
    begun = time.perf_counter()
    for guided, step in generator_jobs.generate(now.recipe):
        now = replace(now, seconds=time.perf_counter() - begun)
        now = _with(now, step) if guided else replace(now, alone=step)
        yield now
    assert now.last is not None
    words = clip_jobs.read_words(now.recipe.clip, now.last.image, now.recipe.layout.prompt)
    now = replace(now, words=words)
    yield replace(now, seconds=time.perf_counter() - begun, finished=True)


def _with(now: Run, step: Step) -> Run:
    notes = tuple(dict.fromkeys([*now.notes, *step.notes]))
    return replace(now, steps=grown(now.steps, step), notes=notes)
