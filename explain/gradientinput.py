"""Gradient times input, on the embeddings of tokens.

Shrikumar, Greenside, Shcherbina, Kundaje, "Not Just a Black Box: Learning Important Features Through Propagating
Activation Differences", 2016 (arXiv 1605.01713). With e_t the embedding of token t and S the cosine,

    score of token t = dS/de_t . e_t
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from explain import towers
from explain.registry import word_method

if TYPE_CHECKING:
    from explain.clip import Clip
    from explain.encodings import ImageEncoding


def gradient_times_input(clip: Clip, image_feature: Tensor, texts: Tensor) -> Tensor:
    """Signed scores (T, L) of the tokens of texts (T, L) beside one image feature (D,) of unit norm."""
    embeddings = towers.embed(clip.model, texts).detach().requires_grad_()
    with torch.enable_grad():
        features = F.normalize(towers.text_features(clip.model, texts, embeddings), dim=-1)
        (grads,) = torch.autograd.grad((features @ image_feature.detach()).sum(), embeddings)
    return (grads * embeddings.detach()).sum(-1)


@word_method(
    "gradient_input",
    "Gradient x input",
    "Shrikumar et al. 2016, arXiv 1605.01713",
    "How the score would change if the word grew a little stronger.",
    "What the score would be without the word: a slope is not a step.",
)
def gradient_input(encoding: ImageEncoding, prompts: list[str]) -> list[tuple[float, ...]]:
    """Scores (L,) per prompt; words that lower the score get 0."""
    clip = encoding.clip
    scores = gradient_times_input(clip, encoding.features[0], clip.tokenize(prompts))
    return [tuple(row) for row in scores.clamp(min=0).tolist()]
