"""Where pictures to be looked at come from: a generator under a condition, the world itself, or its pictures through
the generator's autoencoder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from explain.clip.model import Clip
from guidance.editing.start import Editor
from guidance.evaluation.boxes.conditions import MIRRORED, OWN, Condition
from guidance.evaluation.world import Drawn
from guidance.generating import pictures
from guidance.generators.base import Generator
from guidance.generators.run_cache import Ways
from guidance.layout.parsing import Layout

REAL, RECONSTRUCTED = "real", "reconstructed"
SEEDS_PER_LAYOUT = 1000  # a layout's seeds are its own, whatever is measured beside it


Make = Callable[[int, int], tuple[Tensor, float]]


@dataclass(frozen=True)
class Source:
    """Pictures number `first` to `stop` - 1, as (B, 3, H, W) in [0, 1], and the seconds that they take: `make(first,
    stop)`. Those of a layout follow one another, a take each. `key`: what they depend on, beside layouts and models.
    `boxes`: which are looked for.
    """

    name: str
    folder: str
    key: dict[str, Any]
    boxes: str
    make: Make


@dataclass(frozen=True)
class Places:
    """Which layout and take a picture's number means. `first`: the number of the first layout in its split."""

    first: int
    takes: int

    def layout(self, number: int) -> int:
        return number // self.takes

    def take(self, number: int) -> int:
        return number % self.takes

    def seed(self, number: int) -> int:
        return (self.first + self.layout(number)) * SEEDS_PER_LAYOUT + self.take(number)


class Shared:
    """Where candidates came to, for conditions that differ in their guide alone."""

    def __init__(self) -> None:
        self._ways: dict[str, Ways] = {}

    def of(self, condition: Condition, first: int, stop: int) -> Ways:
        """For the pictures of these numbers, under any condition of this sampling and these boxes."""
        same = [asdict(condition.sampling), condition.boxes == MIRRORED, first, stop]
        return self._ways.setdefault(json.dumps(same), Ways())


def generated(
    generator: Generator,
    clip: Clip,
    condition: Condition,
    layouts: Sequence[Layout],
    mirrored: Sequence[Layout],
    places: Places,
    shared: Shared,
) -> Source:
    """Pictures of layouts made under a condition. Paired: every condition has the same seeds. The seconds are those
    of a condition that is measured alone.
    """
    guides = mirrored if condition.boxes == MIRRORED else layouts

    def make(first: int, stop: int) -> tuple[Tensor, float]:
        numbers = range(first, stop)
        chosen = [places.layout(number) for number in numbers]
        ways = shared.of(condition, first, stop)
        began = time.perf_counter() - ways.seconds
        images = pictures(
            generator,
            None if condition.objective is None else clip,
            [layouts[index] for index in chosen],
            [places.seed(number) for number in numbers],
            condition.sampling,
            condition.objective,
            [guides[index] for index in chosen],
            ways,
        )
        return images, time.perf_counter() - began

    boxes = MIRRORED if condition.boxes == MIRRORED else OWN
    return Source(condition.name, condition.folder, condition.made, boxes, make)


def real(drawn: Sequence[Drawn], size: tuple[int, int], places: Places) -> Source:
    """The layouts' own scenes, a take of each for every seed."""

    def make(first: int, stop: int) -> tuple[Tensor, float]:
        began, numbers = time.perf_counter(), range(first, stop)
        found = [drawn[places.layout(n)].picture(max(size), places.take(n)) for n in numbers]
        return torch.stack([_as_image(picture, size) for picture in found]), time.perf_counter() - began

    return Source(REAL, REAL, {"pictures": REAL, "size": list(size)}, OWN, make)


def reconstructed(generator: Generator, pictures_of: Source) -> Source | None:
    """Real pictures as the generator's autoencoder gives them back; None where it has none."""
    through = autoencoder(generator)
    if through is None:
        return None
    key = pictures_of.key | {"pictures": RECONSTRUCTED}

    def make(first: int, stop: int) -> tuple[Tensor, float]:
        began = time.perf_counter()
        images, _ = pictures_of.make(first, stop)
        return through(images), time.perf_counter() - began

    return Source(RECONSTRUCTED, RECONSTRUCTED, key, OWN, make)


def autoencoder(generator: Generator) -> Callable[[Tensor], Tensor] | None:
    """Pictures (B, 3, H, W) in [0, 1] there and back, of any generator that can encode."""
    if not isinstance(generator, Editor):
        return None
    return torch.no_grad()(lambda images: generator.images(generator.latents(images)))


def _as_image(picture: Image.Image, size: tuple[int, int]) -> Tensor:
    if picture.size != (size[1], size[0]):
        picture = picture.resize((size[1], size[0]), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)
