"""Pictures of prompts before and after neglected words were rescued, each looked at once: what was seen, as records."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from explain.clip.model import Clip
from explain.evaluation.measurement import Say
from explain.evaluation.resumable import Record, Stretches
from guidance.checks import whole
from guidance.evaluation.digests import models_told
from guidance.evaluation.world import Drawn, Judge, open_world
from guidance.generators.base import Generator
from guidance.generators.run_cache import Ways
from guidance.generators.sampling import MAX_PICTURES, Sampling
from guidance.objectives.word_relevance import neglected
from guidance.objectives.words import TextReading, TextSettings, read_words
from guidance.rescuing import RescueSettings, rescued

FORMAT = 1  # of the records: those of another cannot be gone on with
THINGS = 2  # of a prompt


@dataclass(frozen=True)
class RescuePlan:
    """Plan of a run: so many prompts of two things of a split of a drawn world, from number `first` on."""

    data: str = "toyland"
    split: str = "test"
    prompts: int = 64
    first: int = 0
    batch: int = 8

    def __post_init__(self) -> None:
        whole("prompts", self.prompts, 2, 10_000)
        whole("first", self.first, 0, 10_000)
        whole("batch", self.batch, 1, MAX_PICTURES)

    def sample(self, layouts: ModuleType) -> list[Drawn]:
        stop = self.first + self.prompts
        # Numbers of things come in turn.
        drawn = layouts.sample_layouts(self.split, len(layouts.COUNTS) * stop)
        return [one for one in drawn if len(one.phrases) == THINGS][self.first : stop]


class RescueRuns:
    """All pictures of a plan. `records()` is what there is to see, prompt by prompt: of each condition what the judge
    saw, and what the model that guides makes of it.
    """

    def __init__(
        self,
        generator: Generator,
        clip: Clip,
        judge: Judge,
        sampling: Sampling,
        settings: RescueSettings,
        plan: RescuePlan,
        folder: Path | None = None,
        progress: Say = lambda what, done, total: None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.generator, self.clip, self.judge = generator, clip, judge
        self.sampling, self.settings, self.plan = sampling, settings, plan
        self.folder, self.progress, self.note = folder, progress, note
        self.drawn = plan.sample(open_world(plan.data).layouts)

    def records(self) -> list[Record]:
        """With a folder, what an earlier run of the same settings finished is taken from there."""
        kept, count = Stretches(self.folder, self._told(), self.note), len(self.drawn)
        found: list[Record] = []
        for record, _ in kept.each("prompts", [*range(0, count, self.plan.batch), count], self._stretch):
            found += record["prompts"]
            self.progress("prompts", len(found), count)
        return found

    def _told(self) -> Record:
        """Returns what makes two runs the same run; only those that are kept need it."""
        if self.folder is None:
            return {}
        told = {
            "format": FORMAT,
            **asdict(self.plan),
            "asked": [drawn.prompt for drawn in self.drawn],
            **models_told(self.generator, self.clip, self.judge),
            "sampling": asdict(self.sampling),
            "settings": asdict(self.settings),
        }
        return json.loads(json.dumps(told))

    def _stretch(self, first: int, stop: int) -> Record:
        prompts = [drawn.prompt for drawn in self.drawn[first:stop]]
        seeds = [self.plan.first + number for number in range(first, stop)]
        began = time.perf_counter()
        images = self._alone(prompts, seeds)
        taken = time.perf_counter() - began
        before = read_words(self.clip, images, prompts, form="neglected")
        words = [neglected(reading.words, self.settings.threshold) for reading in before]
        found = {"unguided": self._seen(images, before, words, taken)}
        ways, bare = Ways(), replace(self.settings.objective, weight=0.0)
        for name, objective in (("lambda0", bare), ("rescued", self.settings.objective)):
            began = time.perf_counter() - ways.seconds  # what was found out for both counts in each
            made = self._again(images, prompts, words, seeds, objective, ways)
            taken = time.perf_counter() - began
            found[name] = self._seen(
                made, read_words(self.clip, made, prompts, form="neglected"), words, taken
            )
        return {"prompts": [{name: found[name][k] for name in found} for k in range(len(prompts))]}

    def _alone(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        nothing, bare = [()] * len(prompts), replace(self.settings.objective, weight=0.0)
        return rescued(self.generator, self.clip, prompts, nothing, seeds, self.sampling.alone, bare)

    def _again(
        self,
        images: Tensor,
        prompts: Sequence[str],
        words: Sequence[tuple[str, ...]],
        seeds: Sequence[int],
        objective: TextSettings,
        ways: Ways,
    ) -> Tensor:
        """Pictures in which no word is neglected stay as they are."""
        which = [k for k, each in enumerate(words) if each]
        if not which:
            return images
        made = rescued(
            self.generator,
            self.clip,
            [prompts[k] for k in which],
            [words[k] for k in which],
            [seeds[k] for k in which],
            self.sampling,
            objective,
            ways,
        )
        return images.index_copy(0, torch.tensor(which, device=images.device), made)

    def _seen(
        self,
        images: Tensor,
        readings: Sequence[TextReading],
        words: Sequence[tuple[str, ...]],
        seconds: float,
    ) -> list[Record]:
        return [
            {
                "judge": seen.as_record(),
                "similarity": reading.similarity,
                "relevance": _relevance(reading, weak),
                "neglected": len(neglected(reading.words, self.settings.threshold)),
                "seconds": seconds / len(images),
            }
            for seen, reading, weak in zip(self.judge.look(images), readings, words, strict=True)
        ]


def _relevance(reading: TextReading, words: Sequence[str]) -> float | None:
    """The mean over words that were neglected; None where none was."""
    heights = [word.height for word in reading.words if word.text in words]
    return sum(heights) / len(heights) if heights else None
