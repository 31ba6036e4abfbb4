"""Pictures as prompt tuning sees them: crops of random size and shape, mirrored half the time.

As in Zhou et al., IJCV 2022 (arXiv 2109.01134): a crop takes 8 to 100 % of the picture's area, its sides are as 3:4 to
4:3, and it is squeezed into the model's square. Their features are asked for once: a bank of some views of every
picture, from which each epoch takes one.

Differs from the paper, which draws new views in every epoch: `ViewBank.fresh` does so too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor

from explain.clip.model import Clip
from guidance.seeding import generator_of

AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
VIEWS = 8
BATCH = 64  # views that go through the image tower at once
TRIES = 10
ENOUGH = 4  # times the model's size: the smallest crop has about that share of a side


class ViewBank:
    """Features of views of N pictures: `features` (N, V, D), unit norm, on the model's device."""

    def __init__(
        self, clip: Clip, pictures: Sequence[Image.Image], views: int = VIEWS, seed: int = 0
    ) -> None:
        self.clip, self.pictures, self.seed = clip, tuple(pictures), seed
        drawn = (self._view(number, view) for number in range(len(self.pictures)) for view in range(views))
        self.features = encoded(clip, drawn).unflatten(0, (len(self.pictures), views))

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, numbers: Sequence[int], views: Sequence[int]) -> Tensor:
        """(B, D): of each picture one of its views, counted round."""
        count = self.features.shape[1]
        return self.features[list(numbers), [view % count for view in views]]

    def fresh(self, numbers: Sequence[int], epoch: int) -> Tensor:
        """(B, D) of views that only this epoch has: one run of the image tower."""
        views = self.features.shape[1] + epoch
        return encoded(self.clip, (self._view(number, views) for number in numbers))

    def _view(self, number: int, view: int) -> Image.Image:
        return random_view(self.pictures[number], generator_of(self.seed, number, view))


def random_view(picture: Image.Image, generator: torch.Generator) -> Image.Image:
    """A crop, perhaps mirrored, at its own size."""
    left, top, width, height = _crop(picture.size, generator)
    view = picture.crop((left, top, left + width, top + height))
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if _uniform(generator, 0, 1) < 0.5 else view


def enough(clip: Clip, picture: Image.Image) -> Image.Image:
    """A picture no larger than crops of the model's size need: many are kept while prompts are learnt."""
    least = ENOUGH * min(clip.size)
    if min(picture.size) <= least:
        return picture
    share = least / min(picture.size)
    size = [max(1, round(side * share)) for side in picture.size]
    return picture.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=3.0)


@torch.no_grad()
def encoded(clip: Clip, pictures: Iterator[Image.Image] | Sequence[Image.Image]) -> Tensor:
    """Features (N, D), unit norm, of pictures of any size; few are in memory at once."""
    found: list[Tensor] = []
    batch: list[Image.Image] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            found.append(clip.encode_images(clip.prepare(batch)))
            batch = []
    if batch:
        found.append(clip.encode_images(clip.prepare(batch)))
    return torch.cat(found) if found else clip.empty_text.new_zeros(0, len(clip.empty_text))


def _crop(size: tuple[int, int], generator: torch.Generator) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels. A picture in which no drawn shape fits is taken whole."""
    width, height = size
    for _ in range(TRIES):
        area = width * height * _uniform(generator, *AREA)
        ratio = math.exp(_uniform(generator, math.log(RATIO[0]), math.log(RATIO[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left = int(_uniform(generator, 0, width - w + 1))
            return left, int(_uniform(generator, 0, height - h + 1)), w, h
    return 0, 0, width, height


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))
