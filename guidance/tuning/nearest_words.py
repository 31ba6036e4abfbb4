"""Words nearest to a learnt context: the tokens of the vocabulary whose embeddings are nearest.

As Zhou et al., IJCV 2022 (arXiv 2109.01134), look at theirs, by Euclidean distance. A learnt vector need not be near
any word: the distance says how near it is, beside how far words are from each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from explain import towers
from explain.clip.model import Clip
from guidance.tuning.prompt_learner import PromptLearner

PIECE = 4096  # tokens compared at once


@dataclass(frozen=True)
class NearWord:
    """A token of the vocabulary as it is printed, and its distance from a learnt one."""

    text: str
    distance: float


@torch.no_grad()
def nearest_words(learner: PromptLearner, count: int = 3) -> list[list[NearWord]]:
    """For each learnt token its `count` nearest words, nearest first: M lists, or C M where every class has its own.

    Tokens that print nothing (start, end, pieces of a character) are left out.
    """
    clip = learner.clip
    tokens = printable_tokens(clip)
    table = _embeddings(clip, torch.tensor([number for number, _ in tokens], device=clip.device))
    distances = torch.cdist(learner.context.detach().flatten(0, -2).float(), table.float())
    # A word has up to four tokens: as it stands alone, behind a space, and both with a capital.
    nearest = distances.topk(min(4 * count, len(tokens)), largest=False)
    return [
        _first([NearWord(tokens[place][1], distance) for place, distance in zip(*each, strict=True)], count)
        for each in zip(nearest.indices.tolist(), nearest.values.tolist(), strict=True)
    ]


def printable_tokens(clip: Clip) -> list[tuple[int, str]]:
    """The ids of a tokenizer that print as text, and the text, without the spaces around it."""
    found = ((number, text.strip()) for number, text in _decoded(clip))
    return [(number, text) for number, text in found if text and text.isprintable() and "\ufffd" not in text]


def _first(words: list[NearWord], count: int) -> list[NearWord]:
    """The first `count` that print differently."""
    texts: dict[str, NearWord] = {}
    for word in words:
        texts.setdefault(word.text.lower(), word)
    return list(texts.values())[:count]


def _decoded(clip: Clip) -> list[tuple[int, str]]:
    tokenizer = clip.tokenizer
    if isinstance(tokenizer, SimpleTokenizer):
        specials = set(tokenizer.all_special_ids)
        return [
            (number, tokenizer.decode([number])) for number in tokenizer.decoder if number not in specials
        ]
    inner = tokenizer.tokenizer
    specials = set(inner.all_special_ids)
    numbers = [number for number in sorted(inner.get_vocab().values()) if number not in specials]
    return list(zip(numbers, inner.batch_decode([[number] for number in numbers]), strict=True))


def _embeddings(clip: Clip, ids: Tensor) -> Tensor:
    """(N, D)."""
    return torch.cat([towers.embed(clip.model, piece[None])[0] for piece in ids.split(PIECE)])
