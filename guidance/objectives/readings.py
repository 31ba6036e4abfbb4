"""Judgements of pictures by an objective: a loss for each, what it is made of, and what people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class TargetReading:
    """How a picture does with one target. Holds no tensor.

    `similarity`: the cosine of picture and prompt. `inside`: D in [0, 1]. `share_inside`: the share of the map in the
    target's place. `map` (h, w) float32, raw, on the grid of patches, where it was asked for.
    """

    phrase: str
    similarity: float
    inside: float
    share_inside: float
    map: np.ndarray | None = None


Readings = tuple[tuple[TargetReading, ...], ...]  # of each picture, of each of its targets


@dataclass(frozen=True, eq=False)
class Judgement:
    """`total` (B,) is what is minimised, differentiable in the images. `terms` are its parts (B,), detached, which add
    up to it. `readings` are means over the views of the step, without maps.
    """

    total: Tensor
    terms: Mapping[str, Tensor]
    readings: Readings


def readings(
    phrases: Sequence[Sequence[str]],
    similarity: Tensor,
    inside: Tensor,
    share: Tensor,
    maps: Tensor | None = None,
) -> Readings:
    """From numbers (B, K) and maps (B, K, h, w), of which a picture's first ones count."""
    numbers = torch.stack([similarity, inside, share], dim=-1).tolist()  # one wait for the device
    drawn = None if maps is None else maps.float().cpu().numpy()

    def reading(b: int, k: int, phrase: str) -> TargetReading:
        cosine, precision, part = numbers[b][k]
        return TargetReading(phrase, cosine, precision, part, None if drawn is None else drawn[b, k].copy())

    return tuple(
        tuple(reading(b, k, phrase) for k, phrase in enumerate(each)) for b, each in enumerate(phrases)
    )
