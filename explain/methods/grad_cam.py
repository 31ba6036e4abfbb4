"""Grad-CAM on the last grid of patches.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV
2017 (arXiv 1610.02391), eqs. 1 and 2, with activations a (D, h, w) and a score S:

    alpha_d = mean over patches of dS/da_d          M = relu(sum_d alpha_d a_d)

Differs from the paper: S is the cosine of image and text, not a class score. The activations are the tokens
as the last attention sees them: ln_1 of the last block for a ViT (the usual choice for transformers),
layer4 for a ResNet as in the paper, the final norm for SigLIP. The class token has no place on the grid and
is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from explain import towers
from explain.clip.gradients import per_text, text_scores
from explain.methods.registry import method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens


def gradcam_map(clip: Clip, tokens: Tokens, text_features: Tensor) -> Tensor:
    """Maps (B, T, h, w), not negative: from the tokens that enter the last attention and texts (T, D) of
    unit norm.
    """
    activations, grads = activations_and_gradients(clip, tokens, text_features)
    maps = torch.einsum("tbd,bnd->btn", grads.mean(2), activations)
    return maps.clamp(min=0).unflatten(-1, tokens.grid)


def activations_and_gradients(clip: Clip, tokens: Tokens, text_features: Tensor) -> tuple[Tensor, Tensor]:
    """a (B, P, D) over the P patches, and dS/da (T, B, P, D) for every text."""
    visual = clip.model.visual
    activations = towers.seen(visual, tokens).detach().requires_grad_()
    with torch.enable_grad():
        scores = text_scores(towers.pool(visual, tokens, activations), text_features.detach())
    (grads,) = per_text(scores, [activations])  # (T, B, N, D)
    prefix = activations.shape[1] - tokens.grid[0] * tokens.grid[1]
    return activations.detach()[:, prefix:], grads[:, :, prefix:]


@method(
    "gradcam",
    "Grad-CAM",
    "Selvaraju et al. 2017, arXiv 1610.02391",
    "Activations before the last attention, weighted by how they would raise the score.",
    "Which patch a feature was needed in: one weight per feature serves the whole picture.",
    title="What raises the score, the classic way",
)
def gradcam(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return gradcam_map(encoding.clip, encoding.tokens, text_features)
