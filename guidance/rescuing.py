"""rescue(): a picture of a prompt, the words of the prompt that it neglects, and a picture in which they count.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), section on generation. A finished picture's
relevance to every word is read; those below 0.7 of the strongest are neglected, and with them the picture is made
again, by

    score = cos(picture, prompt) + lambda E        E = the mean over neglected words of their largest token's relevance

with relevance as in `objectives/word_relevance.py`, form "neglected". In the paper lambda 0.1 acts where the run
chooses what to begin with, and not after; here that choice is among noises (`generators/diffusion/candidates.py`).

Differs from the paper: its generator is a GAN with a search of its own, here it is any of ours; which words are
neglected is decided as for labels, so that adjectives are rescued, too; and the second run has the seed
of the first, whose noise is one of those that it chooses from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from PIL import Image
from torch import Tensor

from explain.clip.model import Clip
from explain.inputs.content_words import NEGLECTED, is_content
from guidance.checks import shown, within
from guidance.generators.base import Generator, Process
from guidance.generators.catalogue import GENERATORS
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import Sampling
from guidance.layout.parsing import Layout
from guidance.objectives.boxes import BoxObjective, ObjectiveSettings
from guidance.objectives.guide import Heard, as_picture
from guidance.objectives.readings import Judgement
from guidance.objectives.word_relevance import neglected
from guidance.objectives.words import TextObjective, TextReading, TextSettings

LAMBDA = 0.1


@dataclass(frozen=True)
class RescueSettings:
    """`objective`: its weight is lambda. `threshold`: words below this share of the strongest are neglected. ValueError
    for what is not allowed.
    """

    objective: TextSettings = field(default_factory=lambda: TextSettings("neglected", LAMBDA))
    threshold: float = NEGLECTED

    def __post_init__(self) -> None:
        if not isinstance(self.objective, TextSettings):
            raise ValueError(f"objective is {shown(self.objective)}; allowed: TextSettings")
        object.__setattr__(self, "threshold", within("threshold", self.threshold, 0, 1))


# Chosen on Toyland's validation layouts: noises are chosen among, judged at 13 of 20 steps, and no picture is pulled.
_CHOSEN = TextSettings("neglected", LAMBDA, views=1, view_strength=0.0)
RESCUES: Mapping[str, tuple[Sampling, RescueSettings]] = MappingProxyType(
    {
        "diffusion": (
            Sampling(steps=20, candidates=8, judged_at=0.65, guide_to=0.05),
            RescueSettings(_CHOSEN),
        ),
        "vqgan": (Sampling(steps=100), RescueSettings()),
    }
)


@dataclass(frozen=True, eq=False)
class RescueStep:
    """A step of either run, for people. Holds no tensor.

    `rescued`: of the second run. `index` counts from 0 to `total`; the step `total` is the finished picture, and the
    only one with a `reading`, and with `neglected`, words of the prompt. `losses`: the total and its parts by name,
    empty where nothing guided the step. `image`: what the picture is going to be. `skipped`: the gradient was no
    number, so the picture was not moved.
    """

    rescued: bool
    index: int
    total: int
    losses: Mapping[str, float]
    image: Image.Image
    reading: TextReading | None = None
    neglected: tuple[str, ...] = ()
    skipped: bool = False
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        return self.index == self.total


def rescue(
    generator: Generator,
    clip: Clip,
    prompt: str,
    seed: int = 0,
    sampling: Sampling | None = None,
    settings: RescueSettings | None = None,
) -> Iterator[RescueStep]:
    """Make a picture of a prompt, and make it again with the words in mind that it neglects: every step of both runs.

    The first is the generator alone; one that makes nothing without a guide has the similarity to the prompt. The
    second has the same seed, `sampling`, and `settings.objective`; there is none where no word is neglected, which the
    first run's last step says in its notes. Close the generator to stop: all state goes with it. ValueError, before the
    first step, for what cannot be done; `memory.GenerationOutOfMemory` where the memory does not suffice.
    """
    own_sampling, own_settings = find_rescue(generator)
    sampling, settings = sampling or own_sampling, settings or own_settings
    plain = TextObjective(clip, [prompt], [()], [seed], replace(settings.objective, weight=0.0))
    prompt = plain.prompts[0].text
    # Both at once: what the second cannot do is said before the first has taken its time.
    runs = [generator.begin([prompt], [seed], each) for each in (sampling.alone, sampling)]
    return _both(clip, seed, settings, plain, *runs)


def rescued(
    generator: Generator,
    clip: Clip,
    prompts: Sequence[str],
    words: Sequence[Sequence[str]],
    seeds: Sequence[int],
    sampling: Sampling,
    settings: TextSettings,
    ways: Ways | None = None,
) -> Tensor:
    """The second run of several prompts at once, each with its neglected words: finished pictures (B, 3, H, W).

    `ways`: shared by runs that differ in nothing but their settings.
    """
    objective = TextObjective(clip, prompts, words, seeds, settings)
    process = generator.begin([one.text for one in objective.prompts], seeds, sampling, (), ways)
    guide = Heard(objective)
    for _ in range(process.total):
        process.advance(guide)
    return process.finish()


class BoxesAndWords(BoxObjective):
    """A layout's loss with that of its prompt's neglected words added: a run with boxes, made again.

    Terms have the names of both: "similarity" is the prompt's. ValueError as from `BoxObjective`, and for words that
    are not in the prompt.
    """

    def __init__(
        self,
        clip: Clip,
        layout: Layout,
        words: Sequence[str],
        seed: int = 0,
        boxes: ObjectiveSettings | None = None,
        settings: TextSettings | None = None,
    ) -> None:
        super().__init__(clip, [layout], [seed], boxes)
        self.words = TextObjective(
            clip, [layout.prompt], [words], [seed], settings or TextSettings("neglected", LAMBDA)
        )
        self.notes = tuple(dict.fromkeys([*self.notes, *self.words.notes]))

    def __call__(self, images: Tensor, step: int) -> Judgement:
        boxes, words = super().__call__(images, step), self.words(images, step)
        return Judgement(boxes.total + words.total, {**boxes.terms, **words.terms}, boxes.readings)

    def of_targets(self, images: Tensor) -> Tensor:
        """Adds the words' loss to the last column, of what belongs to no target."""
        losses = super().of_targets(images)
        losses[:, -1] += self.words(images, 0).total
        return losses


def _both(
    clip: Clip, seed: int, settings: RescueSettings, plain: TextObjective, first: Process, second: Process
) -> Iterator[RescueStep]:
    """No `with` and no grad mode is open across a yield: each may be resumed on another thread."""
    prompt = plain.prompts[0].text
    for step in _steps(first, Heard(plain), settings, rescued=False):
        if step.finished and not step.neglected:
            step = replace(step, notes=(*step.notes, _nothing(step.reading)))
        yield step
    if step.neglected:
        objective = TextObjective(clip, [prompt], [step.neglected], [seed], settings.objective)
        yield from _steps(second, Heard(objective), settings, rescued=True)


def _steps(process: Process, heard: Heard, settings: RescueSettings, rescued: bool) -> Iterator[RescueStep]:
    notes = heard.objective.notes
    for _ in range(process.total):
        advance = process.advance(heard)
        losses = heard.losses()  # asked for in any case: what was said is said of this step
        yield RescueStep(
            rescued,
            advance.index,
            advance.total,
            {} if advance.losses is None else losses,
            as_picture(advance.preview[0]),
            skipped=bool(advance.skipped[0]),
            notes=notes,
        )
    images = process.finish()
    reading = heard.objective.read(images)[0]
    weak = neglected(reading.words, settings.threshold)
    yield RescueStep(
        rescued, process.total, process.total, {}, as_picture(images[0]), reading, weak, notes=notes
    )


def _nothing(reading: TextReading | None) -> str:
    """Why there is nothing to rescue."""
    if reading is None or not any(is_content(word.text) for word in reading.words):
        return "The prompt has no content word, so none is neglected."
    return "No word of the prompt is neglected."


def find_rescue(generator: Generator) -> tuple[Sampling, RescueSettings]:
    """Returns the sampling and settings of a generator's rescue; it may want fewer steps."""
    sampling, settings = RESCUES[generator.kind]
    entry = GENERATORS.get(generator.name)
    steps = min(entry.steps, sampling.steps) if entry and entry.steps else sampling.steps
    return replace(sampling, steps=steps), settings
