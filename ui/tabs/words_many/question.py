"""Labels and phrasings before one model, about many pictures at once: what was asked and what came back. Nothing is
shared between visitors.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import toyland
from toyland.world.vocabulary import plain_noun
from ui.models import clip_jobs
from ui.shared.pictures import SCENE_PIXELS, SPLIT
from ui.tabs.words.question import parse_labels, parse_phrasings

if TYPE_CHECKING:
    import explain

MAX_PICTURES = 24
DRAWN = 8  # scenes of the example
_TRIED = 600  # scenes that are looked through for the labels' things


@dataclass(frozen=True)
class ManyAsked:
    """Question of a visitor: the files of the pictures, labels and phrasings as they are typed."""

    files: tuple[str, ...]
    labels: str
    phrasings: str
    model: str

    @property
    def named(self) -> dict[str, str]:
        """Every file under a name of its own: two may be called the same."""
        return {f"{number}. {Path(file).name}": file for number, file in enumerate(self.files, start=1)}


@dataclass(frozen=True)
class ManyAnswer:
    """One answered question."""

    asked: ManyAsked
    found: explain.FolderStability
    seconds: float


def ask(asked: ManyAsked) -> ManyAnswer:
    """Asks the model; ValueError for what cannot be asked."""
    if not asked.files:
        raise ValueError("There are no pictures yet: drop some, or take the drawn ones")
    if len(asked.files) > MAX_PICTURES:
        raise ValueError(f"{len(asked.files)} pictures are too many: at most {MAX_PICTURES} at a time")
    labels, phrasings = parse_labels(asked.labels), parse_phrasings(asked.phrasings)
    begun = time.perf_counter()
    found = clip_jobs.explain_many(asked.model, asked.named, labels, phrasings)
    return ManyAnswer(asked, found, time.perf_counter() - begun)


def drawn_pictures(labels: str) -> list[Image.Image]:
    """Scenes of two things each, between which a model has to decide: of kinds that are labels, as far as there are
    some.
    """
    wanted = {label.casefold() for label in parse_labels(labels)}
    found = sorted(_scenes(), key=lambda one: -len(wanted & {plain_noun(thing.kind) for thing in one.things}))
    return [toyland.draw_scene(scene, SCENE_PIXELS) for scene in found[:DRAWN]]


@cache
def _scenes() -> tuple[toyland.Scene, ...]:
    return tuple(toyland.sample_scene(number, SPLIT, things=2) for number in range(_TRIED))
