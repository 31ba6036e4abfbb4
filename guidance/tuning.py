"""What prompt tuning minimises: that pictures find their class, by prompts whose names count.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), one-shot classification. For B pictures of
classes y and the prompts of C classes, with s_bc the relevance of the class's name in prompt c for picture b,

    L = CE(logits, y) + lambda L_expl
    L_expl = - (1 / B) sum_b s_b,y  +  (1 / (B C)) sum_b sum_{c != y} s_bc

The two sums are not weighed alike: that is how the paper's code has it. s is the largest share among the name's tokens,
of the relevance of all tokens before the end: the start token, the context and the full stop among them. With lambda 0
this is CoOp (Zhou et al., IJCV 2022, arXiv 2109.01134).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.clip import Clip
from explain.gradients import per_text
from explain.textrelevance import RecordedTexts, token_rows


def name_relevance(
    clip: Clip,
    recorded: RecordedTexts,
    image_features: Tensor,
    name_tokens: Tensor,
    create_graph: bool = False,
    include_sot: bool = True,
) -> Tensor:
    """s (B, C) in [0, 1] of images of features (B, D) and C recorded prompts, whose names are `name_tokens` (C, L).

    Differentiable in what the prompts are made of: through A alone, with dS/dA a constant, as paper A's code has it, or
    through both with `create_graph`. Images do not meet and neither do prompts, so a picture costs one backward pass of
    the text tower, however many classes there are.
    """
    with torch.enable_grad():
        scores = (recorded.features @ image_features.T).sum(0) * clip.logit_scale
        grads = per_text(scores, recorded.probs, create_graph, retain_graph=True)
        rows = token_rows(clip, recorded, grads, include_sot, "sum")
    return rows.masked_fill(~name_tokens, 0).amax(-1)


def explanation_loss(shares: Tensor, labels: Tensor) -> Tensor:
    """L_expl of s (B, C) and the classes (B,) of the pictures: a number."""
    own = F.one_hot(labels, shares.shape[1]).bool()
    pictures, classes = shares.shape
    return -shares[own].mean() + shares.masked_fill(own, 0).sum() / (pictures * classes)
