"""CLIP Surgery, a training-free comparator by the authors of paper B.

Li, Wang, Duan, Xu, Li, "A Closer Look at the Explainability of Contrastive Language-Image Pre-training", 2023 (arXiv
2304.05653). Architecture surgery: in the last blocks a second path beside the model's own,

    y <- y + out(softmax(V V^T s) V),    V of the original path, no MLP

whose patches are read by the model's head. Feature surgery: with S_it the cosine of patch i and text t,

    w_t = softmax_t(2 cos(pooled, t)) / mean           S'_it = w_t S_it           S'_it - mean_t S'_it

which takes away what all texts share. It is 0 for one text alone, where the empty prompt is what texts share:

    F_i . (F_t - F_empty)

Differs from the paper: the map registered here is the one for one text, so that a prompt's map does not depend on the
prompts beside it. The last six blocks, as in the authors' code (the paper says seven of twelve and reports little
difference), or all where there are fewer. In a ResNet the attention pool takes v-v attention in place of q-k.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.methods.itsm import similarity_map
from explain.methods.registry import SELF_ATTENTION, method
from explain.methods.self_attention import dense_with, self_similarity

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Layers

DEPTH = 6  # blocks
SHARPNESS = 2.0


@torch.no_grad()
def surgery_tokens(clip: Clip, layers: Layers, depth: int = DEPTH) -> Tensor:
    """Dense tokens (B, h, w, D) of unit norm after architecture surgery of the last `depth` blocks."""
    visual = clip.model.visual
    shape = towers.shape(visual)
    if not shape.skips:
        return dense_with(clip, layers.tokens, lambda q, k, v, grid: self_similarity(v), skips=False)
    hidden = [x.detach() for x in layers.hidden[-depth:]]
    dense = towers.read_out(visual, towers.value_blocks(visual, hidden)[:, shape.prefix :])
    return F.normalize(dense, dim=-1).unflatten(1, layers.grid)


def feature_surgery(dense: Tensor, pooled: Tensor, text_features: Tensor) -> Tensor:
    """Maps (B, T, h, w) of T texts against one another: dense (B, h, w, D), pooled (B, D), texts (T, D), unit norm.

    ValueError for fewer than two texts, where it would be 0 everywhere.
    """
    if len(text_features) < 2:
        raise ValueError("feature surgery compares texts: it needs at least two, or the empty prompt")
    weights = (SHARPNESS * pooled @ text_features.T).softmax(-1)  # (B, T)
    weights = weights / weights.mean(-1, keepdim=True)
    maps = similarity_map(dense, text_features) * weights[..., None, None]
    return maps - maps.mean(1, keepdim=True)


@method(
    "surgery",
    "CLIP Surgery",
    "Li et al. 2023, arXiv 2304.05653",
    "The similarity map along a second path where patches look at those of like value.",
    "What made the score: this is not how the model reads the picture.",
    all_layers=True,
    needs=SELF_ATTENTION,
    title="Resemblance on a second path",
)
def surgery(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    dense = surgery_tokens(encoding.clip, encoding.layers)
    return similarity_map(dense, text_features - encoding.clip.empty_text)
