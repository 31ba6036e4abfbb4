"""Free attention: which patches of a picture hold something, from no labels and no captions.

Paper B (Li et al. 2022, arXiv 2209.07046) guides its pooling in training by the attention of a self-supervised image
encoder, which it calls free. Which encoder and which threshold is not known here; every rule below is named after the
paper that it is from. A source of free attention is a function

    images (B, 3, H, W), as the CLIP model is given them, and a grid (h, w)  ->  masks (B, h, w), boolean

that never returns an empty mask: where a rule keeps nothing, the picture's strongest patches are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explain import towers
from explain.towers.attention import AttentionRecorder

if TYPE_CHECKING:
    from explain.clip.model import Clip

FreeAttention = Callable[[Tensor, tuple[int, int]], Tensor]
MASS = 0.6  # DINO's usual share of the attention that is kept
ALIKE = 0.2  # TokenCut's threshold of similarity
NEIGHBOURS = 3  # of the four, that must be kept beside a patch
ENLARGED = 2  # how much larger than its native size a picture is cut
FALLBACK = 0.1  # the share of patches that is kept where a rule keeps none


def dino_attention(model: nn.Module, size: int = 224, mass: float = MASS) -> FreeAttention:
    """The class token's last attention of a timm ViT trained by DINO (Caron et al. 2021, arXiv 2104.14294).

    Each head keeps the fewest patches that hold `mass` of its attention; a patch counts that most heads keep.
    Images are brought from CLIP's normalisation to ImageNet's by `renormalised`, which the caller composes.
    """

    @torch.no_grad()
    def masks(images: Tensor, grid: tuple[int, int]) -> Tensor:
        images = F.interpolate(
            images, size=(size, size), mode="bilinear", antialias=True, align_corners=False
        )
        layers = len(model.blocks)
        with AttentionRecorder({layers - 1}) as recorder:
            model.forward_features(images)
        row = recorder.probs[0][:, :, 0, model.num_prefix_tokens :]  # (B, heads, P)
        kept = most_attended(row, mass).float().mean(1)
        side = math.isqrt(row.shape[-1])
        return on_grid(kept.unflatten(-1, (side, side)), row.mean(1).unflatten(-1, (side, side)), grid)

    return masks


def renormalised(source: FreeAttention, clip: Clip, model: nn.Module) -> FreeAttention:
    """A source for a timm model's normalisation, given images in CLIP's."""
    return _brought(source, clip, model.pretrained_cfg["mean"], model.pretrained_cfg["std"])


def borrowed(source: FreeAttention, clip: Clip, other: Clip) -> FreeAttention:
    """A source for another CLIP's images, given this one's: brought to its size and its normalisation."""
    visual = other.model.visual
    own = _brought(source, clip, visual.image_mean, visual.image_std)
    return lambda images, grid: own(
        F.interpolate(images, size=other.size, mode="bilinear", antialias=True, align_corners=False), grid
    )


def _brought(
    source: FreeAttention, clip: Clip, means: Sequence[float], stds: Sequence[float]
) -> FreeAttention:
    """A source for images that were normalised by these means and deviations of the channels."""
    visual = clip.model.visual
    mean, std, own_mean, own_std = (
        torch.tensor(values, device=clip.device).view(3, 1, 1)
        for values in (visual.image_mean, visual.image_std, means, stds)
    )
    return lambda images, grid: source((images * std + mean - own_mean) / own_std, grid)


def most_attended(attention: Tensor, mass: float) -> Tensor:
    """The fewest entries (..., P) whose attention adds up to at least `mass` of the whole."""
    values, order = attention.sort(-1)
    kept = (values / values.sum(-1, keepdim=True)).cumsum(-1) > 1 - mass
    return torch.zeros_like(kept).scatter_(-1, order, kept)


def normalised_cut(
    clip: Clip,
    alike: float = ALIKE,
    layer: int | None = None,
    neighbours: int = NEIGHBOURS,
    enlarged: int = ENLARGED,
) -> FreeAttention:
    """Wang et al. 2022, "TokenCut" (arXiv 2202.11539): patches as a graph, cut in two by the second eigenvector.

    Features are the tokens of the frozen image tower before attention number `layer` (the default: the last but one,
    if there are several). The side of the patch that stands out most is kept.

    Differs from the paper: CLIP's own tokens in the place of DINO's keys; the side must not be the one that holds
    most of the picture's border; a patch is kept only if at least so many of its four `neighbours` are on its side,
    because tokens at the edge of a thing know of it while their patches are mostly background; and the picture is
    `enlarged`, so that the cut is finer than the grid that it is for.
    """
    before = layer if layer is not None else -min(2, towers.shape(clip.model.visual).layers)

    @torch.no_grad()
    def masks(images: Tensor, grid: tuple[int, int]) -> Tensor:
        if enlarged > 1:
            images = F.interpolate(images, scale_factor=enlarged, mode="bilinear", align_corners=False)
        tokens, own = hidden_tokens(clip, images, before)
        tokens = F.normalize(tokens - tokens.mean(1, keepdim=True), dim=-1)
        similar = tokens @ tokens.transpose(1, 2)
        weights = torch.where(similar > alike, 1.0, 1e-5).double()
        root = weights.sum(-1).rsqrt()
        laplacian = torch.eye(weights.shape[-1]).to(weights) - root[:, :, None] * weights * root[:, None]
        vector = torch.linalg.eigh(laplacian).eigenvectors[..., 1] * root  # (B, P)
        vector = vector * _inward(vector - vector.mean(-1, keepdim=True), own)
        kept = (vector > vector.mean(-1, keepdim=True)).float().unflatten(-1, own)
        inner = kept * (_neighbours(kept) >= neighbours)
        return on_grid(inner, vector.float().unflatten(-1, own), grid)

    return masks


def feature_norm(clip: Clip, layer: int = -1) -> FreeAttention:
    """Patches whose tokens are longer than the picture's mean: ours, the simplest rule that knows no text."""

    @torch.no_grad()
    def masks(images: Tensor, grid: tuple[int, int]) -> Tensor:
        tokens, own = hidden_tokens(clip, images, layer)
        length = tokens.norm(dim=-1)
        kept = length > length.mean(-1, keepdim=True)
        return on_grid(kept.float().unflatten(-1, own), length.unflatten(-1, own), grid)

    return masks


def everything(images: Tensor, grid: tuple[int, int]) -> Tensor:
    """All patches: max pooling without a mask."""
    return torch.ones(len(images), *grid, dtype=torch.bool, device=images.device)


def hidden_tokens(clip: Clip, images: Tensor, layer: int) -> tuple[Tensor, tuple[int, int]]:
    """Patch tokens (B, P, D) before attention number `layer`, and their grid."""
    if layer == -1:
        tokens = towers.trunk(clip.model.visual, images)
        values, grid = tokens.values, tokens.grid
    else:
        with torch.enable_grad():
            opened = towers.layers(clip.model.visual, images)
        values, grid = opened.hidden[layer].detach(), opened.grid
    return values[:, values.shape[1] - grid[0] * grid[1] :], grid


def on_grid(kept: Tensor, strength: Tensor, grid: tuple[int, int]) -> Tensor:
    """Shares kept (B, H, W) -> masks (B, h, w) on another grid, by area; never empty: see FALLBACK."""
    kept, strength = (
        F.interpolate(x.unsqueeze(1).float(), size=grid, mode="area").squeeze(1) for x in (kept, strength)
    )
    masks = kept > 0.5
    empty = ~masks.flatten(1).any(-1)
    if empty.any():
        flat = strength[empty].flatten(1)
        few = flat.topk(max(1, round(FALLBACK * flat.shape[-1])), dim=-1).indices
        masks[empty] = torch.zeros_like(flat, dtype=torch.bool).scatter_(-1, few, True).unflatten(-1, grid)
    return masks


def _inward(centred: Tensor, grid: tuple[int, int]) -> Tensor:
    """1 or -1 (B, 1): the sign that makes the border of the picture the low side."""
    border = torch.ones(grid, dtype=torch.bool, device=centred.device)
    border[1:-1, 1:-1] = False
    share = (centred[:, border.flatten()] > 0).float().mean(-1, keepdim=True)
    return torch.where(share > 0.5, -1.0, 1.0).to(centred)


def _neighbours(kept: Tensor) -> Tensor:
    """How many of the four neighbours are kept (B, H, W); beyond the picture everything is as at its border."""
    padded = F.pad(kept.unsqueeze(1), (1, 1, 1, 1), mode="replicate").squeeze(1)
    return padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
