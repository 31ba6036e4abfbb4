"""Relevance of the tokens of a text: the recursion in the text tower.

As in Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908): the row that the tower pools, over the
tokens before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.relevance.recursion import LAYERS, choose, contribution, normalised, rolled_row
from explain.towers.attention import AttentionRecorder

if TYPE_CHECKING:
    from explain.clip.model import Clip


@dataclass(frozen=True)
class RecordedTexts:
    """One run of the text tower with its attentions open: features (T, D) of unit norm, probs (T, heads, n,
    n) per layer, `rows` (T,) the pooled rows, `length` the L of the ids. Can be explained for image after
    image.
    """

    features: Tensor
    probs: tuple[Tensor, ...]
    rows: Tensor
    length: int


def record_texts(
    clip: Clip, texts: Tensor, layers: str = "all", embeddings: Tensor | None = None
) -> RecordedTexts:
    """Runs the text tower on ids (T, L) with its attentions open ("last": only the last one).

    `embeddings` (T, L, D) replace those of the ids, so that a gradient can be taken there too.
    """
    choose("layers", layers, LAYERS)
    wanted = {towers.text_layers(clip.model) - 1} if layers == "last" else None
    with torch.enable_grad(), AttentionRecorder(wanted) as recorder:
        features = F.normalize(towers.text_features(clip.model, texts, embeddings), dim=-1)
    return RecordedTexts(
        features, tuple(recorder.probs), towers.pooled_rows(clip.model, texts), texts.shape[1]
    )


def text_relevance(
    clip: Clip,
    texts: RecordedTexts | Tensor,
    image_features: Tensor,
    layers: str = "all",
    logit_scale: bool = True,
    include_sot: bool = False,
    normalise: str = "sum",
    create_graph: bool = False,
) -> Tensor:
    """Relevance (T, L) of the tokens of texts (T, L) to images of features (T, D), text t to image t, or
    (D,) to all.

    S is the sum of the matched similarities: samples of a batch do not meet, so one gradient serves all T.
    Kept are the tokens before the pooled row, without the start token unless `include_sot`; all else is 0.
    The defaults are those of the paper's code for editing latents (all layers, logits, / sum); `layers` matters only
    where texts are ids.
    """
    recorded = texts if isinstance(texts, RecordedTexts) else record_texts(clip, texts, layers)
    with torch.enable_grad():
        score = (recorded.features * image_features).sum() * (clip.logit_scale if logit_scale else 1.0)
    wanted = image_features.requires_grad or not recorded.probs[0].is_leaf
    with torch.set_grad_enabled(create_graph or (wanted and torch.is_grad_enabled())):
        grads = torch.autograd.grad(score, recorded.probs, retain_graph=True, create_graph=create_graph)
        return token_rows(clip, recorded, grads, include_sot, normalise)


def token_rows(
    clip: Clip,
    recorded: RecordedTexts,
    grads: Sequence[Tensor],
    include_sot: bool = False,
    normalise: str = "none",
) -> Tensor:
    """`text_relevance` (T, L) from dS/dA (T, heads, n, n) of every layer, or (B, T, L) from those of B scores, (B, T,
    heads, n, n).
    """
    slopes, probs = torch.stack(list(grads)), torch.stack(recorded.probs)
    if slopes.dim() > probs.dim():
        probs = probs.unsqueeze(1)
    contributions = contribution(probs, slopes).unbind()
    first = F.one_hot(recorded.rows, contributions[0].shape[-1]).to(contributions[0].dtype)
    relevance = rolled_row(first, contributions)
    positions = torch.arange(relevance.shape[-1], device=relevance.device)
    kept = (positions < recorded.rows[:, None]) & (positions >= (0 if include_sot else clip.start_tokens))
    relevance = normalised(relevance * kept, normalise)
    return F.pad(relevance, (0, recorded.length - relevance.shape[-1]))
