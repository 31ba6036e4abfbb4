"""A test that tells drawn scenes from photographs, in the features of a CLIP: what `explain.automatic` reads.

Logistic regression on features of unit norm: scenes that a package draws, at many sizes and as JPEG too, against
photographs.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from explain import Clip, read_image
from explain.inputs.captions import drawn
from photographs.data import masked_photos, retrieval_photos, training_photos

SIZES = (64, 96, 128, 256, 512)
QUALITIES = (40, 60, 75, 90)
COUNT = 700  # pictures of each kind to learn from
TRIED = 300  # and to try on
SHARPNESS = 20.0  # of the logit, per unit of the feature
RIDGE = 1e-4


def fit(clip: Clip, data: Path, file: Path, count: int = COUNT) -> dict[str, float]:
    """Writes the test for a model; the shares of validation scenes and photographs to choose on that it gets right."""
    photos = [photo.path for photo in training_photos(data)]
    photos = Random(0).sample(photos, min(count, len(photos)))
    yes, no = _features(clip, scenes("train", count)), _features(clip, map(read_image, photos))
    direction, limit = separate(yes, no)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"direction": direction.contiguous(), "limit": limit}, file)
    kept = [path for path, _ in masked_photos(data, "choose")]
    kept += [photo.path for photo in retrieval_photos(data, "choose")]
    tried = _features(clip, scenes("validation", min(count, TRIED))), _features(clip, map(read_image, kept))
    return {
        "scenes_told": round(float((tried[0] @ direction > limit).float().mean()), 4),
        "photographs_told": round(float((tried[1] @ direction <= limit).float().mean()), 4),
    }


def scenes(split: str, count: int) -> Iterator[Image.Image]:
    """Drawn scenes of a split as people may bring them: of many sizes, half of them as JPEG."""
    source, rng = drawn("toyland"), Random(split)
    if source is None:
        raise ValueError("there is no package toyland that draws scenes")
    for number in range(count):
        size = rng.choice(SIZES)
        image = next(iter(source.labelled(split, (size, size), 1, number))).image
        yield _as_jpeg(image, rng.choice(QUALITIES)) if rng.random() < 0.5 else image


def separate(yes: Tensor, no: Tensor) -> tuple[Tensor, Tensor]:
    """a (D,) and b such that a.z > b for most rows z of `yes` (N, D) and for few of `no`: logistic regression."""
    rows, sign = torch.cat([yes, no]), torch.cat([torch.ones(len(yes)), -torch.ones(len(no))])
    direction, limit = torch.zeros(rows.shape[1]), torch.zeros(())
    optimizer = torch.optim.LBFGS([direction.requires_grad_(), limit.requires_grad_()], max_iter=300)

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = SHARPNESS * (rows @ direction - limit)
        found = F.softplus(-sign * logits).mean() + RIDGE * direction.square().sum()
        found.backward()
        return found

    closure: Callable[[], Tensor] = torch.enable_grad()(loss)
    optimizer.step(closure)  # type: ignore[arg-type]
    return direction.detach(), limit.detach()


@torch.no_grad()
def _features(clip: Clip, images: Iterable[Image.Image]) -> Tensor:
    source, rows = iter(images), []
    while batch := list(islice(source, 32)):
        rows.append(clip.encode_images(clip.prepare(batch)).cpu())
    return torch.cat(rows)


def _as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return read_image(file)
