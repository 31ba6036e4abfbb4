"""Attention rollout.

Abnar, Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020 (arXiv 2005.00928), eq. 1: half of what a token
is comes through the skip connection, so with A_l averaged over heads

    R = (A_L + I) / 2 ... (A_1 + I) / 2

read in the pooled row. It knows nothing of the text.

Differs from the paper: a final attention pool has no skip connection, so there it is A_L alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.methods.registry import SEVERAL_ATTENTIONS, method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Layers


@torch.no_grad()
def rollout_map(clip: Clip, layers: Layers, texts: int) -> Tensor:
    """Maps (B, T, h, w), shares of the attention, the same for each of the `texts`."""
    shape = towers.shape(clip.model.visual)
    row = layers.probs[-1].detach().mean(1)[:, 0]  # (B, N)
    if shape.skips:
        own = F.one_hot(torch.tensor(0, device=row.device), row.shape[-1]).to(row.dtype)
        row = (row + own) / 2
    for probs in reversed(layers.probs[:-1]):
        row = (row + (row.unsqueeze(1) @ probs.detach().mean(1)).squeeze(1)) / 2
    return row[:, shape.prefix :].unflatten(-1, layers.grid).unsqueeze(1).expand(-1, texts, -1, -1)


@method(
    "rollout",
    "Attention rollout",
    "Abnar and Zuidema 2020, arXiv 2005.00928",
    "Where all layers together look, whatever the text: their attentions multiplied.",
    "Anything about the text, and what the layers do with what they look at.",
    all_layers=True,
    needs=SEVERAL_ATTENTIONS,
    title="Where all layers look, whatever the words",
)
def rollout(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return rollout_map(encoding.clip, encoding.layers, len(text_features))
