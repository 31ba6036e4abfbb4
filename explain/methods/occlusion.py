"""Occlusion: what the score loses when a part of the picture is hidden. Needs nothing of the model but its score.

Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (arXiv 1311.2901), fig. 7:

    M_i = S(picture) - S(picture with a square at i hidden)

Differs from the paper: S is the cosine; the square steps over the model's grid, a cell at a time, about a third of the
grid wide; it is filled with the mean colour of training (0 after normalisation), as the paper's grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from explain.methods.registry import method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding

BATCH = 64


def window(side: int) -> int:
    """How many cells of a grid of `side` cells the hidden square spans: odd, so that it has a middle."""
    return 2 * (side // 7) + 1


@torch.no_grad()
def occlusion_map(
    clip: Clip, images: Tensor, features: Tensor, grid: tuple[int, int], text_features: Tensor
) -> Tensor:
    """Maps (B, T, h, w), in cosines: h * w forwards for each of the images (B, 3, H, W) of features (B, D)."""
    cell = images.shape[-2] // grid[0], images.shape[-1] // grid[1]
    reach = window(grid[0]) // 2, window(grid[1]) // 2
    maps = []
    for image, feature in zip(images, features, strict=True):
        hidden = []
        cells = [(i, j) for i in range(grid[0]) for j in range(grid[1])]
        for start in range(0, len(cells), BATCH):
            views = image.repeat(len(cells[start : start + BATCH]), 1, 1, 1)
            for view, (i, j) in zip(views, cells[start : start + BATCH], strict=True):
                top, left = (max(0, n - r) * c for n, r, c in zip((i, j), reach, cell, strict=True))
                bottom, right = ((n + r + 1) * c for n, r, c in zip((i, j), reach, cell, strict=True))
                view[:, top:bottom, left:right] = 0
            hidden.append(clip.encode_images(views))
        maps.append((feature - torch.cat(hidden)) @ text_features.T)  # (h * w, T)
    return torch.stack(maps).transpose(1, 2).unflatten(-1, grid)


@method(
    "occlusion",
    "Occlusion",
    "Zeiler and Fergus 2013, arXiv 1311.2901",
    "What the score loses when a square of the picture is hidden: slow, but no theory is needed.",
    "Fine detail, or things that show twice: the square is about a third of the picture wide.",
    own_forwards=True,
    title="What the score loses when it is hidden",
)
def occlusion(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return occlusion_map(
        encoding.clip, encoding.images, encoding.features, encoding.tokens.grid, text_features
    )
