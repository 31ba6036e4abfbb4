"""MaskCLIP's value path.

Zhou, Loy, Dai, "Extract Free Dense Labels from CLIP", ECCV 2022 (arXiv 2112.01071): in the last attention every token
keeps its own value, as if it looked at itself alone; queries and keys are not used. The residual connection and the
MLP of the block stay. For a ResNet the attention pool becomes two 1 x 1 convolutions on the last feature map, without
positions. The map is the cosine with the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.methods.itsm import similarity_map
from explain.methods.registry import SELF_ATTENTION, method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens


@torch.no_grad()
def value_tokens(clip: Clip, tokens: Tokens) -> Tensor:
    """Dense tokens (B, h, w, D) of unit norm, through the value path of the last attention."""
    visual = clip.model.visual
    shape = towers.shape(visual)
    if shape.skips:
        parts = towers.parts(visual, tokens)
        rows = slice(shape.prefix, None)
        dense = parts.finish(rows, parts.out(parts.value[:, rows]), True)
    else:
        dense = towers.dense(visual, tokens, "value")
    return F.normalize(dense, dim=-1).unflatten(1, tokens.grid)


@method(
    "maskclip",
    "MaskCLIP",
    "Zhou et al. 2022, arXiv 2112.01071",
    "The similarity map with the last attention switched off: each patch speaks for itself.",
    "What made the score: this is not how the model reads the picture.",
    needs=SELF_ATTENTION,  # for SigLIP the value path is ITSM already
    title="Resemblance, each patch alone",
)
def maskclip(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return similarity_map(value_tokens(encoding.clip, encoding.tokens), text_features)
