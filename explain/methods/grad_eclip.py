"""Grad-ECLIP.

Zhao, Wang, Jiang, Shen, Song, Li, Hong, "Gradient-based Visual Explanation for Transformer-based CLIP", ICML 2024
(arXiv 2502.18816; not related to ECLIP beyond the name). In the last attention, with o the mixed values of the pooled
row, v_i the value of patch i, q and k through the output projection:

    M_i = relu( sum_c dS/do_c v_ic  lambda_i )        lambda_i = min-max over patches of cos(q_pooled, k_i)

lambda loosens the softmax, which looks at few patches alone.

Differs from the authors' code: the attention keeps the model's own heads (theirs runs it with one, so that S is no
longer the model's score). For ResNets and SigLIP the last attention is their pool: ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.clip.gradients import per_text, text_scores
from explain.methods.registry import ATTENTION, method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens


def gradeclip_map(clip: Clip, tokens: Tokens, text_features: Tensor) -> Tensor:
    """Maps (B, T, h, w), not negative: from the tokens that enter the last attention and texts (T, D), unit norm."""
    visual = clip.model.visual
    prefix = towers.shape(visual).prefix
    with torch.no_grad():
        parts = towers.parts(visual, tokens)
        query, key, value = parts.by_head
        mixed = F.scaled_dot_product_attention(query[:, :, :1], key, value).transpose(1, 2).flatten(-2)
        keys = F.normalize(parts.out(parts.key[:, prefix:]), dim=-1)
        near = (F.normalize(parts.out(parts.query[:, :1]), dim=-1) * keys).sum(-1)  # (B, P)
        low, high = near.amin(-1, keepdim=True), near.amax(-1, keepdim=True)
        near = (near - low) / (high - low).clamp(min=torch.finfo(near.dtype).tiny)
    with torch.enable_grad():
        mixed.requires_grad_()
        pooled = parts.finish(slice(0, 1), parts.out(mixed), True)[:, 0]
        (grads,) = per_text(text_scores(pooled, text_features.detach()), [mixed])  # (T, B, 1, D)
    maps = torch.einsum("tbd,bnd->btn", grads[:, :, 0], parts.value[:, prefix:]) * near.unsqueeze(1)
    return maps.clamp(min=0).unflatten(-1, tokens.grid)


@method(
    "gradeclip",
    "Grad-ECLIP",
    "Zhao et al. 2024, arXiv 2502.18816",
    "What each patch gives to the pooled picture, weighted by how it would raise the score.",
    "What the layers before the last had already moved from one patch to another.",
    needs=ATTENTION,
    title="What each patch gives to the score",
)
def gradeclip(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return gradeclip_map(encoding.clip, encoding.tokens, text_features)
