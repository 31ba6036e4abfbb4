"""LeGrad.

Bousselham, Boggust, Chaybouti, Strobelt, Kuehne, "LeGrad: An Explainability Method for Vision Transformers via Feature
Formation Sensitivity", 2024 (arXiv 2404.03214). Each layer l is scored by what its tokens would say of the text, and
asked which attention raises that score:

    s_l = cos(head(mean of the tokens after l), text)        M_l = mean over heads and rows of relu(ds_l / dA_l)

    M = sum of M_l over the last layers

Differs from the paper: the last two layers, as the authors' code has it by default, and the raw sum instead of its
min-max, which drawing applies; for transformers with a class token alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from explain import towers
from explain.clip.gradients import per_text, text_scores
from explain.methods.registry import CLASS_TOKEN, method
from explain.towers.attention import AttentionRecorder

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding
    from explain.towers import Layers

LAST = 2


def legrad_map(clip: Clip, layers: Layers, text_features: Tensor, last: int = LAST) -> Tensor:
    """Maps (B, T, h, w), not negative, from a run with every attention open; its graph is kept."""
    visual = clip.model.visual
    with torch.enable_grad():
        with AttentionRecorder() as recorder:  # the run has the pooled row of the last attention alone
            end = towers.last_block(visual, layers.tokens)
        after = [*layers.hidden[1:], end]
        probs = [*layers.probs[:-1], recorder.probs[-1]]
    total = torch.zeros(())
    for tokens, attention in list(zip(after, probs, strict=True))[-last:]:
        with torch.enable_grad():
            scores = text_scores(towers.read_out(visual, tokens.mean(1)), text_features.detach())
        (grads,) = per_text(scores, [attention], retain_graph=True)
        total = total.to(grads) + grads.clamp(min=0).mean((2, 3))  # (T, B, heads, rows, N) -> (T, B, N)
    prefix = towers.shape(visual).prefix
    return total[..., prefix:].transpose(0, 1).unflatten(-1, layers.grid)


@method(
    "legrad",
    "LeGrad",
    "Bousselham et al. 2024, arXiv 2404.03214",
    "Which attention, in the last layers, would make their tokens more like the text.",
    "What the attention really carried: only how the score would change.",
    all_layers=True,
    needs=CLASS_TOKEN,
    title="Which attention would raise the score",
)
def legrad(encoding: ImageEncoding, text_features: Tensor) -> Tensor:
    return legrad_map(encoding.clip, encoding.layers, text_features)
