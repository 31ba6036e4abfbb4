"""Image-Text Similarity Map (ITSM) and its reversal.

Li, Wang, Duan, Xu, Li, "Exploring Visual Interpretability for Contrastive Language-Image Pre-training",
2022 (arXiv 2209.07046). With dense image tokens F_i and a text embedding F_t, both of unit norm over
channels,

    M = norm(resize(reshape(F_i . F_t)))

norm is min-max per image and per text. The maps here are the raw cosines on the grid of patches;
`heatmap.py` resizes and normalises them, in that order.

Reconstructed from the abstract and from the same authors' follow-up (CLIP Surgery, arXiv 2304.05653, eq.
1). Differs from the paper: one prompt as it is typed, no ensemble of templates; reversed map is -S, whose
min-max is 1 - M.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.methods.registry import method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Layers


def similarity_map(dense_tokens: Tensor, text_features: Tensor) -> Tensor:
    """Cosine of every patch with every text: (B, h, w, D) and (T, D), or (B, T, D) where each image has texts of its
    own, unit norm -> (B, T, h, w) in [-1, 1].
    """
    grid = dense_tokens.shape[1:3]
    return (dense_tokens.flatten(1, 2) @ text_features.mT).mT.unflatten(-1, grid)


def reversed_similarity_map(dense_tokens: Tensor, text_features: Tensor) -> Tensor:
    """Minus the similarity map: what "opposite visualisation" would show the right way round. No
    parameters.
    """
    return -similarity_map(dense_tokens, text_features)


@torch.no_grad()
def depth_maps(clip: Clip, layers: Layers, text_features: Tensor) -> Tensor:
    """The similarity map after every block (L, B, T, h, w): texts (T, D), unit norm. A ResNet has one.

    Tokens between two blocks are read as if no block came after (the "logit lens"); only the last map is ITSM.
    """
    visual = clip.model.visual
    prefix = layers.hidden[0].shape[1] - layers.grid[0] * layers.grid[1]
    stop = None if towers.shape(visual).skips else -1  # what enters a final pool has no block before it left
    between = [towers.read_out(visual, x[:, prefix:]) for x in layers.hidden[1:stop]]
    dense = [*between, towers.dense(visual, layers.tokens)]
    tokens = [F.normalize(x, dim=-1).unflatten(1, layers.grid) for x in dense]
    return torch.stack([similarity_map(x, text_features) for x in tokens])


@method(
    "itsm",
    "Image-Text Similarity Map",
    "Li et al. 2022, arXiv 2209.07046",
    "How similar each patch is to the text, in the space where CLIP compares pictures with texts.",
    "What made the score: patches never meet the text, only the pooled picture does.",
    title="Where the picture resembles the words",
)
def itsm(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return similarity_map(encoding.dense, text_features)


@method(
    "itsm_reversed",
    "ITSM, reversed",
    "Li et al. 2022, arXiv 2209.07046",
    "The similarity map turned round: CLIP often scores the background higher than the thing.",
    "Whether this picture is one of those: it turns every map round.",
    title="Where the picture resembles the words least",
)
def itsm_reversed(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return reversed_similarity_map(encoding.dense, text_features)
