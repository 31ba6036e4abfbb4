"""Which words of a prompt count, and how much a picture makes of each: relevance in CLIP's text tower, as a number.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908). With r the relevance of the prompt's tokens
to a picture (`explain.methods.word_relevance`), start and end token left out, and w the weights of its words,

    "mean", of editing:           R = (1 / |{w_t > 0}|) sum_t w_t q_t         q = r / sum r
    "neglected", of generation:   R = (1 / |{w_k > 0}|) sum_k w_k max_{t in word k} q_t / max q

where in the first a word's weight is that of each of its tokens. r is that of logits in the first and of cosines in the
second, as the paper's code has it: followed through all layers, it depends on the scale.

Differs from the paper: weights that are all alike, which its code scales to NaN, are all 1; which words are neglected
is decided as everywhere here, see `explain.inputs.content_words`, and not by a tagger of nouns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from explain.clip.model import Clip
from explain.clip.prompts import MAX_CHARACTERS, read_prompts
from explain.inputs import content_words
from explain.inputs.words import Word, find_words
from guidance.checks import shown, text, within

FORMS = ("mean", "neglected")

Chosen = Mapping[str, float] | Sequence[str]  # words of a prompt with weights from 0 to 1, or all of weight 1


@dataclass(frozen=True)
class WordReading:
    """How much a picture makes of a word of its prompt. Holds no tensor.

    `share`: of all relevance, its tokens together. `height`: the largest of its tokens, as a share of the largest in
    the prompt. `weight`: with which it was asked for, 0 where it was not.
    """

    text: str
    share: float
    height: float
    weight: float = 0.0


@dataclass(frozen=True, eq=False)
class Prompted:
    """A prompt as the model reads it, and the weights in [0, 1] of its words, scaled. `notes`: for people."""

    text: str
    words: tuple[Word, ...]
    weights: tuple[float, ...]
    notes: tuple[str, ...]


def read_prompt(clip: Clip, prompt: str, chosen: Chosen = ()) -> Prompted:
    """A prompt and the words of it that count; a chosen text may be several words in a row. None chosen: none count.

    ValueError for an empty prompt, words that are not in it or that the model does not read any more, and weights that
    are no numbers from 0 to 1.
    """
    read = read_prompts(clip, [text("the prompt", prompt, MAX_CHARACTERS)])[0]
    if not read.words:
        raise ValueError(
            f"the prompt {shown(prompt)} has no words that {clip.name} reads; allowed: one or more"
        )
    weights = [0.0] * len(read.words)
    for name, weight in _named(chosen).items():
        weight = within(f"the weight of {shown(name)}", weight, 0, 1)
        for place in _places(clip, read.words, name):
            weights[place] = max(weights[place], weight)
    return Prompted(read.text, read.words, scaled(weights), read.notes)


def scaled(weights: Sequence[float]) -> tuple[float, ...]:
    """To [0, 1] by their least and largest, where they differ; where they do not, all 1, or all 0."""
    least, most = min(weights), max(weights)
    if math.isclose(least, most):
        return tuple(float(most > 0) for _ in weights)
    return tuple((weight - least) / (most - least) for weight in weights)


def neglected(words: Sequence[WordReading], threshold: float = content_words.NEGLECTED) -> tuple[str, ...]:
    """The content words that a picture makes little of, each once: those whose `height` is below the threshold's share
    of the strongest content word's. See `explain.inputs.content_words`.
    """
    threshold = within("threshold", threshold, 0, 1)
    heights: dict[str, float] = {}
    for word in words:  # one that stands there twice is seen where either is
        heights[word.text] = max(word.height, heights.get(word.text, 0.0))
    weak = content_words.neglected(list(heights), list(heights.values()), threshold)
    return tuple(name for name, is_weak in zip(heights, weak, strict=True) if is_weak)


def word_masks(prompted: Sequence[Prompted], length: int) -> tuple[Tensor, Tensor]:
    """For B prompts of at most K words: whose each token is (B, K, L), bool, and the words' weights (B, K)."""
    most = max(len(one.words) for one in prompted)
    tokens = torch.zeros(len(prompted), most, length, dtype=torch.bool)
    weights = torch.zeros(len(prompted), most)
    for b, one in enumerate(prompted):
        for k, (word, weight) in enumerate(zip(one.words, one.weights, strict=True)):
            tokens[b, k, word.start : word.stop] = True
            weights[b, k] = weight
    return tokens, weights


def token_shares(relevance: Tensor, tokens: Tensor) -> Tensor:
    """q (..., L) of relevance (..., L) that is not normalised: of the tokens of words alone. 0 where all of it is."""
    kept = relevance * tokens.any(-2)
    return kept / kept.sum(-1, keepdim=True).clamp(min=torch.finfo(kept.dtype).tiny)


def word_heights(shares: Tensor, tokens: Tensor) -> Tensor:
    """(..., K): the largest q of each word's tokens, as a share of the largest of all."""
    largest = (shares.unsqueeze(-2) * tokens).amax(-1)
    return largest / shares.amax(-1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)


def word_relevance(shares: Tensor, tokens: Tensor, weights: Tensor, form: str) -> Tensor:
    """R (...) of q (..., L), by one of FORMS, see above; 0 where no word counts."""
    if form == "neglected":
        return (word_heights(shares, tokens) * weights).sum(-1) / (weights > 0).sum(-1).clamp(min=1)
    each = (weights.unsqueeze(-1) * tokens).amax(-2)  # (..., L)
    return (shares * each).sum(-1) / (each > 0).sum(-1).clamp(min=1)


def _named(chosen: Chosen) -> dict[str, float]:
    if isinstance(chosen, str) or not isinstance(chosen, (Mapping, Sequence)):
        raise ValueError(f"the words are {shown(chosen)}; allowed: a list of words, or words with weights")
    for name in chosen:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"a word is {shown(name)}; allowed: words of the prompt")
    return dict(chosen) if isinstance(chosen, Mapping) else dict.fromkeys(chosen, 1.0)


def _places(clip: Clip, words: Sequence[Word], name: str) -> list[int]:
    """The numbers of the words that a name means, wherever it stands."""
    wanted = [word.text.lower() for word in find_words(clip.tokenizer, name).words]
    there = [word.text.lower() for word in words]
    starts = [i for i in range(len(there)) if wanted and there[i : i + len(wanted)] == wanted]
    if not starts:
        raise ValueError(
            f"the word {shown(name)} is not in the prompt; allowed: {', '.join(dict.fromkeys(there))}"
        )
    return [i + k for i in starts for k in range(len(wanted))]
