"""Relevance through attentions, for both towers.

Chefer, Gur, Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
Transformers", ICCV 2021 (arXiv 2103.15679), eqs. 5 and 6. For a score S and the attention A_l (heads, N, N) of layer l,

    C_l = mean_h relu(dS/dA_l * A_l)          R_0 = I,   R_l = R_{l-1} + C_l R_{l-1}

and the relevance of the inputs is the pooled row of R.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

NORMALISATIONS = ("none", "sum", "sum_max")


LAYERS = ("last", "all")


def contribution(probs: Tensor, grads: Tensor) -> Tensor:
    """C = mean over heads of relu(dS/dA * A): (..., heads, L, S) -> (..., L, S). The clamp comes before the
    mean.
    """
    return (probs * grads).clamp(min=0).mean(-3)


def rolled_row(row: Tensor, contributions: Sequence[Tensor]) -> Tensor:
    """A row r (..., N) of R, as r (I + C_last) ... (I + C_1): only the row that is read is multiplied out."""
    for c in reversed(contributions):
        row = row + (row.unsqueeze(-2) @ c).squeeze(-2)
    return row


def normalised(relevance: Tensor, normalise: str) -> Tensor:
    """Over the last dimension; relevance that is 0 everywhere stays 0."""
    choose("normalise", normalise, NORMALISATIONS)
    tiny = torch.finfo(relevance.dtype).tiny
    if normalise == "none":
        return relevance
    relevance = relevance / relevance.sum(-1, keepdim=True).clamp(min=tiny)
    return relevance if normalise == "sum" else relevance / relevance.amax(-1, keepdim=True).clamp(min=tiny)


def choose(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; allowed: {', '.join(choices)}")
