"""Raw attention: where the pooled token looks.

The last attention's probabilities in the pooled row, averaged over heads, as Caron et al. show them
("Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021, arXiv 2104.14294, fig. 1; there
head by head). It knows nothing of the text: the map is the same for every prompt, which is why it is here,
as a comparator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from explain import towers
from explain.methods.registry import ATTENTION, method
from explain.towers.attention import AttentionRecorder

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Tokens


def attention_map(clip: Clip, tokens: Tokens, texts: int) -> Tensor:
    """Maps (B, T, h, w), shares of the attention, the same for each of the `texts`: from tokens entering
    the last.
    """
    visual = clip.model.visual
    with torch.no_grad(), AttentionRecorder() as recorder:
        towers.pool(visual, tokens)
    row = recorder.probs[-1].mean(1)[:, 0, towers.shape(visual).prefix :]
    return row.unflatten(-1, tokens.grid).unsqueeze(1).expand(-1, texts, -1, -1)


@method(
    "attention",
    "Raw attention",
    "Caron et al. 2021, arXiv 2104.14294",
    "Where the last layer looks, whatever the text: the same map for every prompt.",
    "Anything about the text.",
    needs=ATTENTION,
    title="Where the model looks, whatever the words",
)
def attention(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return attention_map(encoding.clip, encoding.tokens, len(text_features))
