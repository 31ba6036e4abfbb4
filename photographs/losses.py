"""Scores and losses of training `photo`, on places of photographs and features of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from photographs.backbone import GRID


def soft_maximum(dense: Tensor, texts: Tensor, sharpness: float) -> Tensor:
    """s (B, T) of places (B, P, D) and texts (T, D), unit norm: near the mean cosine for a small `sharpness`, near the
    largest for a large one.
    """
    cosines = (dense.flatten(0, 1) @ texts.T).unflatten(0, dense.shape[:2])
    return ((sharpness * cosines).logsumexp(1) - math.log(dense.shape[1])) / sharpness


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's r (N,) of rows (N, P); 0 where a row is constant."""
    one, other = (rows - rows.mean(1, keepdim=True) for rows in (one, other))
    return F.cosine_similarity(one, other, dim=1)


def a_part(rng: Random) -> tuple[slice, slice]:
    """Rows and columns of a random part of a photograph: of each all, or all but those at one edge."""
    edges = (slice(None), slice(1, None), slice(None, -1))
    return rng.choice(edges), rng.choice(edges)


def seen_parts(places: Tensor, parts: Sequence[tuple[slice, slice]]) -> Tensor:
    """The mean (B, D) over a part of the places (B, GRID * GRID, D) of each photograph."""
    seen = torch.zeros(len(places), GRID, GRID)
    for one, (rows, columns) in zip(seen, parts, strict=True):
        one[rows, columns] = 1
    weights = (seen / seen.sum((1, 2), keepdim=True)).flatten(1).to(places)
    return torch.einsum("bpd,bp->bd", places, weights)
