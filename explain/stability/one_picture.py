"""Is CLIP's decision the same in other words? Labels times phrasings for one picture, and the words that count.

The decision of all phrasings together is that of Radford et al. 2021 (arXiv 2103.00020): the mean of a label's text
features over the phrasings (prompt ensembling). A phrasing whose own decision differs is a flip. Instability is the
share of pairs of phrasings that disagree. Words: `inputs/content_words.py`, `relevance/texts.py`,
`methods/leave_one_out.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from os import PathLike

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from explain.clip.model import Clip
from explain.encodings import TEXTS, ImageEncoding, ReadText, encode
from explain.inputs.content_words import NEGLECTED, is_content, neglected, shares_of_strongest
from explain.inputs.images import opened, picture_notes
from explain.methods.leave_one_out import losses_of_all
from explain.relevance.recursion import choose
from explain.stability.phrasebook import PHRASINGS
from explain.stability.phrasings import PhrasedLabel, Texts, read_texts

LEFT_OUT = ("decided", "all", "none")  # texts whose words are left out in turn


@dataclass(frozen=True)
class RatedWord:
    """A word of a text. `relevance` is that of its strongest token, over that of the strongest content word; `named`:
    it is the label's; `drop`: what the cosine loses without the word, or None where that was not asked.
    """

    text: str
    content: bool
    named: bool
    relevance: float
    neglected: bool
    drop: float | None


@dataclass(frozen=True)
class PhrasedText:
    """A label in a phrasing. `score` is the cosine, `probability` the softmax among the labels in this phrasing."""

    prompt: str
    score: float
    probability: float
    words: tuple[RatedWord, ...]


@dataclass(frozen=True)
class Stability:
    """Answers of one model about one picture: `texts` has a row per phrasing and a column per label. Holds no tensor.

    `ensemble` are the probabilities of the labels with all phrasings together. Decisions are numbers of labels.
    """

    model: str
    labels: tuple[str, ...]
    phrasings: tuple[str, ...]
    threshold: float
    texts: tuple[tuple[PhrasedText, ...], ...]
    ensemble: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def decisions(self) -> tuple[int, ...]:
        """The label with the highest score in each phrasing; the first of several."""
        return tuple(first_highest([text.score for text in row]) for row in self.texts)

    @property
    def decided(self) -> int:
        """The label that all phrasings together decide on."""
        return first_highest(self.ensemble)

    @property
    def flips(self) -> tuple[int, ...]:
        """The phrasings that decide on another label than all together."""
        return tuple(n for n, label in enumerate(self.decisions) if label != self.decided)

    @property
    def instability(self) -> float:
        """The share of pairs of phrasings that disagree, in [0, 1]; 0 for one phrasing."""
        return instability(self.decisions)


def explain_phrasings(
    clip: Clip,
    image: Image.Image | str | PathLike,
    labels: Sequence[str],
    phrasings: Sequence[str] = PHRASINGS,
    threshold: float = NEGLECTED,
    leave_out: str = "decided",
) -> Stability:
    """Every label in every phrasing, beside one picture: one image forward, one run of the text tower per 256 texts.

    `threshold` in (0, 1]: content words below it are neglected. `leave_out`: the texts whose words are also left out
    one by one: in each phrasing the label decided on there and the one that all together decide on, or all, or none.
    ValueError, saying what is allowed, for anything out of bounds.
    """
    check_threshold(threshold)
    choose("leave_out", leave_out, LEFT_OUT)
    texts = read_texts(clip, labels, phrasings)
    picture = opened(image)
    encoding = encode(clip, picture)
    prompts = texts.prompts
    parts = [prompts[first : first + TEXTS] for first in range(0, len(prompts), TEXTS)]
    read = [one for part in parts for one in encoding.read(part)]
    features = torch.stack([one.feature for one in read]).unflatten(0, (len(texts.phrasings), -1))
    scores, probabilities, ensemble = judge(clip, encoding.features[:1], features)
    together = first_highest(ensemble[0].tolist())
    asked = {
        "decided": [{first_highest(row), together} for row in scores[0].tolist()],
        "all": [range(len(texts.labels))] * len(texts.phrasings),
        "none": [()] * len(texts.phrasings),
    }
    drops = _drops(encoding, texts, asked[leave_out])
    values = zip(scores[0].flatten().tolist(), probabilities[0].flatten().tolist(), read, strict=True)
    cells = iter(values)
    table = tuple(
        tuple(_phrased_text(one, *next(cells), drops.get(one.text), threshold) for one in row)
        for row in texts.table
    )
    notes = (*picture_notes(picture), *texts.notes)
    return Stability(
        clip.name, texts.labels, texts.phrasings, threshold, table, tuple(ensemble[0].tolist()), notes
    )


def judge(clip: Clip, image_features: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores and probabilities (B, P, L) of images (B, D) and texts (P, L, D) in P phrasings of L labels; and the
    probabilities (B, L) of all phrasings together. All features of unit norm.
    """
    scores = torch.einsum("bd,pld->bpl", image_features, features)
    together = image_features @ F.normalize(features.mean(0), dim=-1).T
    # On the CPU: not every device has float64.
    probabilities, ensemble = ((s.cpu().double() * clip.logit_scale).softmax(-1) for s in (scores, together))
    return scores, probabilities, ensemble


def instability(decisions: Sequence[int]) -> float:
    """The share of pairs of decisions that differ, in [0, 1]; 0 where there are no pairs."""
    count = len(decisions)
    if count < 2:
        return 0.0
    agreeing = sum(n * (n - 1) for n in Counter(decisions).values())
    return 1 - agreeing / (count * (count - 1))


def first_highest(values: Sequence[float]) -> int:
    """The position of the highest value; the first of several."""
    return max(range(len(values)), key=values.__getitem__)


def rate_words(
    phrased: PhrasedLabel, relevance: Sequence[float], drops: Sequence[float] | None, threshold: float
) -> tuple[RatedWord, ...]:
    """The words of a text from the relevance (L,) of its tokens."""
    texts = [word.text for word in phrased.words]
    strongest_tokens = [max(relevance[word.start : word.stop]) for word in phrased.words]
    shares = shares_of_strongest(texts, strongest_tokens)
    weak = neglected(texts, strongest_tokens, threshold)
    first, stop = phrased.named
    return tuple(
        RatedWord(
            text,
            is_content(text),
            first <= n < stop,
            shares[n],
            weak[n],
            None if drops is None else drops[n],
        )
        for n, text in enumerate(texts)
    )


def check_threshold(threshold: float) -> None:
    """ValueError for a threshold that is no share."""
    if not isinstance(threshold, (int, float)) or isinstance(threshold, bool) or not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold!r}; allowed: a number above 0, at most 1")


def _drops(encoding: ImageEncoding, texts: Texts, asked: Sequence[Collection[int]]) -> dict[str, list[float]]:
    """Returns what the cosine loses without each word, by text; `asked`: the labels in each phrasing."""
    rows = zip(texts.table, asked, strict=True)
    prompts = [row[label].text for row, labels in rows for label in sorted(labels)]
    if not prompts:
        return {}
    losses = losses_of_all(encoding.clip, encoding.features[:1], prompts)
    return {prompt: found[0].tolist() for prompt, found in zip(prompts, losses, strict=True)}


def _phrased_text(
    phrased: PhrasedLabel,
    score: float,
    probability: float,
    read: ReadText,
    drops: list[float] | None,
    threshold: float,
) -> PhrasedText:
    words = rate_words(phrased, read.relevance, drops, threshold)
    return PhrasedText(phrased.text, score, probability, words)
