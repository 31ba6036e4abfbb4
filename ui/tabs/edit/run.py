"""An edit on its way: what a visitor asked for, and what came back so far. Nothing is shared between visitors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toyland.world.scene import plain_caption
from ui.events.streaming import OWN_STEPS, grown
from ui.models import generator_jobs
from ui.shared.pictures import Picture

if TYPE_CHECKING:
    from guidance.editing.edit import EditStep
    from guidance.layout.parsing import Box
    from guidance.records import EditRecipe

LAMBDA = 0.5  # how much words count where nobody says: `guidance.editing.settings.EDITS`
STRENGTH = 1.0


@dataclass(frozen=True)
class EditWish:
    """Wish of a visitor, as the page has it: `words` of the prompt that count, or words with weights from 0 to 1;
    `boxes` none or one; `way` "" is the generator's first. `compare`: the same without the words as well. Checked by
    `read`.
    """

    picture: Picture
    prompt: str
    words: Any = ()
    caption: str = ""
    boxes: Any = ()
    generator: str = generator_jobs.DEFAULT_GENERATOR
    way: str = ""
    strength: float = STRENGTH
    word_weight: float = LAMBDA
    seed: int = 0
    steps: int = OWN_STEPS
    compare: bool = True

    def read(self) -> tuple[EditRecipe, tuple[str, ...]]:
        """Returns the recipe, and notes on what was put right. ValueError for what cannot be done; whether the words
        are in the prompt is seen when the model reads it.
        """
        from guidance.editing.settings import find_edit
        from guidance.generators.catalogue import find
        from guidance.records import EditRecipe

        entry = find(self.generator)
        settings = find_edit(entry, self.way or None)  # type: ignore[arg-type]  # it has a generator's name and kind
        sampling, objective = settings.sampling, settings.objective
        settings = replace(
            settings,
            sampling=sampling if self.steps == OWN_STEPS else replace(sampling, steps=self.steps),
            objective=replace(objective, weight=self.word_weight),
            guarded=settings.guarded and not self.compare,  # who sees both may judge for themselves
            strength=self.strength,
        )
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            raise ValueError("It is not said yet what the picture should show: type it, all of it")
        words = _words(self.words)
        box, notes = _box(self.boxes, " ".join(words) or self.prompt)
        guide = entry.guide
        recipe = EditRecipe(self.prompt, words, self.caption, box, self.generator, guide, self.seed, settings)
        return recipe, notes


@dataclass(frozen=True)
class EditRun:
    """The steps so far that are kept. `before`: the picture as it was, at the generator's size, as an edit of no
    steps. `without`: what comes of the same seed if no words count.
    """

    picture: Picture
    recipe: EditRecipe
    notes: tuple[str, ...] = ()
    before: EditStep | None = None
    steps: tuple[EditStep, ...] = ()
    without: EditStep | None = None
    seconds: float = 0.0
    finished: bool = False

    @property
    def last(self) -> EditStep | None:
        return self.steps[-1] if self.steps else None

    @property
    def settled(self) -> bool:
        return self.finished or self.last is None or self.last.finished

    @property
    def seconds_left(self) -> float | None:
        """Judged by the steps so far; None before there are some."""
        if self.last is None or self.last.finished or self.last.index < 2:
            return None
        return self.seconds / (self.last.index + 1) * (self.last.total - self.last.index)


def edit(wish: EditWish) -> Iterator[EditRun]:
    """The run, after every step. Close it to stop."""
    recipe, notes = wish.read()
    opened = wish.picture.open()
    begun = time.perf_counter()
    now = EditRun(wish.picture, recipe, notes)
    for what, step in generator_jobs.edit(recipe, opened, wish.compare):
        now = replace(now, seconds=time.perf_counter() - begun)
        if what == "before":
            now = replace(now, before=step)
        elif what == "without":
            now = replace(now, without=step)
        else:
            said = tuple(dict.fromkeys([*now.notes, *step.notes]))
            now = replace(now, steps=grown(now.steps, step), notes=said)
        yield now
    yield replace(now, seconds=time.perf_counter() - begun, finished=True)


def scene_caption(picture: Picture) -> str:
    """A drawn scene in plain words; "" for any other picture."""
    return "" if picture.scene is None else plain_caption(picture.scene)


def _words(chosen: object) -> dict[str, float]:
    """Words with weights. ValueError for what is neither a list of words nor such a mapping."""
    if not chosen and (chosen is None or isinstance(chosen, (str, Sequence, Mapping))):
        return {}
    if isinstance(chosen, Mapping):
        return dict(chosen)
    if isinstance(chosen, (list, tuple)) and all(isinstance(word, str) for word in chosen):
        return dict.fromkeys(chosen, 1.0)
    raise ValueError(
        "the words that count cannot be read; allowed: a list of words of the prompt, or an object of words and their "
        "weights from 0 to 1"
    )


def _box(boxes: object, phrase: str) -> tuple[Box | None, tuple[str, ...]]:
    """The box that the change stays in, and notes; one without a name is to hold `phrase`."""
    from guidance.layout.parsing import MAX_PHRASE, parse_boxes

    given = [boxes] if isinstance(boxes, Mapping) and boxes else boxes
    if not given and (given is None or isinstance(given, (Sequence, Mapping))):
        return None, ()
    if isinstance(given, (list, tuple)):
        if len(given) > 1:
            raise ValueError(
                f"there are {len(given)} boxes; allowed: one, in which the change stays, or none"
            )
        given = [
            {**box, "phrase": box.get("phrase") or phrase[:MAX_PHRASE]} if isinstance(box, Mapping) else box
            for box in given
        ]
    found, notes = parse_boxes(given)  # type: ignore[arg-type]  # checked there
    return found[0], notes
