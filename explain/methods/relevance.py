"""Relevance of patches: the recursion of `relevance/recursion.py` in the image tower.

Chefer, Gur, Wolf, ICCV 2021 (arXiv 2103.15679), as used by Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022
(arXiv 2204.04908); S is the similarity of an image with a text.

Differs from the paper: a final attention pool has no skip connection, so there R = C R (its eq. 10 for
decoders); and only the pooled row of the last attention is computed, the one row of C_last that is not
zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.clip.gradients import per_text, text_scores
from explain.clip.model import Clip
from explain.methods.registry import SEVERAL_ATTENTIONS, method
from explain.relevance.recursion import LAYERS, choose, contribution, normalised, rolled_row
from explain.towers import Layers, Shape, Tokens
from explain.towers.attention import AttentionRecorder

if TYPE_CHECKING:
    from explain.encodings import ImageEncoding


def image_relevance(
    clip: Clip,
    images: Tensor,
    text_features: Tensor,
    layers: str = "last",
    logit_scale: bool = False,
    normalise: str = "none",
    create_graph: bool = False,
) -> Tensor:
    """Relevance (B, T, h, w) of the patches of images (B, 3, H, W) to texts of features (T, D), unit norm, or (B, T, D)
    where each image has texts of its own.

    `layers`: "last" reads the last attention alone, as paper A's spatial application does; after
    normalisation it does not depend on the scale of S. "all" rolls R up from the first. `logit_scale`
    multiplies S by the model's. `normalise`: "none", "sum" (to 1 over the patches), "sum_max" (then the
    largest is 1).

    The result is differentiable in `images` where they ask for it: through A alone, with dS/dA a constant
    (as paper A's prompt tuning does), or through both with `create_graph` (as its editing and generation do).
    """
    choose("layers", layers, LAYERS)
    visual = clip.model.visual
    if layers == "last":
        tokens = towers.trunk(visual, images)
        return last_relevance(clip, tokens, text_features, logit_scale, normalise, create_graph)
    with torch.enable_grad():
        opened = towers.layers(visual, images)
    return rolled_relevance(clip, opened, text_features, logit_scale, normalise, create_graph)


def rolled_relevance(
    clip: Clip,
    layers: Layers,
    text_features: Tensor,
    logit_scale: bool = False,
    normalise: str = "none",
    create_graph: bool = False,
) -> Tensor:
    """`image_relevance` of all layers (B, T, h, w) from a run with every attention open, whose graph is kept."""
    scores = _similarity(clip, layers.pooled, text_features, logit_scale)
    maps = _maps(scores, layers.probs, towers.shape(clip.model.visual), create_graph, keep=True)
    return normalised(maps, normalise).unflatten(-1, layers.grid)


def last_relevance(
    clip: Clip,
    tokens: Tokens,
    text_features: Tensor,
    logit_scale: bool = False,
    normalise: str = "none",
    create_graph: bool = False,
) -> Tensor:
    """`image_relevance` of the last layer (B, T, h, w) from the tokens that enter it: no image forward."""
    opened = last_layer(clip, tokens)
    scores = _similarity(clip, opened.pooled, text_features, logit_scale)
    maps = _maps(scores, opened.probs, towers.shape(clip.model.visual), create_graph)
    return normalised(maps, normalise).unflatten(-1, tokens.grid)


def last_layer(clip: Clip, tokens: Tokens) -> Layers:
    """A run of the last attention alone, open, from the tokens that enter it; `rolled_relevance` of it is that of the
    last layer.
    """
    with torch.enable_grad(), AttentionRecorder() as recorder:
        pooled = towers.pool(clip.model.visual, tokens)
    return Layers((tokens.values,), tuple(recorder.probs), pooled, tokens.grid)


def _similarity(clip: Clip, pooled: Tensor, text_features: Tensor, logit_scale: bool) -> Tensor:
    """S (T,) of pooled (B, D) and text_features (T, D), as cosines or as the model's logits."""
    with torch.enable_grad():
        return text_scores(pooled, text_features) * (clip.logit_scale if logit_scale else 1.0)


def _maps(
    scores: Tensor, probs: Sequence[Tensor], shape: Shape, create_graph: bool, keep: bool = False
) -> Tensor:
    """Relevance (B, T, patches) for each of the scores (T,): one batched backward pass serves them all.

    A graph is kept with `keep`, or where something asks for it: A that was made the leaf means that nothing
    does.
    """
    wanted = torch.is_grad_enabled() and not probs[0].is_leaf
    grads = per_text(scores, probs, create_graph, retain_graph=keep or wanted)
    with torch.set_grad_enabled(wanted or create_graph):
        contributions = [contribution(a, g) for a, g in zip(probs, grads, strict=True)]  # (T, B, L, S)
        row = contributions[-1][..., 0, :]
        if shape.skips:
            row = row + F.one_hot(torch.tensor(0, device=row.device), row.shape[-1]).to(row.dtype)
        return rolled_row(row, contributions[:-1])[..., shape.prefix :].transpose(0, 1)


@method(
    "relevance",
    "Relevance",
    "Chefer et al. 2021, arXiv 2103.15679; Paiss et al. 2022, arXiv 2204.04908",
    "Which patches raise the score: attention times its gradient, in the last layer.",
    "What the layers before the last had already moved from one patch to another.",
    title="What raises the score",
)
def relevance(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return last_relevance(encoding.clip, encoding.tokens, text_features)


@method(
    "relevance_all",
    "Relevance, all layers",
    "Chefer et al. 2021, arXiv 2103.15679",
    "Attention times its gradient, followed through every layer down to the patches.",
    "Fine detail: early layers mix every patch with every other.",
    all_layers=True,
    needs=SEVERAL_ATTENTIONS,
    title="What raises the score, through all layers",
)
def relevance_all(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return rolled_relevance(encoding.clip, encoding.layers, text_features)
