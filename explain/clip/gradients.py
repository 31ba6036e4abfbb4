"""Scores of texts, and their gradients: one batched backward pass for all texts."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def text_scores(pooled: Tensor, text_features: Tensor) -> Tensor:
    """S (T,): cosines of pooled images (B, D), of any length, with texts (T, D) of unit norm, or (B, T, D) where each
    image has texts of its own, summed over the images, which do not meet: the gradient at an image is that of its own
    cosine.
    """
    with torch.enable_grad():
        return (F.normalize(pooled, dim=-1).unsqueeze(1) @ text_features.mT).squeeze(1).sum(0)


def per_text(
    scores: Tensor, inputs: Sequence[Tensor], create_graph: bool = False, retain_graph: bool = False
) -> list[Tensor]:
    """dS_t/dx (T, ...) for each of the scores (T,) and each of the inputs x (...)."""
    options = {"create_graph": create_graph, "retain_graph": create_graph or retain_graph}
    if len(scores) == 1:  # not scores[0], which under no_grad would have no graph
        return [g[None] for g in torch.autograd.grad(scores, inputs, torch.ones_like(scores), **options)]
    each = torch.eye(len(scores), dtype=scores.dtype, device=scores.device)
    return list(torch.autograd.grad(scores, inputs, each, is_grads_batched=True, **options))


def gradient_times_input(embeddings: Tensor, grads: Tensor) -> Tensor:
    """Signed scores (T, L) of tokens from their embeddings and dS/de (T, L, D)."""
    return (grads * embeddings).sum(-1)
