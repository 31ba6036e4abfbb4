"""TextObjective: how far pictures are from a text and from using every word of it that counts, by CLIP.

Paiss, Chefer, Wolf, "No Token Left Behind", ECCV 2022 (arXiv 2204.04908), as in its editing of pictures and in its
rescue of neglected words. For the V views x_v of a picture, its prompt t and the words of it that count,

    L = mean_v (1 - cos(x_v, t)) - lambda mean_v R(x_v)

with R in `words.py`. Its gradient leads through dS/dA too (second derivatives): the text stays what it is, and what
changes is how much of its attention the picture's feature calls for.

Differs from the paper: views are those of `views.py`, and pictures reach CLIP normalised, which the editing code, after
StyleCLIP's, leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from explain.clip.model import Clip
from explain.relevance.texts import RecordedTexts, record_texts, text_relevance
from guidance.checks import choice, whole, within
from guidance.objectives.settings import MAX_VIEWS, MOST
from guidance.objectives.views import Seeing, Views, draw_views, identity_views
from guidance.objectives.word_relevance import (
    FORMS,
    Chosen,
    WordReading,
    read_prompt,
    token_shares,
    word_heights,
    word_masks,
    word_relevance,
)
from guidance.seeding import MAX_SEED


@dataclass(frozen=True)
class TextSettings:
    """`form`: how relevance of words is put together, of `words.FORMS`. `weight`: lambda; 0 leaves words out. `views`:
    how many, of `view_strength` in [0, 1]; one of strength 0 is the picture as it is. ValueError for what is not
    allowed.
    """

    form: str = "mean"
    weight: float = 1.0
    views: int = 4
    view_strength: float = 0.5

    def __post_init__(self) -> None:
        choice("form", self.form, FORMS)
        object.__setattr__(self, "weight", within("the weight of words", self.weight, 0, MOST))
        object.__setattr__(self, "views", whole("views", self.views, 1, MAX_VIEWS))
        object.__setattr__(self, "view_strength", within("view_strength", self.view_strength, 0, 1))


@dataclass(frozen=True, eq=False)
class TextReading:
    """How a picture does with its prompt: the cosine, and what it makes of every word. Holds no tensor."""

    similarity: float
    words: tuple[WordReading, ...]


@dataclass(frozen=True, eq=False)
class TextJudgement:
    """`total` (B,) is what is minimised, differentiable in the images. `terms` are its parts (B,), detached, which add
    up to it: "similarity", and "words" where some count.
    """

    total: Tensor
    terms: Mapping[str, Tensor]


class TextObjective:
    """The loss of B pictures, each with a prompt, words that count, and a seed: `objective(images, step)`.

    The views of picture i at a step depend on (seeds[i], step) alone. Texts are encoded here, once. `notes` are
    sentences for people. ValueError as from `words.read_prompt`, and where a model's text tower cannot be opened.
    """

    def __init__(
        self,
        clip: Clip,
        prompts: Sequence[str],
        words: Sequence[Chosen],
        seeds: Sequence[int],
        settings: TextSettings | None = None,
    ) -> None:
        self.clip, self.settings = clip, settings or TextSettings()
        self.seeds = tuple(whole("seed", seed, 0, MAX_SEED) for seed in seeds)
        if isinstance(prompts, str) or not len(prompts) == len(words) == len(self.seeds) > 0:
            raise ValueError(
                f"{len(prompts)} prompts, {len(words)} choices of words and {len(self.seeds)} seeds; "
                "allowed: lists of one each, or more"
            )
        self.prompts = tuple(read_prompt(clip, *each) for each in zip(prompts, words, strict=True))
        self.notes = tuple(dict.fromkeys(note for prompt in self.prompts for note in prompt.notes))
        self._seeing = Seeing(clip, len(self.prompts))
        texts = clip.tokenize([prompt.text for prompt in self.prompts])
        tokens, weights = word_masks(self.prompts, texts.shape[1])
        self._tokens, self._weights = tokens.to(texts.device), weights.to(clip.model.logit_scale)
        # A text beside each view: what one makes of it is nothing to another.
        with self._seeing.precise():
            self._once = record_texts(clip, texts)
            self._asked = self._once
            if self.acts and self.settings.views > 1:
                self._asked = record_texts(clip, texts.repeat_interleave(self.settings.views, 0))

    @property
    def acts(self) -> bool:
        """Whether relevance of words is part of the loss."""
        return self.settings.weight > 0 and any(any(prompt.weights) for prompt in self.prompts)

    def __call__(self, images: Tensor, step: int) -> TextJudgement:
        """Images (B, 3, H, W) in [0, 1] of any size from `seeing.MIN_PIXELS` on; `step` chooses the views."""
        chosen = self.settings
        step = whole("step", step, 0, MAX_SEED)
        graph = torch.is_grad_enabled() and images.requires_grad
        with torch.set_grad_enabled(graph), self._seeing.precise():
            views = draw_views(self.seeds, step, chosen.views, self.clip.size, chosen.view_strength)
            features = self._features(images, views)  # (B, V, D)
            cosines = (features * self._once.features.detach()[:, None]).sum(-1)
            terms = {"similarity": 1 - cosines.mean(-1)}
            if self.acts:
                found = self._relevance(self._asked, features.flatten(0, 1), chosen.views, graph)
                terms["words"] = -chosen.weight * found.unflatten(0, (-1, chosen.views)).mean(-1)
            total = torch.stack(list(terms.values())).sum(0)
        return TextJudgement(total, {name: values.detach() for name, values in terms.items()})

    @torch.no_grad()
    def read(self, images: Tensor) -> tuple[TextReading, ...]:
        """Reads what the pictures as they are make of their prompts, without views."""
        with self._seeing.precise():
            features = self._features(images, identity_views(len(self.seeds), self.clip.size))[:, 0]
            cosines = (features * self._once.features).sum(-1).tolist()
            shares = self._shares(self._once, features, 1, graph=False)
            heights = word_heights(shares, self._tokens).tolist()
            sums = (shares.unsqueeze(-2) * self._tokens).sum(-1).tolist()
        return tuple(
            TextReading(
                cosines[b],
                tuple(
                    WordReading(word.text, sums[b][k], heights[b][k], weight)
                    for k, (word, weight) in enumerate(zip(prompt.words, prompt.weights, strict=True))
                ),
            )
            for b, prompt in enumerate(self.prompts)
        )

    def _features(self, images: Tensor, views: Views) -> Tensor:
        """Encodes views of the images into features (B, V, D) of unit norm."""
        normal = self._seeing.views_of(images, views)
        return self.clip.encode_images(normal.flatten(0, 1)).unflatten(0, normal.shape[:2])

    def _relevance(self, recorded: RecordedTexts, features: Tensor, views: int, graph: bool) -> Tensor:
        """R (B V,)."""
        shares = self._shares(recorded, features, views, graph)
        tokens, weights = (each.repeat_interleave(views, 0) for each in (self._tokens, self._weights))
        return word_relevance(shares, tokens, weights, self.settings.form)

    def _shares(self, recorded: RecordedTexts, features: Tensor, views: int, graph: bool) -> Tensor:
        """q (B V, L) of features (B V, D)."""
        of_logits = self.settings.form == "mean"
        relevance = text_relevance(
            self.clip, recorded, features, logit_scale=of_logits, normalise="none", create_graph=graph
        )
        if not graph:
            relevance = relevance.detach()
        return token_shares(relevance, self._tokens.repeat_interleave(views, 0))


@torch.no_grad()
def read_words(
    clip: Clip,
    images: Tensor,
    prompts: Sequence[str],
    words: Sequence[Chosen] | None = None,
    form: str = "mean",
) -> tuple[TextReading, ...]:
    """Reads what finished pictures (B, 3, H, W) in [0, 1] make of their prompts, and of every word of them."""
    chosen = [()] * len(prompts) if words is None else words
    return TextObjective(clip, prompts, chosen, [0] * len(prompts), TextSettings(form)).read(images)
