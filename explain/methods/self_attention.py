"""Similarity maps with another self-attention in the last layer: SCLIP, ClearCLIP, NACLIP. They differ by a line.

    SCLIP      softmax(q q^T s) + softmax(k k^T s)    residual and MLP kept
    ClearCLIP  softmax(q q^T s)                       the attention's output alone
    NACLIP     softmax(k k^T s + g)                   the attention's output alone

applied to the values, s = 1 / sqrt(d). g is 1 at a patch and falls off round it as a Gaussian of 5 patches.

Wang, Mei, Yuille, "SCLIP: Rethinking Self-Attention for Dense Vision-Language Inference", ECCV 2024 (arXiv 2312.01597).
Lan et al., "ClearCLIP: Decomposing CLIP Representations for Dense Vision-Language Inference", ECCV 2024 (arXiv
2407.12442). Hajimiri, Ben Ayed, Dolz, "Pay Attention to Your Neighbours: Training-Free Open-Vocabulary Semantic
Segmentation", WACV 2025 (arXiv 2404.08181).

Differs from the papers: the map is the cosine of each patch with one text, without their segmentation on top. In a
ResNet the last attention is the attention pool, which has neither residual nor MLP: ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.methods.itsm import similarity_map
from explain.methods.registry import SELF_ATTENTION, method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens

# q, k, v (B, heads, N, d) and the grid -> A (B, heads, N, N)
Attention = Callable[[Tensor, Tensor, Tensor, tuple[int, int]], Tensor]
NEIGHBOURHOOD = 5.0  # patches


@torch.no_grad()
def dense_with(clip: Clip, tokens: Tokens, attention: Attention, skips: bool) -> Tensor:
    """Dense tokens (B, h, w, D) of unit norm with `attention` in the last layer; `skips`: residual and MLP kept."""
    visual = clip.model.visual
    parts = towers.parts(visual, tokens)
    rows = slice(towers.shape(visual).prefix, None)
    q, k, v = parts.by_head
    mixed = (attention(q, k, v, tokens.grid) @ v).transpose(1, 2).flatten(-2)
    dense = parts.finish(rows, parts.out(mixed[:, rows]), skips)
    return F.normalize(dense, dim=-1).unflatten(1, tokens.grid)


def self_similarity(x: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """softmax(x x^T / sqrt(d) + bias): x (B, heads, N, d) -> (B, heads, N, N)."""
    return (x @ x.transpose(-2, -1) * x.shape[-1] ** -0.5 + bias).softmax(-1)


def neighbourhood(grid: tuple[int, int], prefix: int, like: Tensor) -> Tensor:
    """NACLIP's g (N, N): between patches a Gaussian of their distance; 0 for the prefix."""
    rows, columns = torch.meshgrid(*(torch.arange(side, device=like.device) for side in grid), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], dim=-1).to(like.dtype)
    between = torch.exp(-(torch.cdist(places, places) ** 2) / (2 * NEIGHBOURHOOD**2))
    return F.pad(between, (prefix, 0, prefix, 0))


@method(
    "sclip",
    "SCLIP",
    "Wang et al. 2023, arXiv 2312.01597",
    "The similarity map with patches looking at patches that ask, or answer, alike.",
    "What made the score: this is not how the model reads the picture.",
    needs=SELF_ATTENTION,
    title="Resemblance, like patches together",
)
def sclip(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    def attention(q: Tensor, k: Tensor, v: Tensor, grid: tuple[int, int]) -> Tensor:
        return self_similarity(q) + self_similarity(k)

    return similarity_map(dense_with(encoding.clip, encoding.tokens, attention, skips=True), text_features)


@method(
    "clearclip",
    "ClearCLIP",
    "Lan et al. 2024, arXiv 2407.12442",
    "The similarity map of what the last attention adds, patches looking at those that ask alike.",
    "What made the score: this is not how the model reads the picture.",
    needs=SELF_ATTENTION,
    title="Resemblance of what the last layer adds",
)
def clearclip(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    def attention(q: Tensor, k: Tensor, v: Tensor, grid: tuple[int, int]) -> Tensor:
        return self_similarity(q)

    return similarity_map(dense_with(encoding.clip, encoding.tokens, attention, skips=False), text_features)


@method(
    "naclip",
    "NACLIP",
    "Hajimiri et al. 2024, arXiv 2404.08181",
    "The similarity map of what the last attention adds, patches looking at their neighbours.",
    "What made the score: this is not how the model reads the picture.",
    needs=SELF_ATTENTION,
    title="Resemblance, neighbours together",
)
def naclip(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    def attention(q: Tensor, k: Tensor, v: Tensor, grid: tuple[int, int]) -> Tensor:
        prefix = k.shape[-2] - grid[0] * grid[1]
        return self_similarity(k, neighbourhood(grid, prefix, k))

    return similarity_map(dense_with(encoding.clip, encoding.tokens, attention, skips=False), text_features)
