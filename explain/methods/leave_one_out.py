"""Leave one word out: what the score loses without a word.

Li, Monroe, Jurafsky, "Understanding Neural Networks through Representation Erasure", 2016 (arXiv 1612.08220), eq. 1,
with the cosine in the place of a log-likelihood:

    score of word w = S(image, text) - S(image, text without w)

The word's tokens are taken out of the ids, so that nothing else is tokenised anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from explain.methods.registry import word_method

if TYPE_CHECKING:
    from explain.clip.model import Clip
    from explain.encodings import ImageEncoding

BATCH = 256  # texts at a time


def word_losses(clip: Clip, image_feature: Tensor, prompt: str) -> list[float]:
    """Returns what S loses without each of the prompt's words, in cosines; negative where the word was in the way.

    `image_feature` (D,) of unit norm. One batch of the text tower.
    """
    return losses_of_all(clip, image_feature[None], [prompt])[0][0].tolist()


@torch.no_grad()
def losses_of_all(clip: Clip, image_features: Tensor, prompts: Sequence[str]) -> list[Tensor]:
    """`word_losses` of several prompts and images of features (B, D): (B, words) for each prompt.

    Texts do not depend on images, so each is read once for all of them, BATCH at a time.
    """
    texts, counts = [], []
    for prompt, words in zip(prompts, clip.words(prompts), strict=True):
        ids = clip.tokenize([prompt])
        texts += [ids, *(_without(ids, word.start, word.stop) for word in words)]
        counts.append(1 + len(words))
    parts = torch.cat(texts).split(BATCH)
    scores = torch.cat([image_features @ clip.encode_texts(part).T for part in parts], dim=1)
    return [found[:, :1] - found[:, 1:] for found in scores.split(counts, dim=1)]


def _without(ids: Tensor, start: int, stop: int) -> Tensor:
    """Ids (1, L) without some positions, and as many of the last id, the padding, at the end.

    A text that fills the context ends with its end token, which repeated after itself is never read.
    """
    tail = ids[:, -1:].expand(-1, stop - start)
    return torch.cat([ids[:, :start], ids[:, stop:], tail], dim=1)


@word_method(
    "leave_one_out",
    "Leave one word out",
    "Li et al. 2016, arXiv 1612.08220",
    "What the score loses when the word is taken out of the text.",
    "Which words only work together: taking out either may change little.",
)
def leave_one_out(encoding: ImageEncoding, prompts: list[str]) -> list[tuple[float, ...]]:
    """Losses (L,) per prompt, shared equally by a word's tokens; words that were in the way get 0."""
    rows = []
    for prompt in prompts:
        row = [0.0] * encoding.clip.context_length
        losses = word_losses(encoding.clip, encoding.features[0], prompt)
        for word, loss in zip(encoding.clip.words([prompt])[0], losses, strict=True):
            row[word.start : word.stop] = [max(loss, 0.0) / (word.stop - word.start)] * (
                word.stop - word.start
            )
        rows.append(tuple(row))
    return rows
