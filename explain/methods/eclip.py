"""ECLIP: a second image projection, trained so that the similarity map falls on the things.

Li, Wang, Duan, Xu, Li, "Exploring Visual Interpretability for Contrastive Language-Image Pre-training", 2022 (arXiv
2209.07046). Reconstructed from the abstract: with x_i the frozen tokens of the patches, m the mask of free attention
(training only) and W a linear projection beside the model's own,

    v_c = max over i with m_i = 1 of (x_i W)_c          Masked Max Pooling
    z = v / |v|,  t = text / |text|
    L = 1/2 CE(s Z T^T, diagonal) + 1/2 CE(s T Z^T, diagonal),   s the model's own temperature

and the map is ITSM with W in the place of the model's projection: no mask, no pooling. The model's own projection
stays for recognition, so its scores do not change by a bit. On a ModifiedResNet x_i are the values of the attention
pool, before it mixes them, so that W with the model's own numbers gives MaskCLIP's map there.

Not known, and ours: W starts from the model's own or fresh; the texts' side and s are frozen; the maximum is taken
before the norm. `eclip/training.py` has the training, `eclip/free_attention.py` the masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.clip.projection import Projection
from explain.methods.itsm import similarity_map
from explain.methods.registry import method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens


def eclip_map(clip: Clip, encoding: ImageEncoding, projection: Projection, text_features: Tensor) -> Tensor:
    """Maps (B, T, h, w) in [-1, 1]: cosines of the texts with the patches, projected by `projection`."""
    with torch.no_grad():
        dense = projected_tokens(clip, encoding.tokens, projection)
    return similarity_map(dense, text_features)


def projected_tokens(clip: Clip, tokens: Tokens, projection: Projection) -> Tensor:
    """Dense tokens (B, h, w, D) of unit norm through `projection`; differentiable."""
    rows = towers.head_input(clip.model.visual, tokens)[:, 1:]
    return F.normalize(projection(rows), dim=-1).unflatten(1, tokens.grid)


@method(
    "eclip",
    "ECLIP",
    "Li et al. 2022, arXiv 2209.07046",
    "The similarity map through a projection that was trained, with captions alone, to find things.",
    "What made the model's own score, which it does not touch.",
    trained=True,
    title="Resemblance, trained to find things",
)
def eclip(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    clip = encoding.clip
    if clip.eclip is None:
        raise ValueError(f"there is no ECLIP projection for {clip.name}")
    return eclip_map(clip, encoding, clip.eclip, text_features)
