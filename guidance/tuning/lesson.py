"""A lesson: a few pictures of each class learnt from, without and with the loss on names, beside a plain prompt.

What a page shows while it goes on. Nothing in it is a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch

from explain.clip.model import Clip
from guidance.tuning.crops import ViewBank, encoded
from guidance.tuning.examples import Draw, Examples
from guidance.tuning.losses import own_relevance
from guidance.tuning.nearest_words import nearest_words
from guidance.tuning.prompt_learner import ContextSettings, PromptLearner, name_notes
from guidance.tuning.saved import as_file
from guidance.tuning.settings import Variant
from guidance.tuning.tune import HeldOut, TuningStep, tune_prompt

PLAIN, COOP, NAMES = WAYS = ("plain", "coop", "names")
PHRASING = "a photo of a {}"


@dataclass(frozen=True)
class ClassReading:
    """Figures of one class's pictures: how many there are, the share that find it, and the mean share of the relevance
    that its name has; None where there are none.
    """

    name: str
    pictures: int
    right: float | None
    name_share: float | None


@dataclass(frozen=True)
class Reading:
    """Result of one of WAYS. `accuracy`: over all pictures. `words`: those nearest to the learnt tokens, in their
    order. `context`: the file that `saved.load_context` reads.
    """

    way: str
    accuracy: float
    classes: tuple[ClassReading, ...]
    words: tuple[str, ...]
    context: bytes

    @property
    def name_share(self) -> float:
        """The mean over all pictures."""
        counted = [(each.pictures, each.name_share or 0.0) for each in self.classes]
        pictures = sum(count for count, _ in counted)
        return sum(count * share for count, share in counted) / pictures if pictures else 0.0


@dataclass(frozen=True)
class LessonStep:
    """A step of one of WAYS, or what came of it. `tried_on`: the set of pictures that readings are of, "rest" or, where
    none are left, "learnt". `notes`: sentences on what was left out.
    """

    way: str
    step: TuningStep | None
    reading: Reading | None
    tried_on: str
    notes: tuple[str, ...] = ()


def lesson(clip: Clip, examples: Examples, variant: Variant, seed: int = 0) -> Iterator[LessonStep]:
    """The plain prompt; then CoOp, and CoOp with the variant's lambda (unless that is 0), step by step. Close to stop.

    ValueError, before the first step, for examples that cannot be learnt from.
    """
    asked = [(COOP, variant.with_weight(0))] + [(NAMES, variant)] * bool(variant.tuning.weight)
    # Names that cannot be read are told before any picture is.
    plain = PromptLearner(clip, examples.names, ContextSettings(phrasing=PHRASING))
    ways = [(way, PromptLearner(clip, examples.names, one.context, seed), one) for way, one in asked]
    draw = examples.draw(clip, variant.shots, seed)
    notes = (*examples.notes, *name_notes(clip, examples.names))
    bank = ViewBank(clip, draw.pictures, seed=seed)
    return _steps(plain, ways, draw, bank, seed, notes)


def _steps(
    plain: PromptLearner,
    ways: Sequence[tuple[str, PromptLearner, Variant]],
    draw: Draw,
    bank: ViewBank,
    seed: int,
    notes: tuple[str, ...],
) -> Iterator[LessonStep]:
    tried_on, held = next(iter(draw.held_out.items()), ("learnt", None))
    held = _learnt(plain.clip, draw) if held is None else held
    yield LessonStep(PLAIN, None, _read(PLAIN, plain, held, {}), tried_on, notes)
    for way, learner, variant in ways:
        for step in tune_prompt(learner, bank, draw.labels, variant.tuning, seed, {tried_on: held}):
            yield LessonStep(way, step, None, tried_on, notes)
        how = asdict(variant.tuning) | {"shots": variant.shots, "seed": seed}
        yield LessonStep(way, None, _read(way, learner, held, how), tried_on, notes)


def _learnt(clip: Clip, draw: Draw) -> HeldOut:
    """The pictures that are learnt from, as they are: where there are no others to try."""
    labels = torch.tensor(draw.labels, device=clip.device)
    return HeldOut(encoded(clip, draw.pictures), labels)


def _read(way: str, learner: PromptLearner, held: HeldOut, how: dict[str, object]) -> Reading:
    best = (held.features @ learner.features().T).argmax(-1)
    shares = own_relevance(learner, held.features, held.labels)
    classes = []
    for number, name in enumerate(learner.names):
        mine = held.labels == number
        count = int(mine.sum())
        right, share = (best[mine] == number).float(), shares[mine]
        known = (float(right.mean()), float(share.mean())) if count else (None, None)
        classes.append(ClassReading(name, count, *known))
    words = tuple(near[0].text for near in nearest_words(learner, 1))
    return Reading(way, held.accuracy(learner.features()), tuple(classes), words, as_file(learner, how))
