"""Edits of drawn pictures under several conditions, made one by one and looked at once: what was seen, as records."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from explain.clip.model import Clip
from explain.evaluation.measurement import Say
from explain.evaluation.resumable import Record, Stretches
from guidance.editing.edit import EditStep, edit, finished
from guidance.editing.settings import EditSettings
from guidance.evaluation.digests import models_told
from guidance.evaluation.world import Judge, open_edits
from guidance.generators.base import Generator
from guidance.generators.run_cache import Ways
from guidance.layout import masks
from guidance.layout.parsing import Box

FORMAT = 1  # of the records: those of another cannot be gone on with
STRETCH = 8  # edits: one of each kind and number of things
SHOWN = 8  # edits whose pictures are kept
MARGIN = 0.03  # of boxes, as a share of the picture
SEEDS = 1000  # an edit's seed is its own, whatever is measured beside it

Drawn = (
    Any  # an edit of such a package: `prompt`, `caption`, `words`, `phrase`, `box`, `picture(pixels)`, ...
)


@dataclass(frozen=True)
class EditCondition:
    """How pictures are edited. `boxed`: within the box of the thing concerned."""

    name: str
    sentence: str
    settings: EditSettings
    boxed: bool = True

    @property
    def walks(self) -> str:
        """Equal ones differ in their objective alone."""
        made = asdict(self.settings)
        del made["objective"]
        return json.dumps([made, self.boxed], sort_keys=True)


@dataclass(frozen=True)
class EditPlan:
    """Plan of a run: so many edits of a split of a drawn world, from number `first` on."""

    data: str = "toyland"
    split: str = "test"
    edits: int = 200
    first: int = 0

    def __post_init__(self) -> None:
        if self.edits < 2:
            raise ValueError(f"{self.edits} edits say nothing; allowed: 2 or more")

    def sample(self) -> list[Drawn]:
        return open_edits(self.data).sample_edits(self.split, self.edits, self.first)


def conditions(settings: EditSettings, names: Sequence[str] = ()) -> list[EditCondition]:
    """Those of these names, or all that there are for the settings' way. Every one has the same pictures, seeds and
    settings but what its sentence says. ValueError for an unknown name.
    """
    bare = replace(settings, objective=replace(settings.objective, weight=0.0))
    found = [
        EditCondition("words", "the similarity to the prompt, and relevance of the chosen words", settings),
        EditCondition("lambda0", "the similarity alone", bare),
    ]
    if settings.way == "diffusion":
        free, bare_free, anywhere = (
            replace(one, where=where)
            for one, where in ((settings, "auto"), (bare, "auto"), (settings, "everywhere"))
        )
        found = [
            EditCondition(
                "plain", "no guide", replace(settings, sampling=replace(settings.sampling, mode="off"))
            ),
            *found,
            EditCondition("auto", "words; no box, but where the model sees a difference", free, False),
            EditCondition("auto-lambda0", "the same with the similarity alone", bare_free, False),
            EditCondition("everywhere", "words; no box", anywhere, False),
        ]
    known = [one.name for one in found]
    for name in names:
        if name not in known:
            raise ValueError(f"unknown condition {str(name)[:80]!r}; allowed: {', '.join(known)}")
    return [one for one in found if one.name in (names or known)]


class EditRuns:
    """All edits of a plan. `records()` is what there is to see, edit by edit: of each condition what the judge saw."""

    def __init__(
        self,
        generator: Generator,
        clip: Clip,
        judge: Judge,
        plan: EditPlan,
        chosen: Sequence[EditCondition],
        folder: Path | None = None,
        progress: Say = lambda what, done, total: None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.generator, self.clip, self.judge, self.plan = generator, clip, judge, plan
        self.chosen, self.folder, self.progress, self.note = tuple(chosen), folder, progress, note
        self.drawn = plan.sample()

    def records(self) -> list[Record]:
        """With a folder, what an earlier run of the same settings finished is taken from there."""
        kept = Stretches(self.folder, self._settings(), self.note)
        found: list[Record] = []
        borders = [*range(0, self.plan.edits, STRETCH), self.plan.edits]
        for record, _ in kept.each("edits", borders, self._stretch):
            found += record["edits"]
        self.progress("edits", self.plan.edits, self.plan.edits)
        return found

    def _settings(self) -> Record:
        """Returns what makes two runs the same run; only those that are kept need it."""
        if self.folder is None:
            return {}
        told = {
            "format": FORMAT,
            **asdict(self.plan),
            "prompts": [edit.prompt for edit in self.drawn],
            **models_told(self.generator, self.clip, self.judge),
            "conditions": [asdict(one) for one in self.chosen],
        }
        return json.loads(json.dumps(told))

    def _stretch(self, first: int, stop: int) -> Record:
        found = []
        for number in range(first, stop):
            self.progress("edits", number, self.plan.edits)
            found.append(self._edited(number))
        return {"edits": found}

    def _edited(self, number: int) -> Record:
        drawn, ways = self.drawn[number], dict[str, Ways]()
        height, width = self.generator.size
        picture, target = (draw(max(height, width)) for draw in (drawn.picture, drawn.target))
        shown = number < SHOWN
        record = {"before": self._seen(picture, shown), "target": self._seen(target, shown)}
        for one in self.chosen:
            shared = ways.setdefault(one.walks, Ways())
            began = time.perf_counter() - shared.seconds
            step = self._made(drawn, picture, number, one, shared)
            seconds = time.perf_counter() - began
            record[one.name] = self._seen(step.image, shown) | {
                "outside": outside(picture, step.image, drawn.box),
                "similarity": step.reading.similarity,
                "relevance": sum(word.share for word in step.reading.words if word.weight),
                "seconds": seconds,
            }
        return record

    def _made(
        self, drawn: Drawn, picture: Image.Image, number: int, one: EditCondition, ways: Ways
    ) -> EditStep:
        box = drawn_box(drawn) if one.boxed else None
        seed = SEEDS * (self.plan.first + number)
        given = (drawn.prompt, drawn.words, seed, one.settings, box, drawn.caption, ways)
        return finished(edit(self.generator, self.clip, picture, *given))

    def _seen(self, picture: Image.Image, shown: bool) -> Record:
        image = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)
        seen = {"judge": self.judge.look(image[None])[0].as_record()}
        return seen | ({"png": _png(picture)} if shown else {})


def drawn_box(drawn: Drawn) -> Box:
    """The box of the thing concerned as a hand draws it, with a margin."""
    left, top, right, low = drawn.box
    edges = (left - MARGIN, top - MARGIN, right + MARGIN, low + MARGIN)
    return Box(drawn.phrase, *(min(max(edge, 0.0), 1.0) for edge in edges))


def outside(before: Image.Image, after: Image.Image, box: tuple[float, float, float, float]) -> float:
    """The mean absolute difference, of 255, of the pixels that lie outside a box altogether."""
    away = masks.rectangles([box], after.height, after.width) == 0
    apart = np.abs(np.asarray(before, dtype=np.float64) - np.asarray(after, dtype=np.float64)).mean(-1)
    return float(apart[away].mean()) if away.any() else 0.0


def _png(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
