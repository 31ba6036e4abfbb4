"""Loss of prompt tuning: pictures are to find their class, by prompts whose names count.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), one-shot classification. For B pictures of
classes y and the prompts of C classes, with s_bc the relevance of the class's name in prompt c for picture b,

    L = CE(logits, y) + lambda L_expl
    L_expl = - (1 / B) sum_b s_b,y  +  (1 / (B C)) sum_b sum_{c != y} s_bc

The two sums are not weighed alike: that is how the paper's code has it. s is the largest share among the name's tokens,
of the relevance of all tokens before the end: the start token, the context and the full stop among them. With lambda 0
this is CoOp (Zhou et al., IJCV 2022, arXiv 2109.01134).
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from explain.clip.gradients import per_text
from explain.clip.model import Clip
from explain.relevance.texts import RecordedTexts, text_relevance, token_rows
from guidance.tuning.prompt_learner import PromptLearner

AT_ONCE = 128  # prompts whose own relevance is asked together
NUMBERS = 2**27  # of dS/dA that are held at once: half a gigabyte in fp32


def name_relevance(
    clip: Clip,
    recorded: RecordedTexts,
    image_features: Tensor,
    name_tokens: Tensor,
    create_graph: bool = False,
    include_sot: bool = True,
    leaves: tuple[Tensor, ...] | None = None,
) -> Tensor:
    """s (B, C) in [0, 1] of images of features (B, D) and C recorded prompts, whose names are `name_tokens` (C, L).

    Differentiable in what the prompts are made of: through A alone, with dS/dA a constant, as paper A's code has it, or
    through both with `create_graph`. `leaves`: tensors like A that take A's place behind dS/dA, so that a gradient
    stops there. Images do not meet and neither do prompts, so a picture costs one backward pass of the text tower,
    however many classes there are.
    """
    with torch.enable_grad():
        scores = (recorded.features @ image_features.T).sum(0) * clip.logit_scale
        grads = per_text(scores, recorded.probs, create_graph, retain_graph=True)
        behind = recorded if leaves is None else replace(recorded, probs=leaves)
        rows = token_rows(clip, behind, grads, include_sot, "sum")
    return rows.masked_fill(~name_tokens, 0).amax(-1)


def explanation_loss(shares: Tensor, labels: Tensor, counts: Tensor | None = None) -> Tensor:
    """L_expl of s (B, C) and the classes (B,) of the pictures: a number.

    `counts` (C,): for how many classes each stands, where s has only some of them; 1 for those of the pictures.
    """
    counts = torch.ones_like(shares[0]) if counts is None else counts
    own = F.one_hot(labels, shares.shape[1]).bool()
    others = (shares.masked_fill(own, 0) * counts).sum()
    return -shares[own].mean() + others / (len(shares) * counts.sum())


def backward_of_names(
    clip: Clip,
    recorded: RecordedTexts,
    image_features: Tensor,
    name_tokens: Tensor,
    labels: Tensor,
    counts: Tensor | None = None,
    include_sot: bool = True,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """L_expl, the mean s of the pictures' own classes, and dL_expl/dA of every layer with dS/dA a constant.

    As `explanation_loss(name_relevance(...))`, but for a few pictures at a time, so that memory does not grow with the
    batch; and the text tower need be walked through once for this gradient and any other.
    """
    leaves = tuple(probs.detach().requires_grad_() for probs in recorded.probs)
    total, own = image_features.new_zeros(()), image_features.new_zeros(())
    at_once = max(1, NUMBERS // sum(probs.numel() for probs in recorded.probs))
    for features, classes in zip(image_features.split(at_once), labels.split(at_once), strict=True):
        shares = name_relevance(clip, recorded, features, name_tokens, include_sot=include_sot, leaves=leaves)
        part = explanation_loss(shares, classes, counts) * (len(features) / len(image_features))
        part.backward(inputs=leaves)
        total = total + part.detach()
        own = own + shares.detach().gather(1, classes[:, None]).sum() / len(image_features)
    return total, own, tuple(leaf.grad for leaf in leaves if leaf.grad is not None)


def own_relevance(learner: PromptLearner, image_features: Tensor, labels: Tensor) -> Tensor:
    """s (B,) of the own classes (B,) of images of features (B, D), the start token among what is shared. No graph.

    A picture costs a run of the text tower over its own prompt alone.
    """
    found = []
    for features, classes in zip(image_features.split(AT_ONCE), labels.split(AT_ONCE), strict=True):
        rows = text_relevance(learner.clip, learner.record(classes), features, include_sot=True).detach()
        found.append(rows.masked_fill(~learner.name_tokens[classes], 0).amax(-1))
    return torch.cat(found) if found else image_features.new_zeros(0)
