"""Maps that a loss can be made of: the registered methods that stay differentiable, from one run of the image tower.

Paper A (Paiss et al. 2022, arXiv 2204.04908) takes relevance of the last layer. The others are ours, to compare: what
guides a picture need not be the map that shows it best.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import methods, towers
from explain.clip.model import Clip
from explain.methods.eclip import projected_tokens
from explain.methods.itsm import similarity_map
from explain.methods.relevance import last_layer, rolled_relevance

# Clip, images (N, 3, H, W) normalised, text features (N, T, D), whether dS/dA is differentiable too
#   -> pooled (N, D), not normalised, and maps (N, T, h, w), not negative
Heatmap = Callable[[Clip, Tensor, Tensor, bool], tuple[Tensor, Tensor]]


def refusal(clip: Clip, name: str) -> str | None:
    """Why this model cannot be guided by the map of this name, or None if it can. ValueError for an unknown name."""
    if name not in HEATMAPS:
        raise ValueError(f"heatmap is {str(name)[:80]!r}; allowed: {', '.join(HEATMAPS)}")
    return methods.find(name).supports(clip)


def standing_out(maps: Tensor) -> Tensor:
    """How far maps (..., h, w) of any sign are above their own mean, not negative.

    Cosines have no zero that means "nothing": what all patches share says where CLIP keeps its pictures, not where the
    thing is. Adding a number to a map changes nothing. Min-max would leave nearly everything above D's threshold.
    """
    return (maps - maps.mean((-2, -1), keepdim=True)).clamp(min=0)


def _relevance(clip: Clip, images: Tensor, texts: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
    opened = last_layer(clip, towers.trunk(clip.model.visual, images))
    return opened.pooled, rolled_relevance(clip, opened, texts, create_graph=create_graph)


def _relevance_all(clip: Clip, images: Tensor, texts: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        opened = towers.layers(clip.model.visual, images)
    return opened.pooled, rolled_relevance(clip, opened, texts, create_graph=create_graph)


def _itsm(clip: Clip, images: Tensor, texts: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
    visual = clip.model.visual
    tokens = towers.trunk(visual, images)
    dense = F.normalize(towers.dense(visual, tokens), dim=-1).unflatten(1, tokens.grid)
    return towers.pool(visual, tokens), standing_out(similarity_map(dense, texts))


def _eclip(clip: Clip, images: Tensor, texts: Tensor, create_graph: bool) -> tuple[Tensor, Tensor]:
    visual, projection = clip.model.visual, clip.eclip
    if projection is None:
        raise ValueError(f"there is no ECLIP projection for {clip.name}")
    tokens = towers.trunk(visual, images)
    dense = projected_tokens(clip, tokens, projection)
    return towers.pool(visual, tokens), standing_out(similarity_map(dense, texts))


HEATMAPS: dict[str, Heatmap] = {
    "relevance": _relevance,
    "relevance_all": _relevance_all,
    "itsm": _itsm,
    "eclip": _eclip,
}
